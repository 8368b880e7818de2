"""Far more patients without any relation of care in a day than usual."""

from __future__ import annotations

from typing import Final

from models.phrases import volume
from sentinel.core.detector import Card, Detector, Evidence, Scope
from sentinel.core.facts.baselines import daily_tail

MINIMUM: Final = 4  # unexplained in 24 h: below it no count is worth a person's time


DETECTOR: Final = Detector(
    name="many_strangers",
    title_fr="Trop d'inconnus",
    title_en="Too many strangers",
    scope=Scope.ACTOR,
    card=Card(
        what="Distinct patients without an ordinary reason in 24 h exceed what chance gives this person once in 10,000 days.",
        why="Curiosity rarely stops at one.",
        false_positives="First day in a unit that the context does not know yet.",
        needs=("Encounter",),
        references=(),
    ),
    match=lambda f: f.unexplained & (f["unexplained_24h"] > f["unexplained_limit"]) & (f["unexplained_24h"] >= MINIMUM),
    p_value=lambda f: daily_tail(f, "unexplained"),
    say=lambda f, i: volume(f, i, "unexplained", "patients sans lien de soins", "patients with no relation of care"),
    evidence=Evidence.UNEXPLAINED,
)
