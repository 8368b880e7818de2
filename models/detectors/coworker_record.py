"""A colleague's record opened without an ordinary reason."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.phrases import by_chance, trait
from sentinel.core.detector import Card, Detector, Scope

DETECTOR: Final = Detector(
    name="coworker_record",
    title_fr="Dossier d'un collègue",
    title_en="A colleague's record",
    scope=Scope.PATIENT,
    card=Card(
        what="The patient is a person at work here, and nothing ordinary explains the access.",
        why="The commonest curiosity, and the one that hurts most at work.",
        false_positives="A colleague's friend asked for help; occupational health.",
        needs=("Patient", "Practitioner", "Encounter"),
        references=("Boxwala et al., JAMIA 18:498 (2011)",),
    ),
    match=lambda f: f.unexplained & (f["coworker"] > 0),
    p_value=lambda f: np.where(f["coworker"] == 2, by_chance(f, "team"), by_chance(f, "coworker")),
    say=lambda f, i: trait(f, i, "coworker", "Dossier d'un membre du personnel ouvert", "A staff member's record was opened"),
    group="colleague",
)
