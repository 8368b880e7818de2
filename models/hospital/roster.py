"""Who works when, where and at which workstation."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b

from .clock import HOUR, Clock
from .draw import Draw
from .people import Person
from .settings import HospitalSettings
from .units import OFFICE, Unit

# Local start and length in hours of each kind of shift, by its letter.
HOURS = {
    "M": (6.75, 7.5),  # morning
    "S": (13.75, 7.5),  # evening
    "N": (20.75, 10.25),  # night
    "C": (7.0, 12.0),  # long day
    "K": (19.0, 12.0),  # long night
    "J": (8.5, 8.5),  # office hours
    "G": (18.5, 14.0),
    "D": (8.5, 10.0),
    "R": (20.0, 1.5),
    "W": (9.0, 4.0),
    "I": (25.0, 1.2),
}
DUTY = "G"  # a physician and an intern on duty for the wards of a site through the night
DUTY_DAY = "D"  # the same through a day at the weekend
REMOTE = "R"  # an hour or so from home
WEEKEND = "W"  # a Saturday or Sunday morning of overtime in an office
CALLED = "I"  # called in at night to repair something


@dataclass(slots=True)
class Session:
    """One login at one workstation, from one instant to another (UTC seconds)."""

    start: int
    end: int
    host: str
    address: str
    token: str
    site: int
    closed: bool = True  # by a logout; else it ran out


@dataclass(slots=True)
class Shift:
    """One stretch of work of one person."""

    person: Person
    day: int
    letter: str
    unit: int  # where the work is: the person's unit, or the one helped out
    start: int
    end: int
    sessions: list[Session] = field(default_factory=list)
    second: Session | None = None  # a trolley or a tablet, in use beside the workstation

    def session_at(self, instant: float, u: float = 1.0) -> Session:
        """Return the session of an instant: the last one begun by then, or at times (`u` < 0.4) the second device's."""
        if u < 0.4 and self.second and self.second.start <= instant <= self.second.end:
            return self.second
        return next((s for s in reversed(self.sessions) if s.start <= instant), self.sessions[0])


class Roster:
    """Gives the shifts of any day; each is drawn from its own substream when asked."""

    def __init__(self, settings: HospitalSettings, clock: Clock, people: list[Person], units: list[Unit]) -> None:
        self.settings, self.clock, self.people, self.units = settings, clock, people, units
        self.wards = [unit.index for unit in units if unit.beds]
        self._seniors = [p for p in people if p.role.physician]
        self._interns = [p for p in people if p.role.key == "intern"]
        self._duty: dict[tuple[int, int], list[Person]] = {}

    def on_duty(self, site: int, day: int) -> list[Person]:
        """Return who is on duty for the wards of a site on a day and the night after: up to two people."""
        if (site, day) not in self._duty:
            turns = (self._turn(group, site, day) for group in (self._seniors, self._interns))
            self._duty[site, day] = [person for turn in turns for person in turn]
        return self._duty[site, day]

    def _turn(self, group: list[Person], site: int, day: int) -> list[Person]:
        """Return the first available person of the list that turns by one each day."""
        wards = {unit for unit in self.wards if self.units[unit].site == site}
        fit = [p for p in group if p.unit_on(day) in wards]
        turned = (fit[(day + i) % len(fit)] for i in range(len(fit)))
        return [p for p in turned if self.available(p, day)][:1]

    def available(self, person: Person, day: int) -> bool:
        """Whether the person is employed and not away."""
        return person.employed(day) and day not in person.away

    def shifts(self, person: Person, day: int) -> list[Shift]:
        """Return the shifts that the person starts on a day, in order of time."""
        if not self.available(person, day):
            return []
        draw = Draw(self.settings.seed, "shift", person.index, day)
        letters = self._letters(person, day, draw)
        return [self._shift(person, day, letter, draw) for letter in letters]

    def _letters(self, person: Person, day: int, draw: Draw) -> str:
        """Return the shifts of a day, one letter each: planned, swapped, on duty, overtime."""
        site = self.units[person.unit_on(day)].site
        letter = self._planned(person, day, site)
        if draw.chance(0.02):  # swapped with a colleague
            letter = "" if letter else person.rotation[(day + 5 + person.phase) % len(person.rotation)]
        letter = letter.replace("-", "")
        if person in self.on_duty(site, day):
            return (letter or DUTY_DAY) + DUTY
        return letter + self._beside(person, day, letter, draw)

    def _beside(self, person: Person, day: int, letter: str, draw: Draw) -> str:
        """Return what comes on top of planned work, if anything."""
        if person.role.key == "it" and draw.chance(0.04):
            return CALLED
        if person.rotation == OFFICE and not letter and self.clock.weekday(day) >= 5:
            return WEEKEND if draw.chance(0.025) else ""
        remote = person.role.physician and letter == OFFICE and draw.chance(self.settings.remote_share)
        return REMOTE if remote else ""

    def _planned(self, person: Person, day: int, site: int) -> str:
        if person.rotation != OFFICE:
            return person.rotation[(day + person.phase) % len(person.rotation)]
        rests = self.clock.weekday(day) >= 5 or person in self.on_duty(site, day - 1)
        return "" if rests else OFFICE

    def _shift(self, person: Person, day: int, letter: str, draw: Draw) -> Shift:
        first, hours = HOURS[letter]
        late = draw.span(1, 3) if draw.chance(self.settings.overtime_share) else 0.25 * draw.u()
        start = self.clock.at(day, first * HOUR + 600 * draw.bell())
        end = self.clock.at(day, (first + hours + late) * HOUR)
        shift = Shift(person, day, letter, self._place(person, day, draw), start, end)
        shift.sessions = self._sessions(shift, draw)
        if letter != REMOTE and draw.chance(0.1):
            begin = draw.span(start + 900, end - 1800)
            shift.second = self.session(person, int(begin), int(draw.span(begin + 900, end)), shift.unit, draw)
        return shift

    def _place(self, person: Person, day: int, draw: Draw) -> int:
        return draw.pick(self.wards) if person.role.key == "float" else person.unit_on(day)

    def _sessions(self, shift: Shift, draw: Draw) -> list[Session]:
        """Return one to three sessions that follow one another, most at a workstation of the unit."""
        remote = shift.letter == REMOTE or (shift.letter == OFFICE and self._teleworks(shift.person, draw))
        cuts = [shift.start + draw.span(60, 900)]
        cuts += [draw.span(cuts[0], shift.end) for share in (0.42, 0.2) if not remote and draw.chance(share)]
        cuts.sort()
        ends = [*(cut - draw.span(20, 400) for cut in cuts[1:]), shift.end - draw.span(0, 300)]
        places = [shift.unit, *(self._visited(shift, draw) for _ in cuts[1:])]
        return [
            self.session(shift.person, int(start), int(max(start + 60, end)), place, draw, remote=remote)
            for start, end, place in zip(cuts, ends, places, strict=True)
        ]

    @staticmethod
    def _teleworks(person: Person, draw: Draw) -> bool:
        """Whether someone whose work is on files alone does a day of it from home."""
        return person.role.purpose != "TREAT" and draw.chance(0.1)

    def _visited(self, shift: Shift, draw: Draw) -> int:
        """Return where someone logs in again: for those who give advice, often in another unit, of either site."""
        share = {"consultant": 0.5, "anaesthetist": 0.4, "physician": 0.12}.get(shift.person.role.key, 0.03)
        return draw.pick(self.wards) if draw.chance(share) else shift.unit

    def session(self, person: Person, start: int, end: int, unit: int, draw: Draw, *, remote: bool = False) -> Session:
        """Return a session of a person at a workstation of a unit, or from home."""
        host, address = self.home_host(person) if remote else self.host(unit, draw)
        token = self.token(person.login, start, host)
        return Session(start, end, host, address, token, self.units[unit].site, draw.chance(0.86))

    def token(self, login: str, start: int, host: str) -> str:
        """Return what names a session in the log."""
        return blake2b(f"{self.settings.seed}|{login}|{start}|{host}".encode(), digest_size=12).hexdigest()

    def host(self, unit: int, draw: Draw) -> tuple[str, str]:
        """Return name and address of one of the unit's workstations: one for three people."""
        number = draw.below(max(2, self.units[unit].staff // 3)) + 1
        return self.workstation(unit, number)

    def workstation(self, unit: int, number: int) -> tuple[str, str]:
        """Return name and address of a unit's workstation."""
        where = self.units[unit]
        return f"P{where.id[3:]}-{number:02d}", f"10.{20 + where.site}.{10 + unit}.{20 + number}"

    def home_host(self, person: Person) -> tuple[str, str]:
        """Return name and address that a person has from home, through the hospital's gateway."""
        return f"VPN-{person.identifier[1][-5:]}", f"10.90.{person.index // 200}.{person.index % 200 + 20}"
