"""The record of a patient not cared for here for half a year."""

from __future__ import annotations

from typing import Final

from models.phrases import by_chance, trait
from sentinel.core.detector import Card, Detector, Scope
from sentinel.core.facts.declare import CARE_GAP_DAYS

DETECTOR: Final = Detector(
    name="former_patient",
    title_fr="Ancien patient",
    title_en="A former patient",
    scope=Scope.PATIENT,
    card=Card(
        what="No stay or visit for 180 days, and nothing ordinary explains the access.",
        why="Former partners, former neighbours, former patients.",
        false_positives="Research, claims, letters to other hospitals.",
        needs=("Encounter",),
        references=("Practice of French medical information departments",),
    ),
    match=lambda f: f.unexplained & ~(f["care_gap_days"] <= CARE_GAP_DAYS),
    p_value=lambda f: by_chance(f, "care_gap"),
    say=lambda f, i: trait(
        f,
        i,
        "care_gap",
        "Dossier d'un patient sans prise en charge connue depuis 180 jours ouvert",
        "The record of a patient with no known care for 180 days was opened",
    ),
    group="past",
)
