"""Far more deletions in a day than usual."""

from __future__ import annotations

from typing import Final

from models.phrases import volume
from sentinel.core.detector import Card, Detector, Evidence, Scope
from sentinel.core.event import Action
from sentinel.core.facts.baselines import daily_tail

MINIMUM: Final = 10  # deleted in 24 h: below it no count is worth a person's time


DETECTOR: Final = Detector(
    name="mass_deletion",
    title_fr="Suppression massive",
    title_en="Mass deletion",
    scope=Scope.ACTOR,
    card=Card(
        what="Deletions in 24 h exceed what chance gives this person once in 10,000 days.",
        why="Revenge, ransomware, covering tracks.",
        false_positives="Clean-up of test data or duplicates.",
        needs=(),
        references=(),
    ),
    match=lambda f: f.did(Action.DELETE) & (f["deleted_24h"] > f["deleted_limit"]) & (f["deleted_24h"] >= MINIMUM),
    p_value=lambda f: daily_tail(f, "deleted"),
    say=lambda f, i: volume(f, i, "deleted", "suppressions", "deletions"),
    evidence=Evidence.DELETED,
    weight=1.4,
)
