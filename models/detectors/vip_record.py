"""The record of a public figure opened without an ordinary reason."""

from __future__ import annotations

from typing import Final

from models.phrases import by_chance, trait
from sentinel.core.detector import Card, Detector, Scope

DETECTOR: Final = Detector(
    name="vip_record",
    title_fr="Dossier d'une personnalité",
    title_en="A public figure's record",
    scope=Scope.PATIENT,
    card=Card(
        what="The record is marked VIP, and nothing ordinary explains the access.",
        why="Press leaks start here.",
        false_positives="Advice given without a trace.",
        needs=("Patient.meta.security", "Encounter"),
        references=("HL7 v3-ActCode CEL",),
    ),
    match=lambda f: f.unexplained & (f["vip"] > 0),
    p_value=lambda f: by_chance(f, "vip"),
    say=lambda f, i: trait(f, i, "vip", "Dossier d'une personnalité ouvert", "A public figure's record was opened"),
    group="protected",
)
