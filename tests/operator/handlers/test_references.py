"""Secrets and ConfigMaps are read once and again after a while."""

from __future__ import annotations

from typing import Any

import pytest

from phalanx_operator.api.types import Key
from phalanx_operator.handlers.references import FRESH_S, REFRESH_AT_ONCE, RETRY_S, ReferenceCache


class Api:
    def __init__(self) -> None:
        self.now = 0.0
        self.secrets: dict[str, dict[str, Any]] = {"a": {"v": 1}}
        self.read: list[str] = []
        self.cache = ReferenceCache(self._fetch, clock=lambda: self.now)

    async def _fetch(self, key: Key) -> dict[str, Any] | None:
        self.read.append(key.name)
        return self.secrets.get(key.name)


@pytest.fixture
def api() -> Api:
    return Api()


async def test_what_is_fresh_is_not_read_again(api):
    assert await api.cache.get("default", ["a", "a", "b"]) == {"a": {"v": 1}}
    api.now = RETRY_S
    await api.cache.get("default", ["a", "b"])
    assert api.read == ["a", "b"]


async def test_a_missing_secret_is_looked_for_again_soon_and_a_known_one_later(api):
    await api.cache.get("default", ["a", "b"])
    api.secrets = {"a": {"v": 2}, "b": {"v": 1}}
    api.now = RETRY_S + 1
    assert await api.cache.get("default", ["a", "b"]) == {"a": {"v": 1}, "b": {"v": 1}}
    api.now = FRESH_S + 1
    assert (await api.cache.get("default", ["a"]))["a"] == {"v": 2}


async def test_ten_thousand_known_secrets_are_refreshed_a_few_at_a_time(api):
    names = [f"s{index}" for index in range(REFRESH_AT_ONCE * 3)]
    api.secrets = {name: {"v": 1} for name in names}
    await api.cache.get("default", names)
    api.now = FRESH_S + 1
    for _ in range(3):
        api.read.clear()
        assert len(await api.cache.get("default", names)) == len(names)
        assert len(api.read) == REFRESH_AT_ONCE
    api.read.clear()
    await api.cache.get("default", names)
    assert api.read == []


async def test_what_was_refused_is_read_afresh_whatever_is_remembered(api):
    await api.cache.get("default", ["a"])
    api.secrets = {"a": {"v": 2}}
    assert await api.cache.get("default", ["a"]) == {"a": {"v": 1}}
    assert await api.cache.get("default", ["a"], fresh=True) == {"a": {"v": 2}}
    assert api.read == ["a", "a"]
