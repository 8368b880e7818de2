"""The record of somebody who lives in the same street."""

from __future__ import annotations

from typing import Final

from models.phrases import by_chance, trait
from sentinel.core.detector import Card, Detector, Scope

DETECTOR: Final = Detector(
    name="neighbour_record",
    title_fr="Dossier d'un voisin",
    title_en="A neighbour's record",
    scope=Scope.PATIENT,
    card=Card(
        what="Patient and person live in the same street, and nothing ordinary explains the access.",
        why="Curiosity about people one meets.",
        false_positives="Long streets of large towns.",
        needs=("Patient.address", "Practitioner.address", "Encounter"),
        references=("Boxwala et al., JAMIA 18:498 (2011)",),
    ),
    match=lambda f: f.unexplained & (f["same_street"] > 0),
    p_value=lambda f: by_chance(f, "street"),
    say=lambda f, i: trait(
        f, i, "street", "Dossier d'une personne de la même rue ouvert", "The record of someone in the same street was opened"
    ),
    group="kin",
)
