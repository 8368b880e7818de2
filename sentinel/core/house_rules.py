"""What people want told less, or looked at more closely: suppressions, watch-lists and maintenance windows, as data.

Evaluated in event time and one event at a time, so that no result hangs on batches or shards. Knows no file and no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sentinel.core.alert import Usual
from sentinel.core.book import ContextBook
from sentinel.core.codes import NOBODY, Codes
from sentinel.core.detector import Finding, Scope, Words
from sentinel.core.event import TIME_MAX_US, TIME_MIN_US, ActorType

WATCH_LIST: Final = "watch_list"  # who finds something in each access that a list wants told
_NONE: Final[frozenset[str]] = frozenset()


class RuleKind(StrEnum):
    """What a rule is for."""

    SUPPRESSION = "suppression"
    WATCH_LIST = "watch-list"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class Selector:
    """What a rule is about: of each list that is not empty, one has to fit.

    `units` hold those below them; `detectors` and `alerts` (ids of stories) are asked of findings, the others of events.
    """

    actors: frozenset[str] = _NONE
    actor_types: frozenset[ActorType] = frozenset()
    roles: frozenset[str] = _NONE
    units: frozenset[str] = _NONE
    patients: frozenset[str] = _NONE
    sources: frozenset[str] = _NONE
    applications: frozenset[str] = _NONE
    detectors: frozenset[str] = _NONE
    alerts: frozenset[str] = _NONE

    def fits(self, detector: str, alert: str) -> bool:
        """Whether it is about what a detector found, in the story `alert`."""
        return (not self.detectors or detector in self.detectors) and (not self.alerts or alert in self.alerts)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, in force from `since` until `until` (µs since 1970 UTC, without the last).

    A watch-list `raises` the priority of stories on what it is about; `every_access`: tells each access, explained or not.
    """

    name: str
    kind: RuleKind
    since: int
    until: int
    about: Selector
    raises: float = 0.0
    every_access: bool = False

    @property
    def is_narrow(self) -> bool:
        """Whether it may hide what is critical: it says what is found, and on whom; or it is for what programs do meanwhile."""
        about = self.about
        if self.kind is RuleKind.MAINTENANCE:
            return about.actor_types == {ActorType.SERVICE}
        return bool(about.detectors and (about.actors or about.patients or about.alerts))


class Looked(NamedTuple):
    """What rules look at in one event: numbers of the book, but for the last three."""

    occurred_at: int
    actor: int
    role: int
    unit: int
    patient: int
    actor_type: ActorType
    source: str
    application: str


@dataclass(frozen=True, slots=True)
class HouseRules:
    """All rules of one tenant, by name."""

    by_name: dict[str, Rule] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.by_name)

    def between(self, since: int | None, until: int | None) -> HouseRules:
        """Return the same rules as if they were in force from `since` until `until`; None: from the first, to the last moment."""
        first, last = TIME_MIN_US if since is None else since, TIME_MAX_US if until is None else until
        return house_rules_of([replace(rule, since=first, until=last) for rule in self.by_name.values()])

    def in_force(self, first: int, last: int, book: ContextBook) -> InForce:
        """Return those in force at some time from `first` to `last` (µs), with the book's numbers for the names they tell."""
        rules = [rule for rule in self.by_name.values() if rule.since <= last and first < rule.until]
        return InForce([_numbered(rule, book) for rule in rules], book)

    def in_maintenance(self, source: str, first: int, last: int) -> bool:
        """Whether a window of a source, a format or an application, was open at some time from `first` to `last` (µs).

        Its silence then is no silence, whoever it would have been about.
        """
        windows = [rule for rule in self.by_name.values() if rule.kind is RuleKind.MAINTENANCE]
        of_it = [rule for rule in windows if source in (rule.about.sources | rule.about.applications)]
        return any(rule.since <= last and first < rule.until for rule in of_it)

    def hides(self, held: Iterable[str], detector: str, alert: str) -> Rule | None:
        """Return what hides a detector's finding of the story `alert`, of the rules `held` for its event; None: it is told.

        What is watched is never hidden. One that may hide what is critical comes first.
        """
        if self.raises(held, detector, alert):
            return None
        hiding = [rule for rule in self._fitting(held, detector, alert) if rule.kind is not RuleKind.WATCH_LIST]
        return min(hiding, key=lambda rule: not rule.is_narrow, default=None)

    def raises(self, held: Iterable[str], detector: str, alert: str) -> dict[str, float]:
        """Return by how much each watch-list raises the story of a detector's finding."""
        found = self._fitting(held, detector, alert)
        return {rule.name: rule.raises for rule in found if rule.kind is RuleKind.WATCH_LIST}

    def wants_every(self, held: Iterable[str]) -> list[str]:
        """Return the watch-lists, of the rules `held` for an event, that want each access told."""
        return [name for name in held if name in self.by_name and self.by_name[name].every_access]

    def _fitting(self, held: Iterable[str], detector: str, alert: str) -> list[Rule]:
        found = [self.by_name[name] for name in held if name in self.by_name]
        return [rule for rule in found if rule.about.fits(detector, alert)]


NO_RULES: Final = HouseRules()


def house_rules_of(rules: Sequence[Rule]) -> HouseRules:
    """Return rules, whose names differ, in the order of their names."""
    return HouseRules({rule.name: rule for rule in sorted(rules, key=lambda rule: rule.name)})


@dataclass(frozen=True, slots=True)
class _Numbered:
    """A rule with the numbers of the people, roles, units and patients that it names and that were met."""

    rule: Rule
    actors: frozenset[int]
    roles: frozenset[int]
    units: frozenset[int]
    patients: frozenset[int]

    def holds(self, looked: Looked, units: frozenset[int]) -> bool:
        """Whether it is about an event, by somebody who works in `units`."""
        about = self.rule.about
        return (
            self.rule.since <= looked.occurred_at < self.rule.until
            and (not about.actors or looked.actor in self.actors)
            and (not about.patients or looked.patient in self.patients)
            and (not about.sources or looked.source in about.sources)
            and (not about.applications or looked.application in about.applications)
            and (not about.actor_types or looked.actor_type in about.actor_types)
            and (not about.roles or looked.role in self.roles)
            and (not about.units or not self.units.isdisjoint(units))
        )


def _numbered(rule: Rule, book: ContextBook) -> _Numbered:
    about = rule.about
    return _Numbered(
        rule,
        _numbers(about.actors, book.actor_codes),
        _numbers(about.roles, book.role_codes),
        _numbers(about.units, book.unit_codes),
        _numbers(about.patients, book.patient_codes),
    )


def _numbers(names: Iterable[str], codes: Codes) -> frozenset[int]:
    return frozenset(codes.find(name) for name in names) - {NOBODY}


@dataclass(frozen=True, slots=True)
class InForce:
    """The rules that may hold for some events, ready to be asked of each."""

    rules: list[_Numbered]
    book: ContextBook

    def held(self, looked: Looked) -> tuple[str, ...]:
        """Return the names of the rules that are about an event, in order."""
        if not self.rules:
            return ()
        units = self._units(looked) if any(one.units for one in self.rules) else frozenset()
        return tuple(one.rule.name for one in self.rules if one.holds(looked, units))

    def asked(self, actors: NDArray[np.int64], patients: NDArray[np.int64]) -> list[int]:
        """Return which events, by index, are by or on those of whom each access to a patient may have to be told."""
        every = [one for one in self.rules if one.rule.every_access]
        if not every:
            return []
        people = sorted({actor for one in every for actor in one.actors})
        records = sorted({patient for one in every for patient in one.patients})
        wanted = np.isin(actors, people) | np.isin(patients, records)
        return [int(at) for at in (wanted & (patients != NOBODY)).nonzero()[0]]

    def _units(self, looked: Looked) -> frozenset[int]:
        """Return the units that somebody works in at that time, as told and by their positions, and those above."""
        positions, parents = self.book.positions, self.book.units.parent
        rows, head = positions.rows, int(self.book.actors.position_head[looked.actor])
        at = looked.occurred_at
        waiting = [looked.unit, *(int(rows.unit[k]) for k in positions.entries(head) if rows.start[k] <= at <= rows.end[k])]
        found = {NOBODY}
        while waiting:
            if (unit := waiting.pop()) not in found:
                found.add(unit)
                waiting.append(int(parents[unit]))
        return frozenset(found - {NOBODY})


def watched_access(names: Sequence[str]) -> Finding:
    """Return the finding on an access that watch-lists want told: it says nothing of chance, and weighs nothing by itself."""
    told = ", ".join(names)
    words = Words(
        None, Usual(), f"accès suivi par liste de surveillance : {told}", f"an access that a watch-list follows: {told}"
    )
    return Finding(WATCH_LIST, WATCH_LIST, Scope.PATIENT, 0.0, 1.0, words)
