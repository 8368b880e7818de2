"""What analysts said of alerts, and how much it moves what is found later: by counts alone, so that no order matters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sentinel.core.context import Judgement, Verdict

VERDICTS_MAX: Final = 20_000  # years of a full budget; the one told first makes room
FACTOR_MIN, FACTOR_MAX = 0.5, 1.5  # of a finding's strength, whatever was said
PRIOR: Final = 1.0  # verdicts each way that a story begins with
_AGAINST: Final = frozenset({Judgement.JUSTIFIED, Judgement.ERROR})  # a test says nothing of the person, nor of the detector


@dataclass(slots=True)
class Feedback:
    """The last verdict on each alert, and which alerts are about whom."""

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    about: dict[str, list[str]] = field(default_factory=dict)

    def take(self, verdict: Verdict) -> set[str]:
        """Take a verdict in place of the one before on that alert; return the people whose confirmed cases may have changed."""
        gone = [self._drop(verdict.alert_id)]
        if len(self.verdicts) >= VERDICTS_MAX:
            gone.append(self._drop(next(iter(self.verdicts))))
        self.verdicts[verdict.alert_id] = verdict
        self.about.setdefault(verdict.actor_id, []).append(verdict.alert_id)
        return {one.actor_id for one in (verdict, *gone) if one is not None}

    def factor(self, actor: str, detector: str, patient: str) -> float:
        """Return what a finding's strength is multiplied by, in [`FACTOR_MIN`, `FACTOR_MAX`]; 1: nothing was said.

        Twice the share of misuse among the verdicts on the same story: this person, this detector and, unless it is
        empty, this patient. The share is the mean of a Beta law that begins with `PRIOR` each way.
        """
        misuse = against = PRIOR
        for alert in self.about.get(actor, ()):
            verdict = self.verdicts[alert]
            if detector in verdict.detectors and (not patient or patient in verdict.patients):
                misuse += verdict.judgement is Judgement.MISUSE
                against += verdict.judgement in _AGAINST
        return min(FACTOR_MAX, max(FACTOR_MIN, 2.0 * misuse / (misuse + against)))

    def confirmed_at(self, actor: str) -> int:
        """Return when misuse by a person was confirmed last, µs since 1970 UTC; 0: never."""
        told = (self.verdicts[alert] for alert in self.about.get(actor, ()))
        return max((one.decided_at for one in told if one.judgement is Judgement.MISUSE), default=0)

    def _drop(self, alert_id: str) -> Verdict | None:
        verdict = self.verdicts.pop(alert_id, None)
        if verdict is not None:
            self.about[verdict.actor_id].remove(alert_id)
            if not self.about[verdict.actor_id]:
                del self.about[verdict.actor_id]
        return verdict
