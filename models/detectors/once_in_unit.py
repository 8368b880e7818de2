"""The record of a patient whom the person's unit cared for, and who left long ago."""

from __future__ import annotations

from typing import Final

from models.phrases import by_chance, trait
from sentinel.core.detector import Card, Detector, Scope

DETECTOR: Final = Detector(
    name="once_in_unit",
    title_fr="Patient parti depuis longtemps",
    title_en="A patient who left the unit long ago",
    scope=Scope.PATIENT,
    card=Card(
        what="The patient stayed in one of the person's units, left over a month ago, and nothing ordinary explains the access.",
        why="People remember former patients, and look how they are, or where they live.",
        false_positives="Late letters, complaints, research.",
        needs=("Encounter", "PractitionerRole"),
        references=("Practice of French medical information departments",),
    ),
    match=lambda f: f.unexplained & (f["once_here"] > 0),
    p_value=lambda f: by_chance(f, "once_here"),
    say=lambda f, i: trait(
        f,
        i,
        "once_here",
        "Dossier d'un patient parti de l'unité depuis plus d'un mois ouvert",
        "The record of a patient who left the unit over a month ago was opened",
    ),
    group="past",
)
