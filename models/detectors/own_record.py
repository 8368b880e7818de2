"""A person at work opening their own record with their work account."""

from __future__ import annotations

from typing import Final

from models.phrases import rate_of, trait
from sentinel.core.detector import Card, Detector, Scope

DETECTOR: Final = Detector(
    name="own_record",
    title_fr="Propre dossier",
    title_en="One's own record",
    scope=Scope.PATIENT,
    card=Card(
        what="The patient is the person themself, through a work account.",
        why="Forbidden in most French hospitals: the patient's own access goes through the portal.",
        false_positives="Test of an application by its trainer.",
        needs=("Patient", "Practitioner"),
        references=(),
    ),
    match=lambda f: f["own_record"] > 0,
    p_value=lambda f: rate_of(f, "own_record"),
    say=lambda f, i: trait(
        f, i, "own_record", "Propre dossier ouvert avec le compte professionnel", "Own record was opened with the work account"
    ),
)
