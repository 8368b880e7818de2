"""A few strangers' records a day, for days or weeks: each day passes, their sum does not."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.phrases import french, told
from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Detector, Evidence, Facts, Scope, Words, number

DRIFT_MIN: Final = 5.0  # nats: once in 150 by chance


def _say(facts: Facts, i: int) -> Words:
    own, peers = number(facts, "unexplained_actor", i), number(facts, "unexplained_peers", i)
    return Words(
        own,
        Usual(None, peers),
        f"Depuis plusieurs jours, {french(told(own))} dossiers par jour ouverts sans raison ordinaire ; "
        f"{french(told(peers))} pour les pairs.",
        f"For several days, {told(own)} records a day opened with no ordinary reason; {told(peers)} for peers.",
    )


DETECTOR: Final = Detector(
    name="low_and_slow",
    title_fr="Curiosité au long cours",
    title_en="Low and slow",
    scope=Scope.ACTOR,
    card=Card(
        what="Over days or weeks the person opens more records without an ordinary reason than they and their peers used to.",
        why="Who knows of daily limits stays below them.",
        false_positives="A change of work that the context does not know.",
        needs=("Encounter",),
        references=("Page, Continuous inspection schemes, Biometrika 41 (1954)",),
    ),
    match=lambda f: f.unexplained & (f["strangers_drift"] >= DRIFT_MIN),
    p_value=lambda f: np.exp(-f["strangers_drift"]),
    say=_say,
    evidence=Evidence.UNEXPLAINED,
)
