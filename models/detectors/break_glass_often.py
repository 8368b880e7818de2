"""Break-glass more often than the person and peers."""

from __future__ import annotations

from typing import Final

from models.phrases import volume
from sentinel.core.detector import Card, Detector, Evidence, Scope
from sentinel.core.facts.baselines import daily_tail

MINIMUM: Final = 3  # emergencies in 24 h: below it no count is worth a person's time


DETECTOR: Final = Detector(
    name="break_glass_often",
    title_fr="Accès d'urgence répétés",
    title_en="Break-glass too often",
    scope=Scope.ACTOR,
    card=Card(
        what="Break-glass in 24 h exceeds what chance gives this person once in 10,000 days.",
        why="Emergency access becomes a habit when nobody looks.",
        false_positives="Mass casualty days.",
        needs=(),
        references=(),
    ),
    match=lambda f: f.emergency & (f["emergencies_24h"] > f["emergencies_limit"]) & (f["emergencies_24h"] >= MINIMUM),
    p_value=lambda f: daily_tail(f, "emergencies"),
    say=lambda f, i: volume(f, i, "emergencies", "accès d'urgence", "emergency accesses"),
    evidence=Evidence.EMERGENCIES,
)
