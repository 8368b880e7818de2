"""What an incident is made from: who is there, when they work, whom they have nothing to do with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from models.hospital.audit import Deed
from models.hospital.care import Care
from models.hospital.clock import DAY, HOUR
from models.hospital.draw import Draw
from models.hospital.people import Patient, Person
from models.hospital.roster import REMOTE, Shift
from models.hospital.scripts import SCRIPTS, Step
from models.hospital.work import Work

# Roles whose ordinary work reaches any patient in the house.
EVERYWHERE = frozenset(
    {
        "lab_tech",
        "biologist",
        "dim_physician",
        "radiographer",
        "radiologist",
        "anaesthetist",
        "pharmacist",
        "preparer",
        "clerk",
        "coder",
        "urgentist",
        "float",
    }
)
TRIES = 400


@dataclass(frozen=True)
class Ties:
    """Who has to do with whom by name: pairs of staff and patient, by their places."""

    pairs: frozenset[tuple[int, int]]

    @classmethod
    def of(cls, care: Care) -> Ties:
        """Return the pairs that stays, bookings, orders and boards hold."""
        pairs = {(person, stay.patient) for stay in care.stays for person in stay.team}
        pairs |= {(booking.person, booking.patient) for booking in care.bookings}
        pairs |= {(person, o.patient) for o in care.orders for person in (o.requester, o.person) if person is not None}
        pairs |= {(person, patient) for (person, _), patients in care.advice.items() for patient in patients}
        return cls(frozenset(pairs | {(person, team.patient) for team in care.teams for person in team.members}))


@dataclass
class Scene:
    """The hospital seen by one incident, with the incident's own draws."""

    work: Work
    ties: Ties
    draw: Draw

    def __post_init__(self) -> None:
        """Keep the parts of the hospital at hand."""
        work = self.work
        self.settings, self.clock, self.units = work.settings, work.clock, work.units
        self.care, self.roster, self.patients = work.care, work.roster, work.patients
        self.people = work.roster.people

    @cached_property
    def staff(self) -> list[Person]:
        """People whose work is on records."""
        return [p for p in self.people if p.role.accesses >= 10]

    # --- who and when ---------------------------------------------------------------------------

    def shifts(self, person: Person, first: int, last: int) -> list[Shift]:
        """Return the person's shifts at the hospital between two days, both included, within the period."""
        days = range(max(0, first), min(self.settings.days - 1, last) + 1)
        return [shift for day in days for shift in self.roster.shifts(person, day) if shift.letter != REMOTE]

    def shift(self, who: Sequence[Person], fits: Callable[[Shift], bool] = lambda _: True, days: range | None = None) -> Shift:
        """Return a shift by one of these people that fits, on one of the days; any shift when none does."""
        found: Shift | None = None
        for _ in range(TRIES):
            person, day = self.draw.pick(who), self.draw.pick(days or range(self.settings.days))
            for shift in self.shifts(person, day, day):
                found = shift
                if fits(shift):
                    return shift
        return found or self.shift(self.staff)

    def sittings(self, shift: Shift, most: int, span_days: int = 10) -> list[Shift]:
        """Return the shift and some later ones of the same person: `most` at most."""
        later = self.shifts(shift.person, shift.day + 1, shift.day + span_days)
        return [shift, *sorted(self.draw.sample(later, self.draw.between(0, most - 1)), key=lambda s: s.start)]

    def quiet(self, shift: Shift, seconds: float) -> float:
        """Return an instant of a shift from which its ordinary work leaves some time, if there is one."""
        marks = sorted([shift.start + 900, *(d.at_ms // 1000 for d in self.work.deeds(shift)), shift.end - 300])
        gaps = [(a, b) for a, b in pairwise(marks) if b - a > seconds + 30]
        if not gaps:
            return self.draw.span(shift.start + 900, max(shift.start + 960, shift.end - seconds))
        low, high = self.draw.pick(gaps)
        return self.draw.span(low + 15, high - seconds)

    # --- whom -----------------------------------------------------------------------------------

    def stranger(self, person: Person, patient: Patient, at: float) -> bool:
        """Whether nothing on file ties a person to a patient within two months before and two weeks after."""
        if (person.index, patient.index) in self.ties.pairs:
            return False
        near = [s.unit for s in self.care.contacts[patient.index] if s.end > at - 60 * DAY and s.start < at + 14 * DAY]
        return not near if person.role.key in EVERYWHERE else not {unit for _, unit in person.posts} & set(near)

    def strangers(self, person: Person, at: float, n: int, among: Sequence[Patient] | None = None) -> list[Patient]:
        """Return up to `n` patients that a person has nothing to do with."""
        found: dict[int, Patient] = {}
        for _ in range(TRIES):
            patient = self.draw.pick(among or self.patients)
            if len(found) >= n:
                break
            if self.stranger(person, patient, at):
                found[patient.index] = patient
        return list(found.values())

    def inpatients(self, unit: int, day: int) -> list[Patient]:
        """Return who is in a unit on a day."""
        return [self.patients[segment.patient] for segment in self.care.present.get((unit, day), [])]

    # --- what -----------------------------------------------------------------------------------

    def look(self, shift: Shift, patient: Patient, at: float, runs: int = 2) -> Iterator[Deed]:
        """Yield someone reading a record as they read any: a search at times, then their usual screens."""
        if self.draw.chance(0.35):
            yield self.work.search(shift, patient, at, self.draw)
            at += self.draw.span(2, 15)
        for _ in range(runs):
            for deed in self.work.run(shift, patient, self.reading(shift.person), at, self.draw):
                yield deed
                at = deed.at_ms / 1000
            at += self.draw.span(4, 30)

    def reading(self, person: Person) -> tuple[Step, ...]:
        """Return a script of the person's role, its readings alone."""
        while True:
            steps = tuple(step for step in self.draw.weighted(SCRIPTS[person.role.key]) if step.op == "read")
            if steps:
                return steps

    def browse(self, shift: Shift, patients: Sequence[Patient], at: float, runs: int = 1) -> Iterator[Deed]:
        """Yield one record after the other being read."""
        for patient in patients:
            for deed in self.look(shift, patient, at, runs):
                yield deed
                at = deed.at_ms / 1000
            at += self.draw.span(5, 90)

    # --- beside the shifts ----------------------------------------------------------------------

    def stretch(self, person: Person, at: float, hours: float, unit: int | None = None, *, remote: bool = False) -> Shift:
        """Return a stretch of work outside the roster, with one session; logins are not in it yet."""
        day = self.clock.day_of(at)
        place = person.unit_on(day) if unit is None else unit
        session = self.roster.session(person, int(at), int(at + hours * HOUR), place, self.draw, remote=remote)
        return Shift(person, day, "X", place, session.start, session.end, [session])

    def signs(self, shift: Shift) -> Iterator[Deed]:
        """Yield the logins and logouts of an extra stretch of work."""
        for session in shift.sessions:
            yield from self.work.signs(shift.person, session, self.draw)

    def elsewhere(self, unit: int) -> int:
        """Return a ward of the other site, or any other unit."""
        others = [u.index for u in self.units if u.beds and u.site != self.units[unit].site]
        return self.draw.pick(others or [u.index for u in self.units if u.index != unit])
