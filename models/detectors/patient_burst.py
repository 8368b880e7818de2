"""Many people without a reason on one record within days."""

from __future__ import annotations

from typing import Final

import numpy as np

from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Detector, Facts, Scope, Words, number

ACTORS_MIN: Final = 2.0


def _say(facts: Facts, i: int) -> Words:
    people = number(facts, "burst_actors", i, 0)
    return Words(
        people,
        Usual(None, 0),
        f"Environ {people} autres personnes sans raison trouvée sur ce dossier en trois jours.",
        f"About {people} other people without a reason on this record within three days.",
    )


DETECTOR: Final = Detector(
    name="patient_burst",
    title_fr="Afflux sur un dossier",
    title_en="A rush on one record",
    scope=Scope.PATIENT,
    card=Card(
        what="Several people without an ordinary reason opened this record in the last days.",
        why="The patient in the news.",
        false_positives="A new unit that the context does not know yet.",
        needs=("Encounter",),
        references=(),
    ),
    match=lambda f: f.unexplained & (f["burst_actors"] >= ACTORS_MIN),
    p_value=lambda f: 10.0 ** -np.clip(0.7 * f["burst_actors"], 0, 6),
    say=_say,
)
