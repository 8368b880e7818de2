"""Far more records exported, printed or shared in a day than usual."""

from __future__ import annotations

from typing import Final

from models.phrases import volume
from sentinel.core.detector import Card, Detector, Evidence, Scope
from sentinel.core.event import Action
from sentinel.core.facts.baselines import daily_tail

MINIMUM: Final = 30  # exported in 24 h: below it no count is worth a person's time


DETECTOR: Final = Detector(
    name="mass_export",
    title_fr="Export massif",
    title_en="Mass export",
    scope=Scope.ACTOR,
    card=Card(
        what="Records exported in 24 h exceed what chance gives this person once in 10,000 days.",
        why="How whole files leave.",
        false_positives="Coding and research extracts by people who rarely make them.",
        needs=(),
        references=(),
    ),
    match=lambda f: (
        f.did(Action.EXPORT, Action.PRINT, Action.SHARE)
        & (f["exported_24h"] > f["exported_limit"])
        & (f["exported_24h"] >= MINIMUM)
    ),
    p_value=lambda f: daily_tail(f, "exported"),
    say=lambda f, i: volume(f, i, "exported", "dossiers exportés, imprimés ou partagés", "records exported, printed or shared"),
    evidence=Evidence.EXPORTED,
    weight=1.4,
)
