"""How often each detector finds something on an ordinary day of each role: measured here, whatever the detector declares.

A detector declares how often chance gives what it saw. A hospital may know better: where technicians use rights they
changed every day, or one name stands for two sites, a finding of that kind says little, and is weighed accordingly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import log10
from typing import Final, NamedTuple

from sentinel.core.detector import P_MIN

BINS: Final = 25  # of -log10 p, each half as wide as a factor of ten
HOUSE: Final = ""  # all people together
DECLARED_DAYS: Final = 300.0  # days of people that what is declared counts for in the whole house's share …
HOUSE_DAYS: Final = 50.0  # … and the whole house in a role's
RAISED_COUNTS: Final = 0.3  # of a finding in an alert: it may be the misuse that is looked for


class Found(NamedTuple):
    """How many people of a role, on the day that ends, had a finding of a detector: at most one a person, the strongest."""

    role: str
    detector: str
    strength: int  # bin
    raised: bool  # in an alert
    people: int


@lru_cache(maxsize=4_096)  # many detectors give one of a few p-values
def strength_bin(p_value: float) -> int:
    """Return the bin of a p-value, in [0, BINS)."""
    return min(BINS - 1, int(-2 * log10(max(p_value, P_MIN)) + 1e-9))


@dataclass(slots=True)
class Habits:
    """Days of people at work, and on how many of them each detector found something as strong, by role; they fade alike."""

    days: dict[str, float] = field(default_factory=dict)
    reached: dict[tuple[str, str], list[float]] = field(default_factory=dict)  # role and detector -> by bin, it or a stronger one

    def chance(self, role: str, detector: str, p_value: float) -> float:
        """Return how often an ordinary day of that role holds such a finding, in (0, 1]; never less than declared."""
        at = strength_bin(p_value)
        house = self._share(HOUSE, detector, at, p_value, DECLARED_DAYS)
        return min(1.0, max(p_value, self._share(role, detector, at, house, HOUSE_DAYS)))

    def _share(self, role: str, detector: str, at: int, prior: float, prior_days: float) -> float:
        reached = self.reached.get((role, detector))
        return ((reached[at] if reached else 0.0) + prior * prior_days) / (self.days.get(role, 0.0) + prior_days)

    def close_day(self, days: Mapping[str, float], found: Iterable[Sequence[Found]], kept: float) -> None:
        """Add a day: how many of each role were at work, what was found on them, told in parts; `kept` is left of what was."""
        self.days = {role: n * kept for role, n in self.days.items()}
        self.reached = {key: [n * kept for n in counts] for key, counts in self.reached.items()}
        for role, people in days.items():
            for name in {role, HOUSE}:
                self.days[name] = self.days.get(name, 0.0) + people
        total: dict[tuple[str, str, int], float] = {}
        for one in sorted(one for part in found for one in part):
            weight = one.people * (RAISED_COUNTS if one.raised else 1.0)
            for name in {one.role, HOUSE}:
                total[name, one.detector, one.strength] = total.get((name, one.detector, one.strength), 0.0) + weight
        for (name, detector, strength), weight in total.items():
            counts = self.reached.setdefault((name, detector), [0.0] * BINS)
            for at in range(strength + 1):
                counts[at] += weight
