"""The simulated hospital: its people and its care made once, its days one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .audit import Deed, Scribe, SimulatedEvent
from .care import CarePlanner
from .clock import Clock
from .context import Context
from .interfaces import Interfaces
from .misuse import incidents
from .people import enrol, hire
from .roster import Roster
from .settings import HospitalSettings
from .units import plan_units
from .work import Work


class Hospital:
    """A French hospital of two sites, with its staff, patients and applications."""

    def __init__(self, settings: HospitalSettings | None = None) -> None:
        """Make people, units, rosters and care; events are made when asked for."""
        self.settings = settings = settings or HospitalSettings()
        self.clock = clock = Clock(settings.start, settings.timezone)
        self.units = plan_units(settings)
        self.people = hire(settings, self.units)
        self.patients = enrol(settings, self.people, clock.midnight(0))
        self.care = CarePlanner(settings, clock, self.units, self.people, self.patients).plan()
        self.roster = Roster(settings, clock, self.people, self.units)
        self.work = Work(settings, clock, self.units, self.roster, self.care, self.patients)
        self.interfaces = Interfaces(settings, clock, self.care, self.patients, self.roster)
        self.scribe = Scribe(settings.seed, clock)

    def context(self) -> dict[str, Iterable[bytes]]:
        """Return, for each FHIR R4 resource type, its resources as lines of JSON, without newlines."""
        parts = self.units, self.people, self.patients, self.care, self.roster
        return Context(self.settings, self.clock, *parts).resources()

    def events(self) -> Iterator[SimulatedEvent]:
        """Yield all events in order of time; no more than two days' are held at once, and the misuse."""
        yield from (event for _, events in self.days() for event in events)

    def days(self) -> Iterator[tuple[int, list[SimulatedEvent]]]:
        """Yield each local day from 0 with its events in order of time; the last has the night after it too."""
        misuse = iter(sorted(self._misuse()))
        planned = next(misuse, None)
        kept: list[SimulatedEvent] = []
        for day in range(-1, self.settings.days):
            end = self.clock.midnight(day + 1) * 1_000_000
            batch = kept + self._ordinary(day)
            while planned is not None and (planned.occurred_at_us < end or day == self.settings.days - 1):
                batch.append(planned)
                planned = next(misuse, None)
            batch.sort()
            last = day == self.settings.days - 1
            kept = [] if last else [event for event in batch if event.occurred_at_us >= end]
            if day >= 0:
                begin = self.clock.midnight(day) * 1_000_000
                yield day, [e for e in batch if begin <= e.occurred_at_us and (last or e.occurred_at_us < end)]

    def _ordinary(self, day: int) -> list[SimulatedEvent]:
        events = [
            event
            for person in self.people
            for shift in self.roster.shifts(person, day)
            for event in self._written(f"{person.login}|{day}|{shift.letter}", self.work.deeds(shift))
        ]
        return events + self._written(f"interfaces|{day}", self.interfaces.deeds(day))

    def _written(self, key: str, deeds: Iterable[Deed]) -> list[SimulatedEvent]:
        return [self.scribe.write(deed, f"{key}|{n}") for n, deed in enumerate(deeds)]

    def _misuse(self) -> Iterator[SimulatedEvent]:
        for incident in incidents(self.work):
            for n, deed in enumerate(incident.deeds):
                yield self.scribe.write(deed, f"{incident.case}|{n}", incident.kind, incident.case)
