"""One account active at two sites within minutes."""

from __future__ import annotations

from typing import Final

import numpy as np

from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Detector, Facts, Scope, Words, number
from sentinel.core.event import ActorType

MINUTES_MAX: Final = 10.0


def _say(facts: Facts, i: int) -> Words:
    minutes = number(facts, "other_site_minutes", i, 0)
    return Words(
        minutes,
        Usual(None, None),
        f"Activité sur un autre site {minutes} min plus tôt.",
        f"Active at another site {minutes} min earlier.",
    )


DETECTOR: Final = Detector(
    name="impossible_presence",
    title_fr="Présence impossible",
    title_en="Impossible presence",
    scope=Scope.ACTOR,
    card=Card(
        what="Activity at another site less than 10 minutes before.",
        why="Nobody is in two places: an account is shared or stolen.",
        false_positives="Remote access; two sites behind one name.",
        needs=(),
        references=(),
    ),
    match=lambda f: f.by(ActorType.HUMAN) & (f["other_site_minutes"] < MINUTES_MAX) & (f["site_crossings"] >= 1),
    p_value=lambda f: 10.0 ** -np.clip(1.5 + 0.5 * f["site_crossings"], 2.0, 6.0),
    say=_say,
    group="presence",
)
