"""A sensitive part of a record opened without an ordinary reason."""

from __future__ import annotations

from typing import Final

from models.phrases import by_chance, trait
from sentinel.core.detector import Card, Detector, Scope

DETECTOR: Final = Detector(
    name="sensitive_record",
    title_fr="Donnée sensible",
    title_en="A sensitive part of a record",
    scope=Scope.PATIENT,
    card=Card(
        what="The resource carries a sensitivity label, and nothing ordinary explains the access.",
        why="Psychiatry, HIV, addiction, abortion: the harm of a leak is greatest.",
        false_positives="Advice given without a trace.",
        needs=("AuditEvent.entity.securityLabel", "Encounter"),
        references=("HL7 v3-ActCode sensitivity",),
    ),
    match=lambda f: f.unexplained & (f["sensitive"] > 0),
    p_value=lambda f: by_chance(f, "sensitive"),
    say=lambda f, i: trait(f, i, "sensitive", "Donnée sensible ouverte", "A sensitive part of a record was opened"),
    group="protected",
)
