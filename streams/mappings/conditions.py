"""Conditions: what a mapping passes over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from streams.mappings.document import Condition
from streams.mappings.patterns import finder
from streams.mappings.table import Table
from streams.sources.fhir.kept import Kept

Flags = list[bool]


def selectors_of(conditions: Sequence[Condition]) -> Iterator[str]:
    """Yield all places that conditions look at."""
    for one in conditions:
        yield one.where
        yield from selectors_of(one.and_)


def holds(condition: Condition) -> Callable[[Table], Flags]:
    """Return what tells of each event whether a condition holds."""
    known: Kept[str, bool] = Kept(_test(condition))
    others = [holds(one) for one in condition.and_]

    def flags(table: Table) -> Flags:
        own = [known[text] for text in table.columns[condition.where]]
        for other in others:
            own = [one and also for one, also in zip(own, other(table), strict=True)]
        return own

    return flags


def _test(condition: Condition) -> Callable[[str], bool]:
    if condition.told is not None:
        return lambda text: bool(text) is condition.told
    if condition.like is not None or condition.unlike is not None:
        find, wanted = finder(condition.like or condition.unlike or ""), condition.like is not None
        return lambda text: find(text) is wanted
    among = {one.strip().casefold() for one in condition.is_ or condition.is_not or ()}
    return lambda text: (text.casefold() in among) is (condition.is_ is not None)


def any_holds(conditions: Sequence[Condition]) -> Callable[[Table], Flags]:
    """Return what tells of each event whether any of the conditions holds."""
    tests = [holds(one) for one in conditions]

    def flags(table: Table) -> Flags:
        return [any(one) for one in zip(*(test(table) for test in tests), strict=True)]

    return flags
