"""The record of a minor opened without an ordinary reason."""

from __future__ import annotations

from typing import Final

from models.phrases import by_chance, trait
from sentinel.core.detector import Card, Detector, Scope
from sentinel.core.facts.declare import ADULT_YEARS

DETECTOR: Final = Detector(
    name="minor_record",
    title_fr="Dossier d'un mineur",
    title_en="A minor's record",
    scope=Scope.PATIENT,
    card=Card(
        what="The patient is under 18, and nothing ordinary explains the access.",
        why="Custody disputes, child protection: minors cannot defend themselves, and the law protects them more.",
        false_positives="Paediatric advice that leaves no trace: where it is usual for the role, the finding weighs little.",
        needs=("Patient.birthDate", "Encounter"),
        references=("GDPR, recital 38",),
    ),
    match=lambda f: f.unexplained & (f["age_years"] < ADULT_YEARS),
    p_value=lambda f: by_chance(f, "minor"),
    say=lambda f, i: trait(f, i, "minor", "Dossier d'un mineur ouvert", "A minor's record was opened"),
    weight=0.4,
    group="protected",
)
