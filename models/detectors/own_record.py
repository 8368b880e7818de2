"""A person at work opening their own record with their work account."""

from __future__ import annotations

from typing import Final

from models.phrases import french, percent, within_a_day
from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Detector, Facts, Scope, Words


def _say(facts: Facts, i: int) -> Words:
    share = float(facts.rate("own_record")[i])
    return Words(
        1,
        Usual(None, round(share, 6)),
        f"Propre dossier ouvert avec le compte professionnel ; {french(percent(share))} % des consultations sont dans ce cas.",
        f"Own record was opened with the work account; {percent(share)} % of openings are like this.",
    )


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
    p_value=lambda f: within_a_day(f, f.rate("own_record")),
    say=_say,
    weight=1.4,
)
