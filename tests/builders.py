"""Named builders: events, context, small hospitals out of a seed, and what a pipeline makes of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sentinel.assembly import detectors
from sentinel.core import ids
from sentinel.core.alert import Alert, Usual
from sentinel.core.batch import EventBatch, Provenance, batch_of
from sentinel.core.context import (
    EVER,
    FOREVER,
    CareLink,
    ContextRecord,
    Identity,
    LinkKind,
    PatientFlag,
    PatientRecord,
    Position,
    StaffMember,
    Stay,
    Unit,
)
from sentinel.core.detector import Card, Detector, Facts, Scope, Words
from sentinel.core.event import Action, ActorType, Destination, EventRow, Outcome
from sentinel.core.facts.declare import FACTS, INDEX
from sentinel.core.pipeline import Pipeline, Processed

MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
WEEK_US: Final = 7 * DAY_US
MONDAY_US: Final = 1_767_571_200_000_000  # 2026-01-05T00:00:00Z
TENANT: Final = "ch-test"
SOURCE: Final = "builders"


def on(day: float, hour: float = 9, minute: float = 0, second: float = 0) -> int:
    """Return a time in µs: `day` 0 is a Monday, in UTC."""
    return MONDAY_US + round(day * DAY_US + hour * HOUR_US + minute * MINUTE_US + second * 1_000_000)


def an_event(action: Action = Action.READ, when: int = MONDAY_US + 9 * HOUR_US, **told: Any) -> EventRow:
    """Return an event of `nurse` on no patient, unless told otherwise; its id hangs on what it says."""
    row: dict[str, Any] = dict.fromkeys(EventRow._fields, "") | {
        "occurred_at": when,
        "action": str(action),
        "outcome": str(Outcome.SUCCESS),
        "actor_id": "nurse",
        "actor_type": str(ActorType.HUMAN),
        "resource_count": 1,
        "destination": str(Destination.NONE),
    }
    row |= {name: str(value) if isinstance(value, str) else value for name, value in told.items()}
    row["id"] = row["id"] or ids.derive("test-event", *map(str, row.values()))
    return EventRow(**row)


def an_opening(patient: str, when: int, actor: str = "nurse", action: Action = Action.READ, **told: Any) -> EventRow:
    """Return an event on a patient's record."""
    return an_event(action, when, patient_id=patient, actor_id=actor, **told)


def a_batch(rows: Sequence[EventRow], tenant: str = TENANT, delays: Mapping[str, int] | None = None) -> EventBatch:
    """Return rows as a micro-batch; `delays` (µs): by event id, from its time to its receipt, which else nobody knows."""
    told = delays or {}
    received = np.array([row.occurred_at + told[row.id] if row.id in told else 0 for row in rows], np.int64)
    return batch_of(tenant, rows, Provenance(SOURCE, received))


def a_person(
    actor: str, unit: str = "", role: str = "infirmier", identity: Identity | None = None, **told: Any
) -> list[ContextRecord]:
    """Return a person at work; with a unit, in a position that began long ago unless `start` and `end` say otherwise."""
    period = {name: told.pop(name) for name in ("start", "end") if name in told}
    people: list[ContextRecord] = [StaffMember(actor, actor, identity or Identity(), **told)]
    return [*people, Position(f"PractitionerRole/{actor}", actor, unit, role, **period)] if unit else people


def a_patient(patient: str, identity: Identity | None = None, **told: Any) -> PatientRecord:
    """Return a patient of whom nothing is known but what is told."""
    return PatientRecord(patient, identity or Identity(), **told)


def a_stay(patient: str, unit: str, start: int = MONDAY_US, end: int = FOREVER, **told: Any) -> Stay:
    """Return a stay in a unit."""
    return Stay(told.pop("id", f"Encounter/{patient}-{unit}"), patient, unit, start, end, **told)


def a_link(patient: str, actor: str, kind: LinkKind, start: int = MONDAY_US, end: int = FOREVER) -> CareLink:
    """Return a link by name between a patient and a person at work."""
    return CareLink(f"Link/{patient}-{actor}", patient, actor, kind, start, end)


def a_pipeline(names: Sequence[str] | None = None, *, extra: Sequence[Detector] = (), **told: Any) -> Pipeline:
    """Return a pipeline in UTC with the detectors called `names` (None: all) and `extra`, that raises everything."""
    told = {"tenant": TENANT, "timezone": "UTC"} | told
    return Pipeline(detectors=[*detectors(names), *extra], **told)


def a_probe(seen: list[NDArray[np.float32]]) -> Detector:
    """Return a detector that finds nothing and copies the facts it is shown."""

    def match(facts: Facts) -> NDArray[np.bool_]:
        seen.append(facts.values.copy())
        return np.zeros(facts.values.shape[1], np.bool_)

    return a_detector(match, name="probe")


def a_detector(
    match: Callable[[Facts], NDArray[np.bool_]], name: str = "test_detector", p_value: float = 1e-4, **told: Any
) -> Detector:
    """Return a detector on the person that gives every hit the same p-value."""
    told = {"scope": Scope.ACTOR, "card": Card("what", "why", "false positives"), "measured": False} | told
    return Detector(
        name=name,
        title_fr="essai",
        title_en="test",
        match=match,
        p_value=lambda facts: np.full(facts.values.shape[1], p_value),
        say=lambda _facts, _i: Words(1, Usual(), "vu", "seen"),
        **told,
    )


@dataclass(slots=True)
class Seen:
    """What a pipeline concluded of a stream: facts by event, assessments by event key, each alert's last version."""

    facts: list[NDArray[np.float32]] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    explained_by: list[str] = field(default_factory=list)
    p_values: list[float] = field(default_factory=list)
    found: dict[bytes, tuple[str, ...]] = field(default_factory=dict)
    weighed: dict[bytes, dict[str, float | str]] = field(default_factory=dict)
    told: list[Alert] = field(default_factory=list)

    def add(self, done: Processed) -> None:
        """Take in what became of a micro-batch."""
        self.keys += done.kept.key
        self.explained_by += done.assessment.explained_by
        self.p_values += done.assessment.p_value.tolist()
        self.found |= {done.kept.key[i]: names for i, names in done.assessment.detectors.items()}
        self.weighed |= {done.kept.key[i]: weighed for i, weighed in done.assessment.weighed.items()}
        self.told += done.alerts

    @property
    def alerts(self) -> dict[str, Alert]:
        """Each alert as it stands at the end."""
        return {alert.id: alert for alert in self.told}

    def fact(self, name: str) -> list[float]:
        """Return one fact of each event, in order."""
        return [float(value) for part in self.facts for value in part[INDEX[name]]]

    def matrix(self) -> NDArray[np.float32]:
        """Return all facts, (facts, events)."""
        return np.concatenate(self.facts, axis=1) if self.facts else np.empty((len(FACTS), 0), np.float32)

    def detectors(self) -> set[str]:
        """Return the names of the detectors that found something."""
        return {name for names in self.found.values() for name in names} | {
            name for alert in self.told for name in alert.detectors
        }


def cut(rows: Sequence[EventRow], cuts: Iterable[int]) -> Iterator[Sequence[EventRow]]:
    """Yield the rows in pieces that end before the indices `cuts`; a piece may be empty."""
    edges = [0, *sorted(index % (len(rows) + 1) for index in cuts), len(rows)]
    for start, stop in pairwise(edges):
        yield rows[start:stop]


def seen_by(
    context: Iterable[ContextRecord],
    rows: Sequence[EventRow],
    cuts: Iterable[int] = (),
    *,
    between: Callable[[Pipeline], Pipeline] = lambda pipeline: pipeline,
    names: Sequence[str] | None = None,
    **told: Any,
) -> Seen:
    """Return what a fresh pipeline concludes; at each cut it is replaced by what `between` makes of it."""
    seen = Seen()
    pipeline = a_pipeline(names, extra=[a_probe(seen.facts)], **told)
    pipeline.know(context)
    for piece in cut(rows, cuts):
        seen.add(pipeline.process(a_batch(piece, pipeline.tenant)))
        pipeline = between(pipeline)
    return seen


def the_same(one: Seen, other: Seen) -> None:
    """Assert that two pipelines concluded the same, to the last bit."""
    np.testing.assert_array_equal(one.matrix(), other.matrix())
    np.testing.assert_array_equal(one.p_values, other.p_values)
    assert (one.keys, one.explained_by, one.found, one.weighed) == (other.keys, other.explained_by, other.found, other.weighed)
    assert [alert.to_json() for alert in by_id(one)] == [alert.to_json() for alert in by_id(other)]


def by_id(seen: Seen) -> list[Alert]:
    """Return each alert as it stands at the end, by id."""
    return [alert for _, alert in sorted(seen.alerts.items())]


@dataclass(frozen=True, slots=True)
class Hospital:
    """A small hospital: what it knows of its people, and what they did, in order of arrival."""

    context: tuple[ContextRecord, ...]
    events: tuple[EventRow, ...]


UNITS: Final = ("medecine", "chirurgie", "psychiatrie", "maternite")
ROLES: Final = ("infirmier", "medecin", "pharmacien", "codeur dim")
FAMILIES: Final = ("martin", "bernard", "petit", "robert", "le goff", "da silva")
ACTIONS_AT_WORK: Final = {
    Action.READ: 60,
    Action.UPDATE: 12,
    Action.CREATE: 6,
    Action.SEARCH: 10,
    Action.EXPORT: 3,
    Action.PRINT: 3,
    Action.DELETE: 2,
    Action.BREAK_GLASS: 1,
    Action.SHARE: 1,
    Action.EXECUTE: 1,
}


def a_hospital(seed: int, people: int = 12, patients: int = 50, days: int = 8, busy: int = 8) -> Hospital:
    """Return a hospital in which people do about `busy` things a day, some curious, some late on the wire."""
    chance = random.Random(seed)
    context = [*_units(), *_people(chance, people), *_patients(chance, patients, people, days)]
    events = [
        *_work(chance, context, people, patients, days, busy),
        *_misuse(chance, people, patients, days),
        *_machines(chance, patients, days),
    ]
    arrival = {event.id: event.occurred_at + _delay(chance) for event in events}
    return Hospital(tuple(context), tuple(sorted(events, key=lambda event: (arrival[event.id], event.id))))


def renamed(hospital: Hospital, prefix: str) -> Hospital:
    """Return the same hospital whose people and patients have other names."""
    names = ("actor_id", "patient_id")
    return Hospital(
        tuple(replace(record, **_prefixed(record, names, prefix)) for record in hospital.context),
        tuple(event._replace(**_prefixed(event, names, prefix)) for event in hospital.events),
    )


def shifted(hospital: Hospital, by_us: int) -> Hospital:
    """Return the same hospital `by_us` later."""
    times = ("start", "end", "deceased_at")
    context = [
        replace(record, **{n: t + by_us for n in times if EVER < (t := getattr(record, n, EVER)) < FOREVER})
        for record in hospital.context
    ]
    return Hospital(tuple(context), tuple(event._replace(occurred_at=event.occurred_at + by_us) for event in hospital.events))


def _prefixed(record: Any, names: Sequence[str], prefix: str) -> dict[str, Any]:
    told: dict[str, Any] = {name: f"{prefix}{value}" for name in names if (value := getattr(record, name, ""))}
    aliases = getattr(record, "aliases", ())
    return told | {"aliases": tuple(f"{prefix}{alias}" for alias in aliases)} if aliases else told


def _delay(chance: random.Random) -> int:
    """Return how late an event arrives: mostly not at all, now and then by more than a day."""
    return chance.choices((0, chance.randrange(90_000_000), chance.randrange(30 * HOUR_US)), (85, 12, 3))[0]


def _identity(chance: random.Random, number: int) -> Identity:
    street = f"rue {number % 7}"
    return Identity(chance.choice(FAMILIES), f"prenom {number}", f"19{number % 90 + 10}-01-01", f"{number % 11} {street}", street)


def _units() -> list[ContextRecord]:
    return [Unit("pole", "Pôle"), *(Unit(unit, unit, "pole") for unit in UNITS)]


def _people(chance: random.Random, people: int) -> Iterator[ContextRecord]:
    for i in range(people):
        yield from a_person(
            f"actor-{i}",
            UNITS[i % len(UNITS)],
            ROLES[i % 7 % len(ROLES)],
            _identity(chance, i),
            aliases=(f"login-{i}",),
            end=on(chance.randrange(2, 40)) if chance.random() < 0.2 else FOREVER,
        )
    yield StaffMember("interface", "interface", Identity(), is_service=True)


def _patients(chance: random.Random, patients: int, people: int, days: int) -> Iterator[ContextRecord]:
    for i in range(patients):
        flags = frozenset(flag for flag in (PatientFlag.VIP, PatientFlag.RESTRICTED) if chance.random() < 0.06)
        died = on(-chance.randrange(1, 60)) if chance.random() < 0.06 else FOREVER
        same_as = i if chance.random() < 0.1 and i < people else 1_000 + i
        yield a_patient(f"patient-{i}", _identity(chance, same_as), flags=flags, deceased_at=died)
        start = chance.choice((chance.randrange(-400, 0), *[chance.randrange(-5, days)] * 5))
        if chance.random() < 0.9:
            yield a_stay(f"patient-{i}", chance.choice(UNITS), on(start), on(start + chance.randrange(1, 8)))
        if chance.random() < 0.4:
            actor, kind = f"actor-{chance.randrange(people)}", chance.choice(tuple(LinkKind))
            yield a_link(f"patient-{i}", actor, kind, on(start), on(start + 1))


def _work(
    chance: random.Random, context: Sequence[ContextRecord], people: int, patients: int, days: int, busy: int
) -> Iterator[EventRow]:
    """Yield days of work: on patients who stay in one's own unit, and now and then on anybody."""
    for day in range(days):
        for i in range(people):
            stays = [record for record in context if isinstance(record, Stay) and record.unit == UNITS[i % len(UNITS)]]
            mine = [stay.patient_id for stay in stays if stay.start <= on(day) <= stay.end]
            for _ in range(chance.randrange(busy // 2, busy * 2)):
                patient = chance.choice(mine) if mine and chance.random() < 0.96 else f"patient-{chance.randrange(patients)}"
                yield _an_act(chance, f"actor-{i}", patient, on(day, chance.uniform(7, 19)))


def _an_act(chance: random.Random, actor: str, patient: str, when: int) -> EventRow:
    (action,) = chance.choices(tuple(ACTIONS_AT_WORK), tuple(ACTIONS_AT_WORK.values()))
    number = actor.rpartition("-")[2]
    return an_opening(
        patient,
        when,
        actor if chance.random() < 0.9 else f"login-{number}",
        action,
        device=f"pc-{number}-{chance.randrange(2)}" if chance.random() < 0.95 else f"pc-{chance.randrange(40)}",
        application=chance.choice(("dpi", "dpi", "labo")),
        site="sud" if chance.random() < 0.01 else "nord",
        resource_sensitivity=chance.choice(("", "", "", "", "PSY")),
        resource_count=chance.choice((1, 1, 1, 40)),
        destination=chance.choices(("", "removable", "link"), (40, 4, 1))[0],
        reason=chance.choice(("", "urgence")),
    )


def _misuse(chance: random.Random, people: int, patients: int, days: int) -> Iterator[EventRow]:
    """Yield a burst, a guessed password, rights used, and a crowd on one record."""
    day = days - 1
    who = f"actor-{chance.randrange(people)}"
    for k in range(2 * patients):
        action = (Action.SEARCH, Action.DELETE, Action.EXPORT, Action.BREAK_GLASS)[k * 4 // (2 * patients)]
        yield an_opening(f"patient-{k % patients}", on(day, 12, k / 4), who, action, resource_count=9, device=f"pc-{k % 2}")
    for k in range(8):
        yield an_event(Action.LOGIN_FAILED, on(day, 3, k), actor_id=f"login-{chance.randrange(people)}", device="pc-0")
    for i in range(people):
        yield an_event(Action.LOGIN, on(day, 3, 10 + i), actor_id=f"actor-{i}", device=f"pc-{i}-0")
        yield an_opening("patient-0", on(day, 10 + i / 4, i), f"actor-{i}")
    yield an_event(Action.PERMISSION_CHANGE, on(day, 8), actor_id=who)


def _machines(chance: random.Random, patients: int, days: int) -> Iterator[EventRow]:
    """Yield what an interface and patients do."""
    for day in range(days):
        for hour in range(0, 24, 3):
            patient = f"patient-{chance.randrange(patients)}"
            yield an_opening(patient, on(day, hour, 7), "interface", actor_type=ActorType.SERVICE, device="server")
        yield an_opening(f"patient-{day}", on(day, 20, 1), f"portal-{day}", actor_type=ActorType.PATIENT)
