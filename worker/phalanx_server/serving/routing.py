"""From the name in a request to what answers it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from phalanx_contract.plan import ApiKey
from phalanx_server.batching.item import BASE
from phalanx_server.errors import NotFound, Unauthorized, Unavailable, Unprocessable
from phalanx_server.models import Model
from phalanx_server.serving.hosted import Hosted
from phalanx_server.serving.shelf import Shelf, Tenant


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """What a request names. `model` may carry the tenant as `ensemble:tenant`; empty means the only ensemble."""

    model: str = ""
    tenant: str = ""
    api_key: str = ""

    def split(self) -> tuple[str, str]:
        """Ensemble and tenant.

        Raises:
            Unprocessable: two different tenants are named.
        """
        ensemble, colon, tenant = self.model.partition(":")
        if colon and self.tenant and self.tenant != tenant:
            raise Unprocessable(f"the model names the tenant {tenant[:64]!r}, the header {self.tenant[:64]!r}")
        if colon and not tenant:
            raise NotFound(f"no model {self.model[:128]!r}: the tenant after ':' is empty")
        return ensemble, tenant or self.tenant


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What answers: `tenant` None is the base model. `name` is the model as it is shown to the client.

    `fixed`: the client named the version, so no other may answer.
    """

    name: str
    hosted: Hosted
    shelf: Shelf
    tenant: Tenant | None
    fixed: bool = False

    @property
    def ensemble(self) -> str:
        """The ensemble that was asked for, also where its candidate answers."""
        return self.name.partition(":")[0]

    @property
    def model(self) -> Model:
        """The loaded ensemble."""
        return self.shelf.model

    @property
    def tenant_name(self) -> str:
        """The tenant, or the empty name of the base model."""
        return self.tenant.spec.name if self.tenant else BASE

    @property
    def weight(self) -> int:
        """The tenant's weight; the base model has that of a tenant that names none."""
        return self.tenant.spec.weight if self.tenant else 1

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the readout that answers."""
        if self.tenant is not None and self.tenant.weights is not None:
            return self.tenant.weights.labels
        return self.model.labels


def resolve(hosted: Mapping[str, Hosted], address: Address) -> Target:
    """Find what answers a request, and check that its sender may ask.

    Raises:
        NotFound: no such ensemble or tenant. Unprocessable: no name where there are several ensembles.
        Unauthorized: the tenant has another API key. Unavailable: it is not loaded.
    """
    ensemble, tenant_name = address.split()
    found = hosted.get(ensemble or _only(hosted))
    if found is None:
        raise NotFound(f"no model {ensemble[:128]!r} is served here")
    spec = found.adapters.get(tenant_name)
    if tenant_name and spec is None:
        raise NotFound(f"the model {found.spec.name} has no tenant {tenant_name[:128]!r}")
    if spec is not None and spec.api_key is not None and not key_matches(spec.api_key, address.api_key):
        raise Unauthorized(f"the tenant {tenant_name} needs its API key: Authorization: Bearer KEY")
    if found.shelf is None:
        why = f"cannot be loaded: {found.failure}" if found.failure else "is being loaded"
        raise Unavailable(f"the model {found.spec.name} {why}", retry_after_s=1.0)
    tenant = found.shelf.tenants.get(tenant_name) if tenant_name else None
    if tenant_name and tenant is None:
        raise Unavailable(f"the tenant {tenant_name} is being loaded", retry_after_s=1.0)
    name = f"{found.spec.name}:{tenant_name}" if tenant_name else found.spec.name
    return Target(name=name, hosted=found, shelf=found.shelf, tenant=tenant)


def _only(hosted: Mapping[str, Hosted]) -> str:
    if len(hosted) > 1:
        names = ", ".join(sorted(hosted)[:8])
        raise Unprocessable(f"several models are served ({names}): name one with ?model= or X-Phalanx-Model")
    if not hosted:
        raise NotFound("no model is served here")
    return next(iter(hosted))


def key_matches(stored: ApiKey, key: str) -> bool:
    """Compare a key with its salted hash, in constant time."""
    digest = hashlib.sha256(bytes.fromhex(stored.salt) + key.encode("utf-8", "surrogateescape")).hexdigest()
    return hmac.compare_digest(digest, stored.sha256)
