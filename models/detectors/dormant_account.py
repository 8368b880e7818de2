"""An account used after weeks of silence."""

from __future__ import annotations

from typing import Final

import numpy as np

from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Detector, Facts, Scope, Words, number

DAYS_MIN: Final = 16.0


def _say(facts: Facts, i: int) -> Words:
    days = number(facts, "dormant_days", i, 0)
    return Words(
        days,
        Usual(None, None),
        f"Compte silencieux pendant {days} jours, puis utilisé.",
        f"Account silent for {days} days, then used.",
    )


DETECTOR: Final = Detector(
    name="dormant_account",
    title_fr="Compte dormant",
    title_en="Dormant account",
    scope=Scope.ACTOR,
    card=Card(
        what="No event of this account for 16 days or more before this one.",
        why="Forgotten accounts are taken over.",
        false_positives="Long leave, part-time consultants.",
        needs=(),
        references=(),
    ),
    match=lambda f: (f["dormant_days"] >= DAYS_MIN) & ~(f["departed_days"] >= 1),
    p_value=lambda f: np.clip(10.0 ** (-f["dormant_days"] / 8.0), 1e-6, 1.0),
    say=_say,
)
