"""Far more distinct patients in a day than usual for the person and the role."""

from __future__ import annotations

from typing import Final

from models.phrases import volume
from sentinel.core.detector import Card, Detector, Evidence, Scope
from sentinel.core.facts.baselines import daily_tail

MINIMUM: Final = 15  # patients in 24 h: below it no count is worth a person's time


DETECTOR: Final = Detector(
    name="many_patients",
    title_fr="Trop de patients",
    title_en="Too many patients",
    scope=Scope.ACTOR,
    card=Card(
        what="Distinct patients in 24 h exceed what chance gives this person once in 10,000 days.",
        why="Browsing and scraping show in the count before anything else.",
        false_positives="Screening campaigns, replacing several colleagues.",
        needs=(),
        references=(),
    ),
    match=lambda f: f.has_patient & (f["patients_24h"] > f["patients_limit"]) & (f["patients_24h"] >= MINIMUM),
    p_value=lambda f: daily_tail(f, "patients"),
    say=lambda f, i: volume(f, i, "patients", "patients distincts", "distinct patients"),
    evidence=Evidence.UNEXPLAINED,
    weight=0.7,
)
