"""Sigma rules as settings want them: what runs beside the detectors, what marks records, what is asked of history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sentinel.core.errors import RefusedToStartError
from streams.faults import report

if TYPE_CHECKING:
    from models.sigma.history import Query
    from models.sigma.loading import Loaded
    from sentinel.core.sigma import RuleSet
    from sentinel.settings import Settings
    from streams.sources.contract import Mark, Source

SHIPPED: Final = "shipped"


def sigma_rules(places: Sequence[str]) -> Loaded:
    """Return the Sigma rules of files and folders; `shipped` is the folder that comes along.

    Raises:
        RefusedToStartError: a place is not there.
    """
    from models.sigma.loading import SHIPPED_RULES, files_in

    found = tuple(SHIPPED_RULES if place == SHIPPED else Path(place) for place in places)
    missing = [str(path) for path in found if not path.exists()]
    if missing:
        raise RefusedToStartError(f"not there: {', '.join(missing)}")
    told = [file.stat() for file in files_in(found)]
    return _loaded(found, tuple((one.st_mtime_ns, one.st_size) for one in told))


def rule_set(settings: Settings) -> RuleSet:
    """Return the rules that run; how many were refused is logged, `sentinel sigma check` says why."""
    from sentinel.core.sigma import RuleSet

    if not settings.sigma:
        return RuleSet()
    loaded = sigma_rules(settings.sigma)
    if loaded.refused:
        report("sigma-rules-refused", reasons=", ".join(f"{reason} {count}" for reason, count in loaded.reasons().most_common()))
    return loaded.rule_set


def markers(settings: Settings | None) -> dict[str, Mark]:
    """Return what marks the records of each format that rules look at as they came."""
    return sigma_rules(settings.sigma).markers() if settings is not None and settings.sigma else {}


def marked(source: Source, mark: Mark) -> Source:
    """Return a format that marks its rows."""
    if source.marking is None:
        raise RefusedToStartError(f"format {source.name}: its records cannot be seen by rules")
    return replace(source, decode=source.marking(mark))


def history_query(loaded: Loaded, name: str) -> Query:
    """Return what asks the store for a rule.

    Raises:
        RefusedToStartError: there is no such rule, or history cannot be asked for it.
    """
    from models.sigma.history import query
    from models.sigma.refusals import RuleRefusedError

    if name not in loaded.rules and name not in loaded.correlations:
        raise RefusedToStartError(f"no such rule runs: {name}")
    try:
        return query(loaded, name)
    except RuleRefusedError as error:
        raise RefusedToStartError(f"{name}: history cannot be asked for it ({error})") from None


def search_history(
    settings: Settings, loaded: Loaded, name: str, period: tuple[int | None, int | None], limit: int
) -> list[dict[str, Any]]:
    """Return the events of the store that a rule finds something on, oldest first. `period`: since, until, in µs.

    Raises:
        RefusedToStartError: there is no such rule, or history cannot be asked for it.
        StoreError: the store did not answer.
    """
    from sentinel.assembly.storage import Store

    asked = history_query(loaded, name)
    store = Store(settings)
    try:
        told = asked.parameters | {"timezone": settings.timezone}
        return store.questions().events_of_rule(settings.tenant, asked.text, told, *period, limit=limit)
    finally:
        store.close()


@lru_cache(maxsize=4)
def _loaded(places: tuple[Path, ...], _stamps: tuple[tuple[int, int], ...]) -> Loaded:
    """Return the rules of files and folders: read once, until one of the files is another."""
    from models.sigma.loading import load

    return load(places)
