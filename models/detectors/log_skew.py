"""A source whose clock moved: its events come from the future, or later than they used to."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.phrases import french, told
from sentinel.core.alert import Usual
from sentinel.core.detector import P_MIN, Card, Column, Detector, Facts, Scope, Words, number

SECONDS_MIN: Final = 60.0  # below it clocks differ as clocks do
CHANCE_MAX: Final = 1e-3  # that delays as uneven as this source's differ by as much


def _chance(facts: Facts) -> Column:
    chance: Column = np.clip(np.exp(-np.abs(facts["log_skew_seconds"]) / np.maximum(facts["log_skew_spread"], 1.0)), P_MIN, 1.0)
    return chance


def _say(facts: Facts, i: int) -> Words:
    skew, spread = number(facts, "log_skew_seconds", i, 0), number(facts, "log_skew_spread", i, 0)
    fr, en = ("en avance", "ahead") if (skew or 0) < 0 else ("en retard", "behind")
    seconds = abs(skew or 0)
    return Words(
        skew,
        Usual(0, None),
        f"Horloge de cette source {fr} de {french(told(seconds))} s ; d'ordinaire à {french(told(spread))} s près.",
        f"This source's clock is {told(seconds)} s {en}; usually within {told(spread)} s.",
    )


DETECTOR: Final = Detector(
    name="log_skew",
    title_fr="Horloge déréglée",
    title_en="A clock that moved",
    scope=Scope.SOURCE,
    card=Card(
        what="The least time from an event to its receipt, over an hour of twenty events at least, differs from what it was by "
        "a minute or more, or events are received before they occurred.",
        why="With its clock moved, an access at night is one at noon, and an order of events proves nothing.",
        false_positives="A connector that fell behind for more than an hour. Files replayed later tell no time of receipt, so "
        "nothing is found in them.",
        needs=(),
        references=("IHE ITI TF-1, Consistent Time", "ISO 27789:2021, 9"),
    ),
    match=lambda f: (np.abs(f["log_skew_seconds"]) >= SECONDS_MIN) & (_chance(f) < CHANCE_MAX),
    p_value=_chance,
    say=_say,
    weight=0.7,
    measured=False,
)
