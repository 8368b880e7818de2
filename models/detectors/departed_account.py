"""An account used after its person left."""

from __future__ import annotations

from typing import Final

import numpy as np

from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Detector, Facts, Scope, Words, number

GRACE_DAYS: Final = 1.0  # contracts end at midnight, shifts do not


def _say(facts: Facts, i: int) -> Words:
    days = number(facts, "departed_days", i, 0)
    return Words(
        days,
        Usual(0, 0),
        f"Compte utilisé {days} jours après la fin du dernier poste connu.",
        f"Account used {days} days after the person's last known position ended.",
    )


DETECTOR: Final = Detector(
    name="departed_account",
    title_fr="Compte d'une personne partie",
    title_en="Account of a person who left",
    scope=Scope.ACTOR,
    card=Card(
        what="The person's last position ended before the event.",
        why="The doctor who left months ago still has access.",
        false_positives="A renewal not yet recorded.",
        needs=("PractitionerRole",),
        references=("CNIL, guide de la sécurité des données personnelles (2024)",),
    ),
    match=lambda f: f["departed_days"] >= GRACE_DAYS,
    p_value=lambda f: np.clip(10.0 ** -(1.5 + f["departed_days"] / 2.5), 1e-8, 1.0),
    say=_say,
)
