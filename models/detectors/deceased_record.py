"""The record of a dead patient opened without an ordinary reason."""

from __future__ import annotations

from typing import Final

from models.phrases import by_chance, trait
from sentinel.core.detector import Card, Detector, Scope

DETECTOR: Final = Detector(
    name="deceased_record",
    title_fr="Dossier d'un patient décédé",
    title_en="A dead patient's record",
    scope=Scope.PATIENT,
    card=Card(
        what="The patient died over a week ago, and nothing ordinary explains the access.",
        why="A check that medical information departments run by hand each month.",
        false_positives="Death certificates, late coding, claims.",
        needs=("Patient.deceasedDateTime", "Encounter"),
        references=("Practice of French medical information departments",),
    ),
    match=lambda f: f.unexplained & (f["deceased_days"] > 7),
    p_value=lambda f: by_chance(f, "deceased"),
    say=lambda f, i: trait(
        f,
        i,
        "deceased",
        "Dossier d'un patient décédé depuis plus de 7 jours ouvert",
        "The record of a patient dead for over 7 days was opened",
    ),
    group="past",
)
