"""What analysts said of alerts, and how much it moves what is found later: by counts alone, so that no order matters."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, log
from typing import Final

from sentinel.core.context import Judgement, Verdict

VERDICTS_MAX: Final = 20_000  # years of a full budget; the one told first makes room
FACTOR_MIN, FACTOR_MAX = 0.5, 1.5  # of a finding's strength, whatever was said
OWN_PRIOR: Final = 1.0  # verdicts each way that a person's own are held against …
ALL_PRIOR: Final = 4.0  # … and everybody's on that detector
ALL_WEIGHT: Final = 0.5  # what is said of others counts half
_AGAINST: Final = frozenset({Judgement.JUSTIFIED, Judgement.ERROR})  # a test says nothing of the person, nor of the detector


@dataclass(slots=True)
class Said:
    """How many alerts that a detector had a part in were misuse, and how many were not."""

    misuse: int = 0
    not_misuse: int = 0

    def count(self, judgement: Judgement, step: int) -> None:
        """Count a verdict once more (`step` 1), or take it back (-1)."""
        self.misuse += step * (judgement is Judgement.MISUSE)
        self.not_misuse += step * (judgement in _AGAINST)

    def log_odds(self, prior: float) -> float:
        """Return the log-odds of misuse, 0 before anything was said: the mean of a Beta law that `prior` each way begins with."""
        return log((self.misuse + prior) / (self.not_misuse + prior))


_NOTHING: Final = Said()


@dataclass(slots=True)
class Feedback:
    """The last verdict on each alert, and what they add up to for a person and a detector, and for a detector."""

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    own: dict[tuple[str, str], Said] = field(default_factory=dict)
    everyone: dict[str, Said] = field(default_factory=dict)

    def take(self, verdict: Verdict) -> set[str]:
        """Take a verdict in place of the one before on that alert; return the people whose confirmed cases may have changed."""
        gone = [self._drop(verdict.alert_id)]
        if len(self.verdicts) >= VERDICTS_MAX:
            gone.append(self._drop(next(iter(self.verdicts))))
        self.verdicts[verdict.alert_id] = verdict
        self._count(verdict, 1)
        return {one.actor_id for one in (verdict, *gone) if one is not None}

    def factor(self, actor: str, detector: str) -> float:
        """Return what a finding's strength is multiplied by, in [`FACTOR_MIN`, `FACTOR_MAX`]; 1: nothing was said."""
        if not self.everyone:
            return 1.0
        own, everyone = self.own.get((actor, detector), _NOTHING), self.everyone.get(detector, _NOTHING)
        odds = own.log_odds(OWN_PRIOR) + ALL_WEIGHT * everyone.log_odds(ALL_PRIOR)
        return min(FACTOR_MAX, max(FACTOR_MIN, 2.0 / (1.0 + exp(-odds))))

    def confirmed_at(self, actor: str) -> int:
        """Return when misuse by a person was confirmed last, µs since 1970 UTC; 0: never."""
        cases = (one.decided_at for one in self.verdicts.values() if one.actor_id == actor and one.judgement is Judgement.MISUSE)
        return max(cases, default=0)

    def _drop(self, alert_id: str) -> Verdict | None:
        verdict = self.verdicts.pop(alert_id, None)
        if verdict is not None:
            self._count(verdict, -1)
        return verdict

    def _count(self, verdict: Verdict, step: int) -> None:
        for detector in verdict.detectors:
            for said in (
                self.own.setdefault((verdict.actor_id, detector), Said()),
                self.everyone.setdefault(detector, Said()),
            ):
                said.count(verdict.judgement, step)
            if self.own[verdict.actor_id, detector] == Said():
                del self.own[verdict.actor_id, detector]
