"""The hospital's people: staff with their careers, patients with their kin."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

from . import names
from .draw import Draw
from .settings import HospitalSettings
from .units import LONG_DAYS, ROLES, Role, Unit, split

Home = tuple[int, str, str, str]  # house number, street, town, postal code

RPPS = "https://rpps.esante.gouv.fr"
STAFF_NUMBER = "https://chu-valmont.example/fhir/sid/matricule"
LONG_AGO = -4000  # a day before anything else


@dataclass(slots=True)
class Person:
    """Someone with an account. Days count from the start of the period and may be negative."""

    index: int
    id: str
    family: str
    given: str
    gender: str
    birth: date
    home: Home
    identifier: tuple[str, str]  # system, value
    login: str
    role: Role
    posts: list[tuple[int, int]]  # first day, unit: in order of time
    hired: int
    rotation: str
    phase: int
    pace: float  # of this person's work, around 1
    left: int | None = None  # last day of the contract on file
    overrun: int = 0  # days worked beyond it, an extension that nobody recorded
    renewed: int | None = None  # day from which a second contract runs, recorded some days late
    away: set[int] = field(default_factory=set)

    def unit_on(self, day: int) -> int:
        """Return the unit this person belongs to on a day."""
        return [unit for first, unit in self.posts if first <= day or first == self.posts[0][0]][-1]

    def employed(self, day: int) -> bool:
        """Whether the person still works at the hospital on a day."""
        return self.hired <= day and (self.left is None or day <= self.left + self.overrun)


@dataclass(slots=True)
class Patient:
    """A person with a record; `staff` and `kin` are places in the list of staff."""

    index: int
    id: str
    ins: str
    family: str
    given: str
    gender: str
    birth: date
    home: Home
    died: int | None = None  # UTC seconds
    celebrity: bool = False
    restricted: bool = False
    staff: int | None = None
    household: int | None = None
    kin: int | None = None
    label: str = ""  # v3-ActCode of what was once written by a sensitive unit

    def age(self, on: date) -> int:
        """Return the age in whole years; negative before birth."""
        return on.year - self.birth.year - ((on.month, on.day) < (self.birth.month, self.birth.day))


# --- staff -----------------------------------------------------------------------------------


def hire(settings: HospitalSettings, units: list[Unit]) -> list[Person]:
    """Return the staff, unit by unit, with careers and absences."""
    people: list[Person] = []
    logins: set[str] = set()
    for unit in units:
        for role in _roles(settings, unit):
            people.append(_person(settings, len(people), unit, role, logins))
    draw = Draw(settings.seed, "careers")
    _couples(people, draw)
    _careers(settings, people, draw)
    _rotate_interns(settings, people, units, draw)
    return people


def _roles(settings: HospitalSettings, unit: Unit) -> list[Role]:
    weights = [share * (settings.interns_scale if key == "intern" else 1.0) for key, share in unit.kind.mix.items()]
    counts = split(unit.staff, weights)
    return [ROLES[key] for key, count in zip(unit.kind.mix, counts, strict=True)
            for _ in range(count)][: unit.staff]  # fmt: skip


def _person(settings: HospitalSettings, index: int, unit: Unit, role: Role, logins: set[str]) -> Person:
    draw = Draw(settings.seed, "person", index)
    women = 0.85 if role.key in ("nurse", "er_nurse", "aide", "midwife", "secretary") else 0.5
    gender = "female" if draw.chance(women) else "male"
    birth = _birthday(draw, settings.start, *((24, 31) if role.key == "intern" else (23, 63)))
    patterns = LONG_DAYS if settings.long_days and role.key in ("nurse", "aide") else role.patterns
    family, given = names.family(draw), names.given(draw, gender, birth.year)
    return Person(
        index=index, id=f"ps-{10_007 + 13 * index}", family=family, given=given, gender=gender,
        birth=birth, home=names.address(draw), identifier=_number(draw, role, index),
        login=_login(given, family, logins), role=role, posts=[(LONG_AGO, unit.index)],
        hired=-draw.between(60, 3000), rotation=patterns[index % len(patterns)],
        phase=draw.below(14), pace=min(1.7, max(0.55, 1 + 0.22 * draw.bell())),
    )  # fmt: skip


def _birthday(draw: Draw, start: date, youngest: int, oldest: int) -> date:
    return start - timedelta(days=int(draw.span(youngest * 365.25, (oldest + 1) * 365.25)))


def _number(draw: Draw, role: Role, index: int) -> tuple[str, str]:
    """Return the identifier: an invented RPPS of 11 digits, else a staff number."""
    if role.registered:
        return RPPS, f"997{index:04d}{draw.below(10_000):04d}"
    return STAFF_NUMBER, f"{200_000 + 17 * index + draw.below(17)}"


def _login(given: str, family: str, taken: set[str]) -> str:
    letters = f"{given[0]}{family}".lower().translate(str.maketrans("éèêëïîôüçâà'", "eeeeiioucaa-"))
    base = letters.replace(" ", "").replace("-", "")[:10]
    login = next(name for n in range(1, 999) if (name := f"{base}{n if n > 1 else ''}") not in taken)
    taken.add(login)
    return login


def _couples(people: list[Person], draw: Draw) -> None:
    """Let about one person in twenty-five share a home with a colleague."""
    chosen = draw.sample(people, 2 * max(1, len(people) // 50))
    for first, second in zip(chosen[::2], chosen[1::2], strict=False):
        second.home = first.home
        if draw.chance(0.5):
            second.family = first.family


def _careers(settings: HospitalSettings, people: list[Person], draw: Draw) -> None:
    """Give hires, departures, renewed contracts, long absences and holidays, one each at most."""
    days, few = settings.days, max(3, len(people) // 33)
    pool = draw.sample([p for p in people if p.role.key != "intern" and p.role.accesses >= 10], len(people))
    for person in _take(pool, few):
        person.hired = draw.between(2, max(3, days * 2 // 3))
    for n, person in enumerate(_take(pool, few)):
        person.left = draw.between(3, max(3, days // 3)) if n % 3 == 0 else draw.between(days // 3, days * 9 // 10)
        person.overrun = draw.between(2, 4) if n % 4 == 1 else 0
    for person in _take(pool, max(1, few // 4)):
        person.renewed = draw.between(3, days - 1)
    for person in _take(pool, max(3, few // 2)):  # on long leave throughout
        person.away = set(range(draw.between(-90, -10), days + 30))
    for person in _take(pool, max(1, few // 2)):  # back from a long leave
        person.away = set(range(draw.between(-60, -32), draw.between(days // 4, days * 4 // 5)))
    for person in pool:
        _holidays(person, days, draw)


def _take(pool: list[Person], n: int) -> list[Person]:
    taken, pool[:] = pool[:n], pool[n:]
    return taken


def _holidays(person: Person, days: int, draw: Draw) -> None:
    if draw.chance(min(0.9, days / 100)):
        first = draw.below(days)
        person.away = set(range(first, first + draw.between(6, 14)))
    if draw.chance(days / 500):
        first = draw.below(days)
        person.away |= set(range(first, first + draw.between(2, 5)))


def _rotate_interns(settings: HospitalSettings, people: list[Person], units: list[Unit], draw: Draw) -> None:
    """Move interns to another unit on the Monday nearest the middle of the period."""
    monday = settings.days // 2 - (settings.start.weekday() + settings.days // 2) % 7
    hosts = [unit.index for unit in units if "intern" in unit.kind.mix]
    for person in people:
        if person.role.key == "intern" and len(hosts) > 1:
            here = person.posts[0][1]
            there = draw.pick([unit for unit in hosts if unit != here])
            person.posts.append((max(1, monday), there))


# --- patients --------------------------------------------------------------------------------


def enrol(settings: HospitalSettings, people: list[Person], start_at: int) -> list[Patient]:
    """Return the patients, those of the staff's circle spread at random among the others."""
    draw = Draw(settings.seed, "circle")
    circle = _circle(settings, people, draw)
    total = max(settings.staff * settings.patients_per_staff, 2 * len(circle))
    seats = dict(zip(draw.sample(range(total), len(circle)), circle, strict=True))
    patients = [_patient(settings, i, people, seats.get(i), start_at) for i in range(total)]
    _ensure(settings, patients)
    return patients


def _circle(settings: HospitalSettings, people: list[Person], draw: Draw) -> list[tuple[str, int]]:
    """Return who among the patients is tied to the staff: (tie, place of the staff member)."""
    circle: list[tuple[str, int]] = []
    for person in people:
        if draw.chance(settings.staff_patient_share):
            circle.append(("staff", person.index))
        if draw.chance(settings.household_share):
            circle += [("household", person.index)] * draw.between(1, 3)
        if draw.chance(0.5):
            circle += [("kin", person.index)] * draw.between(1, 2)
        if draw.chance(0.3):
            circle.append(("street", person.index))
    return circle


def _patient(
    settings: HospitalSettings, index: int, people: list[Person], tie: tuple[str, int] | None,
    start_at: int,
) -> Patient:  # fmt: skip
    draw = Draw(settings.seed, "patient", index)
    gender = "female" if draw.chance(0.54) else "male"
    birth = _patient_birthday(draw, settings.start)
    patient = Patient(
        index=index, id=f"{80_012_000 + index}", ins="", family=names.family(draw),
        given=names.given(draw, gender, birth.year), gender=gender, birth=birth,
        home=names.address(draw), celebrity=draw.chance(settings.celebrity_share),
        restricted=draw.chance(settings.restricted_share),
    )  # fmt: skip
    if tie:
        _tie(patient, people[tie[1]], tie[0], draw)
    elif draw.chance(0.05):
        patient.died = start_at - int(draw.span(0.02, 5) * 365 * 86_400)
    patient.ins = _ins(patient, draw)
    return patient


def _patient_birthday(draw: Draw, start: date) -> date:
    """Return a birthday: hospital patients are old or very young more often than others."""
    u = draw.u()
    low, high = (0, 15) if u < 0.16 else (16, 45) if u < 0.42 else (46, 70) if u < 0.68 else (71, 98)
    return _birthday(draw, start, low, high)


def _tie(patient: Patient, person: Person, tie: str, draw: Draw) -> None:
    if tie == "staff":
        patient.staff = person.index
        patient.family, patient.given = person.family, person.given
        patient.gender, patient.birth, patient.home = person.gender, person.birth, person.home
    elif tie == "household":
        patient.household, patient.home = person.index, person.home
        patient.family = person.family if draw.chance(0.65) else patient.family
    elif tie == "kin":
        patient.kin, patient.family = person.index, person.family
    else:
        patient.home = (max(1, person.home[0] + draw.between(-6, 6)), *person.home[1:])


def _ins(patient: Patient, draw: Draw) -> str:
    """Return an INS of the form of a NIR, in communes above 900 that no department has."""
    sex = "2" if patient.gender == "female" else "1"
    head = f"{sex}{patient.birth:%y%m}41{draw.between(900, 990)}{draw.between(1, 999):03d}"
    return f"{head}{97 - int(head) % 97:02d}"


def _ensure(settings: HospitalSettings, patients: list[Patient]) -> None:
    """Mark at least a handful of celebrities and restricted records, however small the hospital."""
    draw = Draw(settings.seed, "marked")
    plain = [p for p in patients if p.staff is None and p.died is None]
    for number, patient in enumerate(draw.sample(plain, 8)):
        patient.celebrity |= number < 4
        patient.restricted |= number >= 4
