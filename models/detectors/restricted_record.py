"""A restricted record opened without an ordinary reason."""

from __future__ import annotations

from typing import Final

from models.phrases import by_chance, trait
from sentinel.core.detector import Card, Detector, Scope

DETECTOR: Final = Detector(
    name="restricted_record",
    title_fr="Dossier à accès restreint",
    title_en="A restricted record",
    scope=Scope.PATIENT,
    card=Card(
        what="The record is restricted or the patient objected, and nothing ordinary explains the access.",
        why="The patient asked for it.",
        false_positives="Advice given without a trace.",
        needs=("Patient.meta.security", "Encounter"),
        references=("HL7 v3-Confidentiality R",),
    ),
    match=lambda f: f.unexplained & (f["restricted"] > 0),
    p_value=lambda f: by_chance(f, "restricted"),
    say=lambda f, i: trait(f, i, "restricted", "Dossier à accès restreint ouvert", "A restricted record was opened"),
    group="protected",
)
