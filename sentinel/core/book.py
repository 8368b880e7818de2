"""The context as the compiled pass reads it: records by name go in, arrays by code come out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from datetime import date
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sentinel.core.arrays import copied, grow, grown
from sentinel.core.codes import NOBODY, Codes
from sentinel.core.context import (
    EVER,
    FOREVER,
    ActorAlias,
    CareLink,
    ContextRecord,
    Identity,
    PatientAlias,
    PatientRecord,
    Position,
    StaffMember,
    Stay,
    Unit,
    Verdict,
    Withdrawn,
)
from sentinel.core.event import DAY_US, EPOCH
from sentinel.core.explain import LINK_EXPLAINS, ExplanationCode, RoleClass, leads, role_class
from sentinel.core.facts import state as tables
from sentinel.core.facts.state import (
    ACTOR_FILLS,
    FLAG_BITS,
    PATIENT_FILLS,
    ActorTable,
    LinkPool,
    PatientTable,
    PositionPool,
    StayPool,
    UnitTable,
)
from sentinel.core.feedback import Feedback

WHOLE_HOUSE_SHARE: Final = 0.4  # of the people at work: a unit that wide says nothing of who cares for whom
WHOLE_HOUSE_PEOPLE: Final = 20
SETTLED_EVERY: Final = 10_000  # records: what may wait to be written into the arrays
_NUMBER: Final = re.compile(r"(\d{1,15})\D*$")
_EXPLAINS: Final = {kind: int(code) for kind, code in LINK_EXPLAINS.items()}


@dataclass(slots=True)
class Pool:
    """A linked list per owner inside arrays; entries are replaced by the id of what they came from.

    New entries wait until `settle` writes them all at once: an array takes a thousand values in the time of a few.
    """

    rows: Any
    used: int = 0
    by_id: dict[str, list[int]] = field(default_factory=dict)
    owner: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    free: list[int] = field(default_factory=list)  # rows that were withdrawn
    waiting: dict[int, tuple[int, ...]] = field(default_factory=dict, init=False)  # by row: the owner, then the columns

    def copy(self) -> Pool:
        """Return another of the same entries; none may wait."""
        by_id = {id_: rows.copy() for id_, rows in self.by_id.items()}
        return Pool(copied(self.rows), self.used, by_id, self.owner.copy(), self.free.copy())

    def insert(self, id_: str, entry: tuple[int, ...]) -> None:
        """Take an entry, its owner first; it stands in front of the owner's list once it is settled."""
        if self.free:
            row = self.free.pop()
        else:
            row = self.used
            self.used = row + 1
        self.waiting[row] = entry
        if id_ in self.by_id:
            self.by_id[id_].append(row)
        elif id_:
            self.by_id[id_] = [row]

    def settle(self, head: NDArray[np.int64]) -> NDArray[np.int64]:
        """Put the entries that wait in front of their owners' lists, in the order they came; return their rows, at least one."""
        count = len(self.waiting)
        self.rows = grow(self.rows, self.used, {"next": -1})
        self.owner = grown(self.owner, self.used, 0)
        rows = np.fromiter(self.waiting, np.int64, count)
        told = np.fromiter(chain.from_iterable(self.waiting.values()), np.int64, count * len(self.rows))
        owners, *columns = told.reshape(count, len(self.rows)).T
        self.owner[rows] = owners
        for column, values in zip(self.rows, columns, strict=False):  # all but `next`
            column[rows] = values
        self._link(rows, owners, head)
        self.waiting.clear()
        return rows

    def _link(self, rows: NDArray[np.int64], owners: NDArray[np.int64], head: NDArray[np.int64]) -> None:
        """Let each row lead to the one before it of its owner, the first to what the list began with."""
        order = np.argsort(owners, kind="stable")
        rows, owners = rows[order], owners[order]
        changes = np.append(owners[1:] != owners[:-1], True)  # the last row of each owner
        firsts = np.roll(changes, 1)
        self.rows.next[rows] = np.where(firsts, head[owners], np.roll(rows, 1))
        head[owners[changes]] = rows[changes]

    def hand_over(self, head: NDArray[np.int64], old: int, new: int) -> None:
        """Put the entries of `old` in front of those of `new`."""
        last = row = int(head[old])
        while row >= 0:
            self.owner[row], last, row = new, row, int(self.rows.next[row])
        if last >= 0:
            self.rows.next[last], head[new], head[old] = head[new], head[old], -1

    def withdraw(self, id_: str, head: NDArray[np.int64]) -> set[int]:
        """Take out the entries that came from `id_`; return whose they were."""
        rows = self.by_id.pop(id_, None)
        if rows is None:
            return set()
        self.free += rows
        return {self._take_out(row, head) for row in rows}

    def entries(self, row: int) -> Iterator[int]:
        """Yield the rows of a list from `row`, its head, on."""
        while row >= 0:
            yield row
            row = int(self.rows.next[row])

    def _take_out(self, row: int, head: NDArray[np.int64]) -> int:
        """Take an entry out of its owner's list, or of those that wait; return the owner."""
        if row in self.waiting:
            return self.waiting.pop(row)[0]
        owner = int(self.owner[row])
        after = int(self.rows.next[row])
        if head[owner] == row:
            head[owner] = after
        else:
            before = next(r for r in self.entries(int(head[owner])) if self.rows.next[r] == row)
            self.rows.next[before] = after
        return owner


class Person(NamedTuple):
    """Who a civil identity belongs to: a person at work, and the records of them as a patient."""

    actor: int
    patients: tuple[int, ...]


@dataclass(slots=True)
class ContextBook:
    """Who works where and who is in whose care."""

    actor_codes: Codes = field(default_factory=Codes)
    patient_codes: Codes = field(default_factory=Codes)
    unit_codes: Codes = field(default_factory=Codes)
    role_codes: Codes = field(default_factory=Codes)
    other_codes: Codes = field(default_factory=Codes)  # devices, applications, sites
    trait_codes: Codes = field(default_factory=Codes)  # family names, addresses, streets
    actors: ActorTable = field(default_factory=tables.actors)
    patients: PatientTable = field(default_factory=tables.patients)
    units: UnitTable = field(default_factory=tables.units)
    stays: Pool = field(default_factory=lambda: Pool(tables.pool(StayPool)))
    links: Pool = field(default_factory=lambda: Pool(tables.pool(LinkPool)))
    positions: Pool = field(default_factory=lambda: Pool(tables.pool(PositionPool)))
    people: dict[str, Person] = field(default_factory=dict)
    actor_identity: dict[int, str] = field(default_factory=dict)  # the key in `people` that each stands under
    patient_identity: dict[int, str] = field(default_factory=dict)
    declared_actors: set[int] = field(default_factory=set)
    declared_patients: set[int] = field(default_factory=set)
    declared_units: set[int] = field(default_factory=set)
    family_count: NDArray[np.float64] = field(default_factory=lambda: np.zeros(256))
    feedback: Feedback = field(default_factory=Feedback)
    stale: bool = True
    numbered: int = 1
    _shares: NDArray[np.float64] | None = field(default=None, init=False, repr=False)  # of family names, since the last records

    def apply(self, records: Iterable[ContextRecord]) -> None:
        """Take records in, in order."""
        take: dict[type, Callable[[Any], None]] = {
            StaffMember: self._staff_member,
            ActorAlias: self._actor_alias,
            PatientAlias: self._patient_alias,
            Position: self._position,
            PatientRecord: self._patient,
            Stay: self._stay,
            CareLink: self._care_link,
            Unit: self._unit,
            Withdrawn: self._withdraw,
            Verdict: self._verdict,
        }
        try:
            for count, record in enumerate(records, 1):
                take[type(record)](record)
                if count % SETTLED_EVERY == 0:
                    self._settle()
        finally:
            self._settle()
        self.stale, self._shares = True, None

    def copy(self) -> ContextBook:
        """Return another that knows the same, and goes its own way from here."""
        return replace(self, **{column.name: _copied(getattr(self, column.name)) for column in fields(self) if column.init})

    @property
    def knows_care(self) -> bool:
        """Whether any stay, visit or link between a patient and a person is on file."""
        return bool(self.stays.used or self.links.used)

    def known(self) -> frozenset[str]:
        """Return what is on file of all that detectors need: FHIR resources, and elements of them that some have."""
        actors, patients = self.actors, self.patients
        ends = actors.employed_until
        told = {
            "Encounter": self.knows_care,
            "Verdict": bool(self.feedback.verdicts),
            "Practitioner": bool(self.declared_actors),
            "Practitioner.address": actors.address.any(),
            "Practitioner.name": actors.family.any(),
            "PractitionerRole": bool(self.positions.used),
            "PractitionerRole.period": ((ends != EVER) & (ends < FOREVER)).any(),
            "Patient": bool(self.declared_patients),
            "Patient.address": patients.address.any(),
            "Patient.name": patients.family.any(),
            "Patient.birthDate": (patients.born_at < FOREVER).any(),
            "PractitionerRole.code": self.positions.rows.leads.any(),
            "Patient.deceasedDateTime": (patients.deceased_at < FOREVER).any(),
            "Patient.meta.security": patients.flags.any(),
        }
        return frozenset(name for name, is_told in told.items() if is_told)

    def explanations(self) -> frozenset[ExplanationCode]:
        """Return the ordinary reasons for which there is anything on file that they could refer to."""
        planned, classes = self.stays.rows.planned[: self.stays.used], self.positions.rows.role_class[: self.positions.used]
        found = {ExplanationCode(code) for code in np.unique(self.links.rows.explanation[: self.links.used]).tolist()}
        for code, is_told in (
            (ExplanationCode.STAY_IN_UNIT, (planned == 0).any()),
            (ExplanationCode.PLANNED_IN_UNIT, (planned == 1).any()),
            (ExplanationCode.OWN_ACT, self.knows_care),
            (ExplanationCode.TRANSVERSAL_ROLE, self.knows_care and (classes == RoleClass.TRANSVERSAL).any()),
            (ExplanationCode.CODING_BILLING, self.knows_care and (classes == RoleClass.CODING).any()),
        ):
            if is_told:
                found.add(code)
        return frozenset(found)

    def family_share(self) -> NDArray[np.float64]:
        """Return the share of known people with each family name, by trait code."""
        if self._shares is None:
            self._shares = self.family_count / max(1, len(self.declared_actors) + len(self.declared_patients))
        return self._shares

    def make_room(self) -> None:
        """Let every code so far have its row."""
        if len(self.actor_codes.names) > len(self.actors.role):
            self.actors = grow(self.actors, len(self.actor_codes), ACTOR_FILLS)
        if len(self.patient_codes.names) > len(self.patients.number):
            self.patients = grow(self.patients, len(self.patient_codes), PATIENT_FILLS)
        if len(self.unit_codes.names) > len(self.units.parent):
            self.units = grow(self.units, len(self.unit_codes), {})

    def _number_patients(self) -> None:
        for code in range(self.numbered, len(self.patient_codes)):
            match = _NUMBER.search(self.patient_codes.name(code))
            self.patients.number[code] = int(match[1]) if match else -1
        self.numbered = len(self.patient_codes)

    def freshen(self) -> None:
        """Recompute what hangs on the whole of the context: units too wide to explain anything."""
        self.make_room()
        self._number_patients()
        if not self.stale:
            return
        self.stale = False
        pool: PositionPool = self.positions.rows
        holders: dict[int, set[int]] = {}
        for actor in self.declared_actors:
            for row in self.positions.entries(int(self.actors.position_head[actor])):
                holders.setdefault(int(pool.unit[row]), set()).add(actor)
        people = sum(1 for actor in self.declared_actors if self.actors.position_head[actor] >= 0)
        self.units.whole_house[:] = 0
        for unit, who in holders.items():
            wide = people >= WHOLE_HOUSE_PEOPLE and len(who) > WHOLE_HOUSE_SHARE * people
            self.units.whole_house[unit] = int(wide or unit == NOBODY)

    def _settle(self) -> None:
        """Write what waits into the arrays, and what it says of employment and care."""
        self.make_room()
        actors, patients = self.actors, self.patients
        if self.positions.waiting:
            held = self.positions.settle(actors.position_head)
            positions, holders = self.positions.rows, self.positions.owner[held]
            np.minimum.at(actors.employed_from, holders, positions.start[held])
            np.maximum.at(actors.employed_until, holders, positions.end[held])
        if self.stays.waiting:
            came = self.stays.settle(patients.stay_head)
            np.maximum.at(patients.care_until, self.stays.owner[came], self.stays.rows.end[came])
        if self.links.waiting:
            tied = self.links.settle(patients.link_head)
            tied = tied[self.links.rows.explanation[tied] != ExplanationCode.GENERAL_PRACTITIONER]
            np.maximum.at(patients.care_until, self.links.owner[tied], self.links.rows.end[tied])

    def _staff_member(self, record: StaffMember) -> None:
        actor = self.actor_codes.own(record.actor_id)
        if actor >= len(self.actors.role):
            self.make_room()
        self.declared_actors.add(actor)
        self._alias(self.actor_codes, self.declared_actors, (*record.aliases, record.rpps), actor)
        self.actors.inactive[actor] = int(not record.active)
        self.actors.is_service[actor] = int(record.is_service)
        self._describe(record.identity, self.actors, actor)
        self._recognise(record.identity, actor=actor, patient=NOBODY)

    def _patient(self, record: PatientRecord) -> None:
        patient = self.patient_codes.own(record.patient_id)
        if patient >= len(self.patients.number):
            self.make_room()
        self.declared_patients.add(patient)
        self._alias(self.patient_codes, self.declared_patients, record.aliases, patient)
        self.patients.flags[patient] = sum([FLAG_BITS[flag] for flag in record.flags])
        self.patients.deceased_at[patient] = record.deceased_at
        self.patients.born_at[patient] = _born_at(record.birth_date)
        self._describe(record.identity, self.patients, patient)
        self._recognise(record.identity, actor=NOBODY, patient=patient)

    def _position(self, record: Position) -> None:
        actor, unit = self.actor_codes.code(record.actor_id), self.unit_codes.code(record.unit)
        role = self.role_codes.code(record.role)
        told = int(role_class(record.role)), int(leads(record.role))
        self.positions.insert(record.id, (actor, unit, role, *told, record.start, record.end))

    def _stay(self, record: Stay) -> None:
        patient, unit = self.patient_codes.numbers[record.patient_id], self.unit_codes.numbers[record.unit]
        self.stays.insert(record.id, (patient, unit, record.start, record.end, record.planned))

    def _care_link(self, record: CareLink) -> None:
        patient, actor = self.patient_codes.numbers[record.patient_id], self.actor_codes.numbers[record.actor_id]
        self.links.insert(record.id, (patient, actor, record.start, record.end, _EXPLAINS[record.kind]))

    def _unit(self, record: Unit) -> None:
        unit, parent = self.unit_codes.code(record.unit), self.unit_codes.code(record.part_of)
        self.make_room()
        self.units.parent[unit] = parent if parent != unit else NOBODY
        self.declared_units.add(unit)
        self._alias(self.unit_codes, self.declared_units, record.aliases, unit)

    def _verdict(self, record: Verdict) -> None:
        for name in sorted(self.feedback.take(record)):
            actor = self.actor_codes.code(name)
            self.make_room()
            self.actors.confirmed_at[actor] = self.feedback.confirmed_at(name)

    def _withdraw(self, record: Withdrawn) -> None:
        id_ = record.id
        if id_.startswith("Patient/"):  # told anew by what follows, or merged into the patient whose alias it becomes
            kind, _, name = id_.rpartition("/")
            if kind == "Patient":
                self.declared_patients.discard(self.patient_codes.find(name))
        if id_ in self.stays.by_id or id_ in self.links.by_id or id_ in self.positions.by_id:
            self.make_room()
            self._take_back(id_)

    def _take_back(self, id_: str) -> None:
        """Take out what came from `id_`; what stands, or waits to be settled, says until when people work and are cared for."""
        self._reckon_employment(self.positions.withdraw(id_, self.actors.position_head))
        patients = self.stays.withdraw(id_, self.patients.stay_head)
        for patient in patients | self.links.withdraw(id_, self.patients.link_head):
            self.patients.care_until[patient] = max(self._ends_of_care(patient), default=EVER)

    def _ends_of_care(self, patient: int) -> Iterator[int]:
        for row in self.stays.entries(int(self.patients.stay_head[patient])):
            yield int(self.stays.rows.end[row])
        for row in self.links.entries(int(self.patients.link_head[patient])):
            if self.links.rows.explanation[row] != ExplanationCode.GENERAL_PRACTITIONER:
                yield int(self.links.rows.end[row])

    def _actor_alias(self, record: ActorAlias) -> None:
        actor = self.actor_codes.code(record.actor_id)
        self._alias(self.actor_codes, self.declared_actors, (record.alias,), actor)

    def _patient_alias(self, record: PatientAlias) -> None:
        patient = self.patient_codes.code(record.patient_id)
        self._alias(self.patient_codes, self.declared_patients, (record.alias,), patient)

    def _reckon_employment(self, actors: set[int]) -> None:
        rows = self.positions.rows
        for actor in actors:
            held = list(self.positions.entries(int(self.actors.position_head[actor])))
            self.actors.employed_from[actor] = min((rows.start[row] for row in held), default=FOREVER)
            self.actors.employed_until[actor] = max((rows.end[row] for row in held), default=EVER)

    def _in_care(self, patient: int, until: int) -> None:
        care = self.patients.care_until
        care[patient] = max(care[patient], until)

    def _alias(self, codes: Codes, declared: set[int], aliases: Iterable[str], code: int) -> None:
        """Let `aliases` mean `code`. What was told under one, as if it were an id that nobody was declared under, goes along."""
        for alias in aliases:
            other = codes.find(alias)
            if alias and other != code and other not in declared:
                codes.alias(alias, code)
                if codes.name(other) == alias:
                    self._hand_over(codes, other, code)

    def _hand_over(self, codes: Codes, old: int, new: int) -> None:
        """Give what was told of one code to another."""
        self._settle()
        if codes is self.actor_codes:
            self.positions.hand_over(self.actors.position_head, old, new)
            self.links.rows.actor[self.links.rows.actor == old] = new
            self._reckon_employment({new})
        elif codes is self.unit_codes:
            for told in (self.stays.rows.unit, self.positions.rows.unit, self.units.parent):
                told[told == old] = new
        else:
            self.stays.hand_over(self.patients.stay_head, old, new)
            self.links.hand_over(self.patients.link_head, old, new)
            self._in_care(new, int(self.patients.care_until[old]))

    def _describe(self, identity: Identity, table: ActorTable | PatientTable, code: int) -> None:
        family = self._trait("f", identity.family)
        address, street = self._trait("a", identity.address), self._trait("s", identity.street)
        self.family_count = grown(self.family_count, len(self.trait_codes), 0.0)
        if table.family[code] != family:
            self.family_count[table.family[code]] -= 1.0
            self.family_count[family] += 1.0
        table.family[code], table.address[code], table.street[code] = family, address, street

    def _trait(self, kind: str, trait: str) -> int:
        return self.trait_codes.code(f"{kind}:{trait}") if trait else NOBODY

    def _forget_identity(self, key: str, actor: int, patient: int) -> None:
        """A corrected identity is no longer the one told before."""
        known_as, code = (self.actor_identity, actor) if actor != NOBODY else (self.patient_identity, patient)
        before = known_as.get(code, "")
        known_as[code] = key
        if before in ("", key) or before not in self.people:
            return
        person = self.people[before]
        left = Person(NOBODY if person.actor == actor else person.actor, tuple(p for p in person.patients if p != patient))
        self.people[before] = left
        for record in (*left.patients, *((patient,) if patient else ())):
            self.patients.staff_actor[record] = left.actor if record in left.patients else NOBODY

    def _recognise(self, identity: Identity, actor: int, patient: int) -> None:
        """Tell that a patient is a person at work: same family name, given name and date of birth."""
        told = identity.family and identity.given and identity.birth_date
        key = f"{identity.family}|{identity.given}|{identity.birth_date}" if told else ""
        self._forget_identity(key, actor, patient)
        if not key:
            return
        known = self.people.get(key, Person(NOBODY, ()))
        also = (patient,) if patient not in (NOBODY, *known.patients) else ()
        person = Person(actor or known.actor, (*known.patients, *also))
        self.people[key] = person
        for record in person.patients:
            self.patients.staff_actor[record] = person.actor


def _copied(value: Any) -> Any:
    """Return a copy of a part of the book, of which only the parts of feedback nest."""
    if isinstance(value, ActorTable | PatientTable | UnitTable):
        return copied(value)
    if isinstance(value, Feedback):
        return deepcopy(value)
    return value if isinstance(value, int) else value.copy()


def _born_at(birth_date: str) -> int:
    """Return the day (ISO 8601, or a month or year of it: its first day) in µs since 1970 UTC; `FOREVER` when it is none."""
    try:
        born = date.fromisoformat(f"{birth_date}-01-01"[:10] if len(birth_date) in (4, 7) else birth_date)
    except ValueError:
        return FOREVER
    return (born - EPOCH.date()).days * DAY_US
