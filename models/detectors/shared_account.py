"""One account going back and forth between workstations."""

from __future__ import annotations

from typing import Final

from models.phrases import volume
from sentinel.core.detector import Card, Detector, Evidence, Scope
from sentinel.core.event import ActorType
from sentinel.core.facts.baselines import daily_tail

MINIMUM: Final = 5  # switches in 24 h: below it no count is worth a person's time


DETECTOR: Final = Detector(
    name="shared_account",
    title_fr="Compte partagé",
    title_en="Shared account",
    scope=Scope.ACTOR,
    card=Card(
        what="Returns to another workstation in 24 h exceed what chance gives this person once in 10,000 days.",
        why="Two people on one account: nobody is accountable. Programs, which run on several machines, are left out.",
        false_positives="Rounds with a trolley and a fixed workstation.",
        needs=(),
        references=(),
    ),
    match=lambda f: f.by(ActorType.HUMAN) & (f["switches_24h"] > f["switches_limit"]) & (f["switches_24h"] >= MINIMUM),
    p_value=lambda f: daily_tail(f, "switches"),
    say=lambda f, i: volume(
        f, i, "switches", "retours sur un autre poste en moins de 15 min", "returns to another workstation within 15 min"
    ),
    evidence=Evidence.NONE,
    weight=0.7,
    group="presence",
)
