"""Whom people have reason to work on during a shift, each role by what its work hangs on."""

from __future__ import annotations

from dataclasses import dataclass

from .care import Care, Segment
from .clock import DAY, HOUR, Clock
from .draw import Draw
from .roster import DUTY, DUTY_DAY, Shift
from .units import Unit

NURSING = frozenset({"nurse", "er_nurse", "float", "midwife", "aide"})


@dataclass(slots=True)
class Charge:
    """A patient whom someone has reason to work on, from one instant to another."""

    patient: int
    start: float
    end: float
    weight: float = 1.0
    emergency: bool = False


class Caseload:
    """Looks up the care of the hospital for whom a shift is about."""

    def __init__(self, clock: Clock, units: list[Unit], care: Care) -> None:
        """Keep the hospital's parts."""
        self.clock, self.units, self.care = clock, units, care

    def charges(self, shift: Shift, draw: Draw) -> list[Charge]:
        """Return whom a person has reason to work on during a shift."""
        key, kind = shift.person.role.key, self.units[shift.unit].kind
        if shift.letter in (DUTY, DUTY_DAY):
            return self._on_duty(shift)
        if key == "clerk":
            return self._arrivals(shift)
        if kind.key == "dim":
            return self._coding(shift)
        if kind.orders:
            return self._asked(shift)
        if key == "secretary":
            return self._desk(shift, draw)
        if key in NURSING:
            return self._inpatients(shift, draw, 10)
        return self._medical(shift, draw)

    def _medical(self, shift: Shift, draw: Draw) -> list[Charge]:
        """Return the patients of a physician or an intern, in the unit's beds, lent beds, consultations and letters."""
        hosted = self.care.hosted.get((shift.unit, shift.day), [])
        found = self._inpatients(shift, draw, 16) + [Charge(s.patient, s.start, s.end) for s in hosted]
        found = [charge for charge in found if charge.start < shift.end - 600 and charge.end > shift.start + 600]
        if shift.person.role.physician:
            found += self._clinic(shift) + self._followed(shift, shift.unit, draw) + self._advice(shift) + self._board(shift)
        else:
            found += self._handed_over(shift, draw)
        return found

    def _inpatients(self, shift: Shift, draw: Draw, most: int) -> list[Charge]:
        """Return a part of the unit's patients, some of whom draw more work than others."""
        found = self._in_unit(shift.unit, shift)
        first = draw.below(max(1, len(found)))
        mine = (found + found)[first : first + min(most, len(found))]
        emergency = self.units[shift.unit].kind.key == "emergency"
        return [Charge(s.patient, s.start - 900, s.end + 5400, 0.5 + draw.wait(1), emergency) for s in mine]

    def _in_unit(self, unit: int, shift: Shift) -> list[Segment]:
        days = {shift.day, self.clock.day_of(shift.end)}
        found = {id(s): s for day in sorted(days) for s in self.care.present.get((unit, day), [])}
        return [s for s in found.values() if s.start < shift.end - 600 and s.end > shift.start + 600]

    def _on_duty(self, shift: Shift) -> list[Charge]:
        """Return the patients of all wards of the site: at night one team has them all."""
        site = self.units[shift.unit].site
        wards = [unit.index for unit in self.units if unit.beds and unit.site == site]
        found = [s for unit in wards for s in self._in_unit(unit, shift)]
        return [Charge(s.patient, s.start - 900, s.end + 900, emergency=s.start > shift.start) for s in found]

    def _clinic(self, shift: Shift) -> list[Charge]:
        booked = self.care.agendas.get((shift.person.index, shift.day), [])
        return [Charge(b.patient, b.start - 2400, b.start + 3600, 2.0) for b in booked if b.start + 1800 < shift.end]

    def _followed(self, shift: Shift, unit: int, draw: Draw) -> list[Charge]:
        """Return patients who left lately (letters to sign, late results), and one or two of the months before."""
        recent = [stay for back in range(1, 12) for stay in self.care.left.get((unit, shift.day - back), [])]
        older = [stay for back in range(12, 60) for stay in self.care.left.get((unit, shift.day - back), [])]
        found = [Charge(stay.patient, shift.start, shift.end, 0.4) for stay in draw.sample(recent, 8)]
        return found + [Charge(stay.patient, shift.start, shift.end, 0.25) for stay in draw.sample(older, 2)]

    def _handed_over(self, shift: Shift, draw: Draw) -> list[Charge]:
        """Return, for ten days after a rotation, patients of the unit left behind: letters still to finish."""
        moved, posts = shift.person.posts[-1][0], shift.person.posts
        if len(posts) < 2 or not 0 <= shift.day - moved < 10:
            return []
        return [Charge(c.patient, c.start, c.end, 0.3) for c in self._followed(shift, posts[-2][1], draw)]

    def _advice(self, shift: Shift) -> list[Charge]:
        asked = self.care.advice.get((shift.person.index, shift.day), [])
        return [Charge(patient, shift.start, shift.end, 0.7) for patient in asked]

    def _board(self, shift: Shift) -> list[Charge]:
        teams = [t for t in self.care.boards.get(shift.day, []) if shift.person.index in t.members]
        return [Charge(team.patient, team.start, team.end, 1.5) for team in teams]

    def _desk(self, shift: Shift, draw: Draw) -> list[Charge]:
        clinics = [b for later in range(6) for b in self.care.clinics.get((shift.unit, shift.day + later), [])]
        found = [Charge(b.patient, shift.start, shift.end) for b in clinics if b.booked < shift.start]
        found += [Charge(s.patient, s.start, s.end + DAY) for s in self._in_unit(shift.unit, shift)]
        return found + self._followed(shift, shift.unit, draw)

    def _arrivals(self, shift: Shift) -> list[Charge]:
        came = [stay for day in (shift.day - 1, shift.day) for stay in self.care.came.get(day, [])]
        found = [Charge(s.patient, s.start - 600, s.start + 20 * HOUR) for s in came if s.start < shift.end - 900]
        return [charge for charge in found if charge.end > shift.start + 900]

    def _coding(self, shift: Shift) -> list[Charge]:
        """Return stays that ended three to twenty days ago, shared between the coders by their place."""
        days = range(shift.day - 20, shift.day - 2)
        left = [s for day in days for unit in range(len(self.units)) for s in self.care.left.get((unit, day), [])]
        mine = [s for i, s in enumerate(left) if i % 5 == (shift.person.index + shift.day) % 5]
        return [Charge(stay.patient, shift.start, shift.end) for stay in mine]

    def _asked(self, shift: Shift) -> list[Charge]:
        orders = [o for day in (shift.day - 1, shift.day) for o in self.care.asked.get((shift.unit, day), [])]
        found = [Charge(o.patient, o.at, o.at + 30 * HOUR) for o in orders if o.at < shift.end - 900]
        return [charge for charge in found if charge.end > shift.start + 900]
