"""Strangers' records opened at an hour when neither the person nor their peers work."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.phrases import french, percent
from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Detector, Facts, Scope, Words, number
from sentinel.core.event import ActorType

SHARE_MAX: Final = 0.003


def _say(facts: Facts, i: int) -> Words:
    share = number(facts, "hour_share", i, 4)
    return Words(
        share,
        Usual(share, None),
        f"Heure où cette personne et ses pairs ne travaillent presque jamais ({french(percent(share or 0))} % de l'activité).",
        f"An hour at which this person and their peers hardly ever work ({percent(share or 0)} % of activity).",
    )


DETECTOR: Final = Detector(
    name="off_hours",
    title_fr="Heure inhabituelle",
    title_en="Unusual hour",
    scope=Scope.ACTOR,
    card=Card(
        what="A record is opened at an hour on which under 0.3 % of the hours at work of the person and their peers fall.",
        why="Curiosity waits for quiet hours.",
        false_positives="Overtime, replaced shifts.",
        needs=(),
        references=(),
    ),
    match=lambda f: f.by(ActorType.HUMAN) & f.has_patient & (f["hour_share"] < SHARE_MAX),
    p_value=lambda f: np.clip(f["hour_share"] * 3, 1e-4, 1.0),
    say=_say,
    weight=0.7,
)
