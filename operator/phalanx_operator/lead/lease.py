"""Reads and writes the one Lease that the replicas share."""

from __future__ import annotations

from typing import Final

from phalanx_operator.api.types import Key, Manifest
from phalanx_operator.apply.api import ApiError, KubeApi
from phalanx_operator.apply.paths import collection, item
from phalanx_operator.lead.election import Record
from phalanx_operator.lead.record import API_VERSION, lease_of, record_of

KIND: Final = "Lease"


class Lease:
    """By its name. The API client is one without a fence: the lease is what opens it."""

    def __init__(self, api: KubeApi, key: Key) -> None:
        self._api = api
        self._read: Manifest | None = None
        self.key = key

    def __repr__(self) -> str:
        return f"<Lease {self.key}>"

    async def read(self) -> Record | None:
        """What it says now; None if it does not exist. Raises ApiError."""
        try:
            self._read = await self._api.get(item(API_VERSION, KIND, self.key.namespace, self.key.name))
        except ApiError as error:
            if not error.gone:
                raise
            self._read = None
        return None if self._read is None else record_of(self._read)

    async def write(self, record: Record) -> Record:
        """Replace exactly the version that the record names, or create it; gives the record with its new version.

        Raises:
            ApiError: `conflict` if another one was faster; with any other error it may have been written all the same.
        """
        lease = lease_of(record, self.key, base=self._read)
        if record.version:
            self._read = await self._api.replace(item(API_VERSION, KIND, self.key.namespace, self.key.name), lease)
        else:
            self._read = await self._api.create(collection(API_VERSION, KIND, self.key.namespace), lease)
        return record_of(self._read)
