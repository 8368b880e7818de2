"""Who is cared for by whom: stays, visits, appointments, orders, boards, from 75 days before the period."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from .clock import DAY, HOUR, Clock
from .draw import Draw
from .people import Patient, Person
from .settings import HospitalSettings
from .units import Unit

WARM_DAYS = 75  # patients of the weeks before are known, and some still in
DOCTORS = frozenset({"physician", "consultant", "urgentist", "radiologist", "anaesthetist"})
_ARRIVALS = (
    0.3,
    0.2,
    0.2,
    0.2,
    0.2,
    0.3,
    0.5,
    0.8,
    1.2,
    1.5,
    1.6,
    1.5,
    1.4,
    1.4,
    1.4,
    1.4,
    1.5,
    1.6,
    1.6,
    1.5,
    1.2,
    0.9,
    0.7,
    0.5,
)


@dataclass(slots=True)
class Segment:
    """A patient in one unit from one instant to another."""

    patient: int
    unit: int
    start: int
    end: int


@dataclass(slots=True)
class Stay:
    """An Encounter: `IMP` in a bed, `EMER` in the emergency room, `AMB` for a consultation."""

    id: str
    klass: str
    patient: int
    segments: list[Segment]
    team: list[int]  # staff named on it
    registered: int  # when the system came to know it
    owner: int | None = None  # the unit in charge when it had no bed left; the patient lies in another

    @property
    def start(self) -> int:
        """When the patient came."""
        return self.segments[0].start

    @property
    def end(self) -> int:
        """When the patient left, or will leave."""
        return self.segments[-1].end


@dataclass(slots=True)
class Booking:
    """An Appointment of a patient with a physician of a unit."""

    id: str
    patient: int
    person: int
    unit: int
    start: int
    minutes: int
    status: str
    booked: int


@dataclass(slots=True)
class Order:
    """A ServiceRequest: work asked of a unit, or advice asked of a person."""

    id: str
    patient: int
    requester: int
    unit: int | None
    person: int | None
    at: int
    stay: str
    category: str


@dataclass(slots=True)
class Team:
    """A CareTeam: people of several units who discuss one patient."""

    id: str
    patient: int
    members: list[int]
    start: int
    end: int
    on_file: bool


@dataclass(slots=True)
class Care:
    """All care of the period and the weeks before, with the indexes that a day's work looks up."""

    stays: list[Stay] = field(default_factory=list)
    bookings: list[Booking] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    teams: list[Team] = field(default_factory=list)
    present: dict[tuple[int, int], list[Segment]] = field(default_factory=lambda: defaultdict(list))
    hosted: dict[tuple[int, int], list[Segment]] = field(default_factory=lambda: defaultdict(list))
    left: dict[tuple[int, int], list[Stay]] = field(default_factory=lambda: defaultdict(list))
    came: dict[int, list[Stay]] = field(default_factory=lambda: defaultdict(list))
    clinics: dict[tuple[int, int], list[Booking]] = field(default_factory=lambda: defaultdict(list))
    agendas: dict[tuple[int, int], list[Booking]] = field(default_factory=lambda: defaultdict(list))
    asked: dict[tuple[int, int], list[Order]] = field(default_factory=lambda: defaultdict(list))
    advice: dict[tuple[int, int], list[int]] = field(default_factory=lambda: defaultdict(list))
    boards: dict[int, list[Team]] = field(default_factory=lambda: defaultdict(list))
    contacts: dict[int, list[Segment]] = field(default_factory=lambda: defaultdict(list))  # by patient


class CarePlanner:
    """Draws the care of a hospital, each bed and each consultation from a substream of its own."""

    def __init__(
        self, settings: HospitalSettings, clock: Clock, units: list[Unit], people: list[Person], patients: list[Patient]
    ) -> None:
        """Keep the hospital's parts; `plan` does the work."""
        self.settings, self.clock, self.units, self.people, self.patients = settings, clock, units, people, patients
        self.care = Care()
        self._fits = {unit.kind.key: self._fitting(unit) for unit in units}
        self._doctors = {unit.index: self._doctors_of(unit.index) for unit in units}
        self._first, self._last = -WARM_DAYS, settings.days + 1

    def plan(self) -> Care:
        """Return all the care; patients get their dates of death and the labels their stays leave."""
        for unit in self.units:
            self._beds(unit)
        self._emergencies()
        self._consultations()
        self.care.stays.sort(key=lambda stay: (stay.start, stay.id))
        self._index_stays()
        self._orders()
        self._advise()
        self._boards()
        self._deaths()
        self._labels()
        return self.care

    # --- who can be picked ----------------------------------------------------------------------

    def _fitting(self, unit: Unit) -> list[int]:
        (low, high), women, today = unit.kind.ages, unit.kind.women, self.settings.start
        return [
            p.index
            for p in self.patients
            if p.died is None and low <= p.age(today) <= high and not (women and p.gender == "male")
        ]

    def _doctors_of(self, unit: int) -> list[Person]:
        return [p for p in self.people if p.role.key in DOCTORS | {"intern"} and any(u == unit for _, u in p.posts)]

    def doctors(self, unit: int, day: int, *, senior: bool = True) -> list[Person]:
        """Return the physicians (or the interns) who belong to a unit on a day."""
        return [
            p
            for p in self._doctors[unit]
            if (p.role.key != "intern") == senior and p.employed(day) and day not in p.away and p.unit_on(day) == unit
        ]

    def _free(self, draw: Draw, unit: Unit, start: int, end: int) -> int | None:
        """Return a fitting patient with no stay within a day of the interval; None when none is found."""
        fits = self._fits[unit.kind.key]
        for _ in range(30 if fits else 0):
            patient = draw.pick(fits)
            if all(s.end + DAY < start or end + DAY < s.start for s in self.care.contacts[patient]):
                return patient
        return None

    # --- stays ----------------------------------------------------------------------------------

    def _beds(self, unit: Unit) -> None:
        for bed in range(unit.beds):
            draw = Draw(self.settings.seed, "bed", unit.index, bed)
            day = self._first - draw.span(0, unit.kind.stay_days)
            while day < self._last:
                length = max(0.6, draw.wait(unit.kind.stay_days - 0.6) + 0.6)
                self._stay(draw, unit, f"{unit.index:02d}{bed:02d}", day, length)
                day += length + draw.wait(0.12 * unit.kind.stay_days + 0.1)

    def _stay(self, draw: Draw, unit: Unit, bed: str, day: float, length: float) -> None:
        start = self.clock.at(int(day // 1), draw.span(8, 19) * HOUR)
        end = self.clock.at(int((day + length) // 1), draw.span(10, 18) * HOUR)
        end = max(end, start + 5 * HOUR)
        patient = self._free(draw, unit, start, end)
        if patient is None:
            return
        segments = [Segment(patient, unit.index, start, end)]
        self._through_emergency(draw, unit, segments)
        owner = self._outlier(draw, unit, segments) if draw.chance(0.05) else None
        self._transfer(draw, unit, segments)
        self._admit(draw, f"sej-{bed}{len(self.care.stays):06d}", "IMP", segments, owner)

    def _through_emergency(self, draw: Draw, unit: Unit, segments: list[Segment]) -> None:
        rooms = [u.index for u in self.units if u.kind.key == "emergency"]
        if rooms and unit.kind.key not in ("maternity", "rehabilitation") and draw.chance(0.4):
            first = segments[0]
            segments.insert(0, Segment(first.patient, draw.pick(rooms), first.start - int(draw.span(2, 9) * HOUR), first.start))

    def _outlier(self, draw: Draw, unit: Unit, segments: list[Segment]) -> int | None:
        """Lay the patient in a bed of another unit; return the unit in charge."""
        others = self._others(unit, segments[-1].patient)
        if not others:
            return None
        segments[-1].unit = draw.pick(others)
        return unit.index

    def _transfer(self, draw: Draw, unit: Unit, segments: list[Segment]) -> None:
        patient, end = segments[-1].patient, segments[-1].end
        others = self._others(unit, patient)
        if others and draw.chance(0.1):
            segments.append(Segment(patient, draw.pick(others), end, end + int(draw.span(1, 4) * DAY)))

    def _others(self, unit: Unit, patient: int) -> list[int]:
        """Return the wards, none of them sensitive, that could take a unit's patient."""
        age = self.patients[patient].age(self.settings.start)
        wards = [u for u in self.units if u.beds and u is not unit and not u.kind.women and not u.kind.label]
        return [u.index for u in wards if u.kind.ages[0] <= age <= u.kind.ages[1]]

    def _admit(self, draw: Draw, number: str, klass: str, segments: list[Segment], owner: int | None = None) -> None:
        first = segments[0]
        late = draw.chance(self.settings.late_registration_share)
        delay = draw.span(1, 20) * HOUR if late else draw.span(-0.2, 0.2) * HOUR
        units = [segment.unit for segment in segments] if owner is None else [owner, *(s.unit for s in segments[:-1])]
        team = self._team(draw, units, self.clock.day_of(segments[-1].start))
        self.care.stays.append(Stay(number, klass, first.patient, segments, team, int(first.start + delay), owner))
        self.care.contacts[first.patient] += segments

    def _team(self, draw: Draw, units: list[int], day: int) -> list[int]:
        team: list[int] = []
        for unit in units:
            for senior, share in ((True, 1.0), (False, 0.5)):
                doctors = self.doctors(unit, day, senior=senior)
                if doctors and draw.chance(share):
                    team.append(draw.pick(doctors).index)
        return list(dict.fromkeys(team))

    def _emergencies(self) -> None:
        for unit in (u for u in self.units if u.kind.key == "emergency"):
            for day in range(-30, self._last):
                draw = Draw(self.settings.seed, "emergency", unit.index, day)
                for _ in range(int(self.settings.staff * draw.span(0.09, 0.15))):
                    self._emergency(draw, unit, day)

    def _emergency(self, draw: Draw, unit: Unit, day: int) -> None:
        hour = max((draw.below(24) for _ in range(3)), key=lambda h: _ARRIVALS[h] * draw.span(0.5, 1))
        start = self.clock.at(day, (hour + draw.u()) * HOUR)
        end = start + int((1 + draw.wait(3)) * HOUR)
        patient = self._free(draw, unit, start, end)
        if patient is not None:
            self._admit(draw, f"urg-{len(self.care.stays):07d}", "EMER", [Segment(patient, unit.index, start, end)])

    # --- consultations --------------------------------------------------------------------------

    def _consultations(self) -> None:
        for person in self.people:
            if person.role.physician and self.units[person.posts[0][1]].beds:
                for day in range(-30, self._last):
                    self._clinic(person, day)

    def _clinic(self, person: Person, day: int) -> None:
        """Book two half-days a week, the same weekdays all along."""
        weekday = self.clock.weekday(day)
        if weekday not in (person.index % 5, (person.index + 2) % 5) or day in person.away or not person.employed(day):
            return
        draw = Draw(self.settings.seed, "clinic", person.index, day)
        unit = self.units[person.unit_on(day)]
        for slot in range(draw.between(5, 9)):
            start = self.clock.at(day, 14 * HOUR + slot * 1500)
            patient = self._free(draw, unit, start, start + 1500)
            if patient is not None:
                self._book(draw, person, unit.index, patient, start)

    def _book(self, draw: Draw, person: Person, unit: int, patient: int, start: int) -> None:
        number = f"rdv-{len(self.care.bookings):07d}"
        status = "fulfilled" if draw.chance(0.9) else draw.pick(("noshow", "cancelled"))
        booked = start - int(draw.span(1, 60) * DAY)
        self.care.bookings.append(Booking(number, patient, person.index, unit, start, 25, status, booked))
        segment = Segment(patient, unit, start, start + 1500)
        self.care.contacts[patient].append(segment)
        if status == "fulfilled":
            late = draw.chance(self.settings.late_registration_share)
            known = start + int(draw.span(0.5, 6) * HOUR) if late else start - 600
            self.care.stays.append(Stay(f"ext-{number[4:]}", "AMB", patient, [segment], [person.index], known))

    # --- indexes --------------------------------------------------------------------------------

    def _index_stays(self) -> None:
        care, day_of = self.care, self.clock.day_of
        for stay in care.stays:
            if stay.klass != "AMB":
                care.came[day_of(stay.start)].append(stay)
                for segment in stay.segments:
                    for day in range(day_of(segment.start), day_of(segment.end) + 1):
                        care.present[segment.unit, day].append(segment)
                        if stay.owner is not None:
                            care.hosted[stay.owner, day].append(segment)
            care.left[stay.segments[-1].unit, day_of(stay.end)].append(stay)
        for booking in care.bookings:
            day = day_of(booking.start)
            care.clinics[booking.unit, day].append(booking)
            care.agendas[booking.person, day].append(booking)

    # --- orders, advice, boards -----------------------------------------------------------------

    def _orders(self) -> None:
        desks = {u.kind.key: u for u in self.units if u.kind.orders}
        begin = self.clock.midnight(-7)
        for stay in self.care.stays:
            if stay.end >= begin:
                draw = Draw(self.settings.seed, "orders", stay.patient, stay.start)
                for segment in stay.segments:
                    self._orders_of(draw, stay, segment, desks)

    def _orders_of(self, draw: Draw, stay: Stay, segment: Segment, desks: dict[str, Unit]) -> None:
        shares = {"IMP": (0.7, 0.13), "EMER": (0.6, 0.4), "AMB": (0.15, 0.12)}[stay.klass]
        first, last = self.clock.day_of(segment.start), self.clock.day_of(segment.end)
        for day in range(max(first, -7), last + 1):
            for key, share in zip(("laboratory", "imaging"), shares, strict=True):
                if key in desks and draw.chance(share):
                    self._order(draw, stay, segment, desks[key].index, day)
        if stay.klass == "IMP" and "pharmacy" in desks:
            self._order(draw, stay, segment, desks["pharmacy"].index, max(first, -7))
        if self.units[segment.unit].kind.key in ("surgery", "orthopaedics", "maternity") and "anaesthesia" in desks:
            self._order(draw, stay, segment, desks["anaesthesia"].index, first)

    def _order(self, draw: Draw, stay: Stay, segment: Segment, unit: int, day: int) -> None:
        low = max(segment.start, self.clock.at(day, 6 * HOUR))
        at = int(draw.span(low, max(low + 60, min(segment.end, self.clock.at(day, 20 * HOUR)))))
        doctors = self.doctors(segment.unit, day) + self.doctors(segment.unit, day, senior=False)
        if doctors:
            self._ask(Order("", stay.patient, draw.pick(doctors).index, unit, None, at, stay.id, self.units[unit].kind.key))

    def _ask(self, order: Order) -> None:
        order.id = f"dem-{len(self.care.orders):07d}"
        self.care.orders.append(order)
        if order.unit is not None:
            self.care.asked[order.unit, self.clock.day_of(order.at)].append(order)

    def _advise(self) -> None:
        """Have consultants see patients of other units; three times in ten nothing is written down."""
        consultants = [p for p in self.people if p.role.key == "consultant"]
        for stay in self.care.stays if consultants else []:
            draw = Draw(self.settings.seed, "advice", stay.patient, stay.start)
            if stay.klass == "IMP" and stay.end > self.clock.midnight(-1) and draw.chance(0.22):
                self._advise_one(draw, stay, draw.pick(consultants))

    def _advise_one(self, draw: Draw, stay: Stay, consultant: Person) -> None:
        at = int(draw.span(stay.start, stay.end))
        day = self.clock.day_of(at)
        doctors = self.doctors(stay.segments[-1].unit, day)
        if not consultant.employed(day) or day in consultant.away or not doctors:
            return
        for later in range(draw.between(1, 3)):
            self.care.advice[consultant.index, day + later].append(stay.patient)
        if draw.chance(0.7):
            self._ask(Order("", stay.patient, draw.pick(doctors).index, None, consultant.index, at - HOUR, stay.id, "advice"))

    def _boards(self) -> None:
        """Hold a board each Wednesday: physicians of several units on the same handful of patients."""
        seniors = [p for p in self.people if p.role.physician]
        for day in range(self.settings.days):
            if self.clock.weekday(day) == 2:
                draw = Draw(self.settings.seed, "board", day)
                start = self.clock.at(day, 13.5 * HOUR)
                known = [s for (_, d), found in self.care.present.items() if d == day for s in found]
                members = [p.index for p in draw.sample(seniors, 7) if day not in p.away and p.employed(day)]
                for segment in draw.sample(known, max(3, self.settings.staff // 50)):
                    self._board(draw, segment.patient, members, start)

    def _board(self, draw: Draw, patient: int, members: list[int], start: int) -> None:
        number = f"rcp-{len(self.care.teams):05d}"
        team = Team(number, patient, draw.sample(members, 5), start, start + 2 * HOUR, draw.chance(0.8))
        self.care.teams.append(team)
        self.care.boards[self.clock.day_of(start)].append(team)

    # --- what it leaves -------------------------------------------------------------------------

    def _deaths(self) -> None:
        over = self.clock.midnight(self.settings.days)
        for stay in self.care.stays:
            if stay.klass == "AMB":
                continue
            patient = self.patients[stay.patient]
            old = patient.age(self.settings.start) > 60
            draw = Draw(self.settings.seed, "death", stay.patient, stay.start)
            last = all(segment.end <= stay.end for segment in self.care.contacts[stay.patient])
            if old and last and stay.end < over and patient.staff is None and draw.chance(0.035):
                patient.died = stay.end

    def _labels(self) -> None:
        """Mark the patients of sensitive units, and some known to them from earlier years."""
        labels = sorted({u.kind.label for u in self.units} - {""})
        for stay in self.care.stays:
            for segment in stay.segments:
                patient = self.patients[stay.patient]
                patient.label = self.units[segment.unit].kind.label or patient.label
        draw = Draw(self.settings.seed, "labels")
        for patient in self.patients:
            if draw.chance(0.03) and patient.age(self.settings.start) >= 16 and not patient.label:
                patient.label = draw.pick(labels)
