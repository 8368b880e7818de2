"""Far more searches in a day than usual."""

from __future__ import annotations

from typing import Final

from models.phrases import beyond_usual, volume
from sentinel.core.detector import Card, Detector, Evidence, Scope
from sentinel.core.event import Action
from sentinel.core.facts.baselines import daily_tail

MINIMUM: Final = 10  # searches in 24 h: below it no count is worth a person's time


DETECTOR: Final = Detector(
    name="name_probing",
    title_fr="Recherches répétées",
    title_en="Name probing",
    scope=Scope.ACTOR,
    card=Card(
        what="Searches in 24 h exceed what chance gives this person once in 10,000 days.",
        why="Looking for people by trying names.",
        false_positives="Admission desks on a busy day.",
        needs=(),
        references=(),
    ),
    match=lambda f: f.did(Action.SEARCH) & beyond_usual(f, "searches", MINIMUM),
    p_value=lambda f: daily_tail(f, "searches"),
    say=lambda f, i: volume(f, i, "searches", "recherches", "searches"),
    evidence=Evidence.SEARCHES,
)
