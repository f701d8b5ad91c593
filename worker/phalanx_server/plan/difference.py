"""What has to be done to get from one plan to the next. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from phalanx_contract.plan import Adapter, Ensemble, Plan


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """Actions by ensemble name.

    load: the artifact is new. unload: the ensemble is gone. recut: it goes on with another cut and nothing else.
    load_adapters and unload_adapters belong to ensembles that stay with their artifact: a new artifact loads all of
    its adapters anyway. An adapter whose artifact changes is only in `load_adapters`: the old one serves until then.
    """

    load: tuple[Ensemble, ...] = ()
    unload: tuple[str, ...] = ()
    recut: tuple[str, ...] = ()
    load_adapters: tuple[tuple[str, Adapter], ...] = ()
    unload_adapters: tuple[tuple[str, str], ...] = ()


def difference(old: Plan | None, new: Plan) -> Changes:
    """The changes from `old` (None: nothing is served) to `new`."""
    before = {ensemble.name: ensemble for ensemble in old.ensembles} if old else {}
    after = {ensemble.name: ensemble for ensemble in new.ensembles}
    stay = [(before[name], after[name]) for name in after if name in before]
    same = [(was, now) for was, now in stay if _same_model(was, now)]
    return Changes(
        load=tuple(now for name, now in after.items() if name not in before or not _same_model(before[name], now)),
        unload=tuple(name for name in before if name not in after),
        recut=tuple(now.name for was, now in same if was.cut != now.cut),
        load_adapters=tuple((now.name, adapter) for was, now in same for adapter in _new_adapters(was, now)),
        unload_adapters=tuple((now.name, name) for was, now in same for name in _gone_adapters(was, now)),
    )


def _same_model(was: Ensemble, now: Ensemble) -> bool:
    return was.artifact == now.artifact


def _new_adapters(was: Ensemble, now: Ensemble) -> list[Adapter]:
    before = {adapter.name: adapter.artifact for adapter in was.adapters}
    return [adapter for adapter in now.adapters if before.get(adapter.name) != adapter.artifact]


def _gone_adapters(was: Ensemble, now: Ensemble) -> list[str]:
    left = {adapter.name for adapter in now.adapters}
    return [adapter.name for adapter in was.adapters if adapter.name not in left]
