"""Break-glass without anything written in the record in the day that follows."""

from __future__ import annotations

from typing import Final

import numpy as np

from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Detector, Facts, Scope, Words, number


def _say(facts: Facts, i: int) -> Words:
    motive_fr, motive_en = ("avec motif", "with a motive") if facts.has_reason[i] else ("sans motif", "without a motive")
    return Words(
        1,
        Usual(number(facts, "emergencies_actor", i), number(facts, "emergencies_peers", i)),
        f"Accès d'urgence {motive_fr}, sans acte de la personne dans les 24 h.",
        f"Emergency access {motive_en}, and no act by the person within 24 h.",
    )


DETECTOR: Final = Detector(
    name="break_glass_no_act",
    title_fr="Accès d'urgence sans acte",
    title_en="Break-glass without an act",
    scope=Scope.PATIENT,
    card=Card(
        what="Emergency access to a record without an ordinary reason, and nothing written by the person within 24 h.",
        why="An emergency leaves traces.",
        false_positives="Emergencies documented by a colleague.",
        needs=(),
        references=(),
    ),
    match=lambda f: f.emergency & f.has_patient & ~(f["explained"] > 0),
    p_value=lambda f: np.where(f.has_reason, 3e-3, 3e-4),
    say=_say,
    after_hours=24,
)
