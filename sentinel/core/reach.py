"""What events can show at all: which detectors stay silent for what a source does not tell, and what would wake them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from sentinel.core.batch import ACTIONS, ACTOR_TYPES, DESTINATIONS
from sentinel.core.detector import Column, Detector, Facts
from sentinel.core.event import Action, ActorType, Destination, EventRow
from sentinel.core.explain import EXPLANATIONS, ExplanationCode
from sentinel.core.facts.declare import INDEX, OPENING
from sentinel.core.work import EMERGENCY

IMAGINED: Final = 65_536  # events that are tried


@dataclass(frozen=True, slots=True)
class Told:
    """What some events tell: fields with any value, and which of our own values occur.

    `opens`: any event opens a patient's record. `emergency`: any is break-glass, by action or purpose.
    """

    fields: frozenset[str]
    actions: frozenset[str]
    actor_types: frozenset[str]
    destinations: frozenset[str]
    opens: bool
    emergency: bool


def told_by(rows: Iterable[EventRow]) -> Told:
    """Return what events tell."""
    fields: set[str] = set()
    kinds: set[tuple[str, str, str, bool, bool]] = set()
    for row in rows:
        fields.update(name for name, value in zip(EventRow._fields, row, strict=True) if value != "")
        kinds.add((row.action, row.actor_type, row.destination, bool(row.patient_id), row.purpose in EMERGENCY))
    return Told(
        fields=frozenset(fields),
        actions=frozenset(one[0] for one in kinds),
        actor_types=frozenset(one[1] for one in kinds),
        destinations=frozenset(one[2] for one in kinds),
        opens=any(patient and action in OPENING for action, _, _, patient, _ in kinds),
        emergency=any(action == Action.BREAK_GLASS or urgent for action, _, _, _, urgent in kinds),
    )


EVERYTHING: Final = Told(
    fields=frozenset(EventRow._fields) - {"marks"},
    actions=frozenset(ACTIONS),
    actor_types=frozenset(ACTOR_TYPES),
    destinations=frozenset(DESTINATIONS),
    opens=True,
    emergency=True,
)

_NAN: Final = float("nan")
_EXPORTS: Final = frozenset({Action.EXPORT, Action.PRINT, Action.SHARE})
_WRITES: Final = frozenset({Action.CREATE, Action.UPDATE, Action.DELETE})
_OUTWARD: Final = frozenset({Destination.LINK, Destination.REMOVABLE})
_OF_PATIENTS: Final = (
    *("explained", "unexplained_share", "own_record", "coworker", "same_household", "same_street", "same_name"),
    *("vip", "restricted", "deceased_days", "care_gap_days", "burst_actors", "contact_days", "act_days"),
    *("strangers_drift", "once_here", "returns", "hierarchy", "age_years", "after_search"),
)


def _uncounted(*metrics: str) -> dict[str, float]:
    """Return the facts of what never happens: counted as none, exceeded by nobody."""
    return {f"{name}_24h": 0.0 for name in metrics} | {f"{name}_exceed": _NAN for name in metrics}


_DEAD: Final[tuple[tuple[Callable[[Told], bool], dict[str, float]], ...]] = (
    (
        lambda told: not told.opens,
        dict.fromkeys(_OF_PATIENTS, _NAN)
        | _uncounted("patients", "unexplained", "opens")
        | dict.fromkeys(("sequential_run", "rhythm_run"), 0.0),
    ),
    (lambda told: "device" not in told.fields, {"device_new": _NAN} | _uncounted("switches")),
    (lambda told: "application" not in told.fields, {"application_new": _NAN, "looked_up": 0.0}),
    (lambda told: "site" not in told.fields, {"other_site_minutes": _NAN, "site_crossings": _NAN}),
    (lambda told: "resource_sensitivity" not in told.fields, {"sensitive": 0.0}),
    (lambda told: Action.SEARCH not in told.actions, _uncounted("searches") | {"after_search": 0.0}),
    (lambda told: Action.DELETE not in told.actions, _uncounted("deleted")),
    (lambda told: not _EXPORTS & told.actions, _uncounted("exported", "disclosed")),
    (lambda told: not _OUTWARD & told.destinations, _uncounted("disclosed")),
    (lambda told: not told.emergency, _uncounted("emergencies")),
    (lambda told: Action.LOGIN not in told.actions, {"failures_before": _NAN}),
    (lambda told: Action.LOGIN_FAILED not in told.actions, {"failures_before": 0.0}),
    (lambda told: Action.PERMISSION_CHANGE not in told.actions, {"privilege_hours": _NAN}),
    (lambda told: not _WRITES & told.actions, {"act_days": _NAN}),
)
"""Of events that lack something, what facts made of it stay at (the stages of the pass, beside `facts/kernel.py`)."""

_VALUES: Final = np.array(
    (_NAN, 0, 0, 0.005, 0.5, 1, 1, 2, 3, 4, 5, 6, 8, 12, 16, 20, 25, 31, 60, 200, 1_000), np.float32
)  # what is imagined of a fact


def _spread(column: int, choices: int) -> Column:
    """Return numbers below `choices`, one an imagined event, evenly and without regard to other columns (splitmix64)."""
    mixed = (np.arange(IMAGINED, dtype=np.uint64) + np.uint64(column << 32)) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    spread: Column = ((mixed ^ (mixed >> np.uint64(31))) % np.uint64(choices)).astype(np.int64)
    return spread


_OF_EVENTS: Final = len(INDEX)  # columns beyond those of facts


class _Imagined(Facts):
    """Facts of imagined events of which only what is told can be seen: columns are made when a predicate asks for them.

    There are no rates: a predicate says that a pattern is there, not how rarely chance gives it.
    """

    __slots__ = ("_dead",)

    def __init__(self, told: Told) -> None:
        no = np.zeros(IMAGINED, np.bool_)
        dead: dict[str, float] = {}
        for lacks, facts in _DEAD:
            dead |= facts if lacks(told) else {}
        columns = {
            "action": _among(ACTIONS, told.actions, _OF_EVENTS),
            "actor_type": _among(ACTOR_TYPES, told.actor_types, _OF_EVENTS + 1),
            "destination": _among(DESTINATIONS, told.destinations, _OF_EVENTS + 2),
            "emergency": _spread(_OF_EVENTS + 3, 2) == 0 if told.emergency else no,
            "has_reason": _spread(_OF_EVENTS + 4, 2) == 0,
            "has_ticket": _spread(_OF_EVENTS + 4, 2) == 0,
            "has_patient": _spread(_OF_EVENTS + 5, 4) > 0 if told.opens else no,
            "_dead": dead,
        }
        for name, column in columns.items():
            object.__setattr__(self, name, column)

    def __getitem__(self, name: str) -> Column:
        if name in self._dead:  # type: ignore[attr-defined]
            return np.full(IMAGINED, self._dead[name], np.float32)  # type: ignore[attr-defined]
        imagined: Column = _VALUES[_spread(INDEX[name], len(_VALUES))]
        return imagined


def _among(values: Sequence[str], told: frozenset[str], column: int) -> Column:
    codes = np.array([code for code, value in enumerate(values) if value in told] or [0], np.int8)
    chosen: Column = codes[_spread(column, len(codes))]
    return chosen


def can_find(detector: Detector, told: Told) -> bool:
    """Tell whether events that tell no more can make a detector find something, with all context there is."""
    with np.errstate(all="ignore"):
        return bool(detector.match(_Imagined(told)).any())


@dataclass(frozen=True, slots=True)
class Wish:
    """Something that a source could tell beside what it does."""

    words: str
    add: Callable[[Told], Told]


def _field(name: str) -> Wish:
    return Wish(f"field {name}", lambda told: replace(told, fields=told.fields | {name}))


def _action(action: Action) -> Wish:
    is_emergency = action is Action.BREAK_GLASS
    return Wish(
        f"action {action}",
        lambda told: replace(told, actions=told.actions | {action}, emergency=told.emergency or is_emergency),
    )


WISHES: Final = (
    _action(Action.PRINT),
    _action(Action.SHARE),
    _action(Action.UPDATE),
    _action(Action.CREATE),
    *(_field(name) for name in ("application", "device", "site", "resource_sensitivity")),
    Wish("destination removable", lambda told: replace(told, destinations=told.destinations | {Destination.REMOVABLE})),
    Wish("destination link", lambda told: replace(told, destinations=told.destinations | {Destination.LINK})),
    Wish("actor_type service", lambda told: replace(told, actor_types=told.actor_types | {ActorType.SERVICE})),
    Wish("actor_type human", lambda told: replace(told, actor_types=told.actor_types | {ActorType.HUMAN})),
    *(
        _action(one)
        for one in (
            Action.SEARCH,
            Action.LOGIN,
            Action.LOGIN_FAILED,
            Action.PERMISSION_CHANGE,
            Action.BREAK_GLASS,
            Action.DELETE,
            Action.EXPORT,
        )
    ),
    Wish("field patient_id", lambda told: replace(told, fields=told.fields | {"patient_id"}, opens=True)),
)
"""What can be wished for; of several that do, the last stays (`missing_for`)."""


def missing_for(detector: Detector, told: Told) -> list[str]:
    """Return what is missing for a detector to find anything, in words: as little as does; empty when nothing is."""
    if can_find(detector, told):
        return []
    wanted = list(WISHES)
    for wish in WISHES:
        without = [one for one in wanted if one is not wish]
        if can_find(detector, _granted(told, without)):
            wanted = without
    return [wish.words for wish in wanted]


def _granted(told: Told, wishes: Iterable[Wish]) -> Told:
    for wish in wishes:
        told = wish.add(told)
    return told


_REASON_CONTEXT: Final = {
    ExplanationCode.STAY_IN_UNIT: ("Encounter", "PractitionerRole"),
    ExplanationCode.PLANNED_IN_UNIT: ("Appointment", "PractitionerRole"),
    ExplanationCode.APPOINTMENT: ("Appointment",),
    ExplanationCode.ENCOUNTER: ("Encounter",),
    ExplanationCode.CARE_TEAM: ("CareTeam",),
    ExplanationCode.GENERAL_PRACTITIONER: ("Patient",),
    ExplanationCode.ORDER: ("ServiceRequest",),
    ExplanationCode.RESULT: ("ServiceRequest",),
    ExplanationCode.OWN_ACT: ("Encounter",),
    ExplanationCode.TRANSVERSAL_ROLE: ("Encounter", "PractitionerRole"),
    ExplanationCode.CODING_BILLING: ("Encounter", "PractitionerRole"),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """An ordinary reason: what events lack for it, and the context without which it never holds."""

    name: str
    missing: tuple[str, ...]
    context: tuple[str, ...]


def reasons(told: Told) -> list[Reason]:
    """Return every declared reason with what events that tell no more lack for it."""
    return [Reason(one.name, tuple(_missing(one.code, told)), _REASON_CONTEXT.get(one.code, ())) for one in EXPLANATIONS]


def _missing(code: ExplanationCode, told: Told) -> list[str]:
    missing = [] if told.opens else ["field patient_id"]
    if code is ExplanationCode.PATIENT_REQUEST and ActorType.PATIENT not in told.actor_types:
        missing.append("actor_type patient")
    if code is ExplanationCode.INTERFACE and ActorType.SERVICE not in told.actor_types:
        missing.append("actor_type service")
    if code is ExplanationCode.OWN_ACT and not _WRITES & told.actions:
        missing.append("action create or update")
    return missing
