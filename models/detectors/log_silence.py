"""A source of events that fell silent against its own rhythm."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.phrases import french, told
from sentinel.core.alert import Usual
from sentinel.core.detector import P_MIN, Card, Detector, Facts, Scope, Words, number

EVENTS_MIN: Final = 10.0  # that even the quietest of such hours held
CHANCE_MAX: Final = 1e-3  # that the source's own rhythm gives such a silence


def _say(facts: Facts, i: int) -> Words:
    hours, missed = number(facts, "log_silent_hours", i, 0), number(facts, "log_missed", i, 0)
    return Words(
        0,
        Usual(missed, None),
        f"Journal muet depuis {french(told(hours))} h ; ces heures en ont d'ordinaire au moins {french(told(missed))}.",
        f"Nothing in this log for {told(hours)} h; such hours usually hold {told(missed)} at least.",
    )


DETECTOR: Final = Detector(
    name="log_silence",
    title_fr="Journal muet",
    title_en="A log fell silent",
    scope=Scope.SOURCE,
    card=Card(
        what="An application sends nothing in hours of which even the quietest of their kind, working days or week-ends, "
        "held ten events together.",
        why="Who has something to hide stops the log first; and what is not told cannot be assessed.",
        false_positives="Maintenance, an office closed on a holiday. It is told when an event of another source ends the hour: "
        "when all are silent, only the service's own watch over its intake tells so.",
        needs=(),
        references=("MITRE ATT&CK T1562.008", "ISO 27789:2021, 9"),
    ),
    match=lambda f: (f["log_missed"] >= EVENTS_MIN) & (f["log_silence_chance"] < CHANCE_MAX),
    p_value=lambda f: np.clip(f["log_silence_chance"], P_MIN, 1.0),
    say=_say,
    measured=False,
)
