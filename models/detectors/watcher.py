"""A reader of Sentinel who looks up people or patients that no alert is about."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.phrases import french, told
from sentinel.core.alert import Usual
from sentinel.core.detector import P_MIN, Card, Detector, Facts, Scope, Words, number

ONE: Final = 1e-3  # of ordinary days of a reader hold one such look-up; n of them are n² times as rare


def _say(facts: Facts, i: int) -> Words:
    looked = number(facts, "looked_up", i, 0)
    return Words(
        looked,
        Usual(0, 0),
        f"Consultations dans Sentinel sans alerte en cours sur la personne ou le patient : {french(told(looked))} en 24 h.",
        f"Look-ups in Sentinel with no alert open on the person or the patient: {told(looked)} in 24 h.",
    )


DETECTOR: Final = Detector(
    name="watcher",
    title_fr="Le surveillant",
    title_en="The watcher",
    scope=Scope.ACTOR,
    card=Card(
        what="Somebody opened, in Sentinel, the accesses of a health worker or a patient whom no alert named, then or in the "
        "month before, or within the hour after.",
        why="Sentinel shows who is cared for where, and who reads what: its readers can be as curious as anybody.",
        false_positives="The answer to a patient who asks who saw their record: where a role does so daily, it weighs little.",
        needs=(),
        references=("Règlement (UE) 2016/679, art. 32",),
    ),
    match=lambda f: f["looked_up"] > 0,
    p_value=lambda f: np.clip(ONE / np.maximum(f["looked_up"], 1.0) ** 2, P_MIN, 1.0),
    say=_say,
    after_hours=1,
    unalerted=True,
)
