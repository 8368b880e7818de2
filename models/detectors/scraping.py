"""Records opened one after the other by number, or at a machine's rhythm."""

from __future__ import annotations

from typing import Final

import numpy as np

from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Detector, Facts, Scope, Words, number
from sentinel.core.event import ActorType

SEQUENCE_MIN: Final = 8
RHYTHM_MIN: Final = 15


def _say(facts: Facts, i: int) -> Words:
    sequence, rhythm = number(facts, "sequential_run", i, 0) or 0, number(facts, "rhythm_run", i, 0) or 0
    if sequence >= SEQUENCE_MIN:
        fr, en = f"{sequence} dossiers de numéros consécutifs", f"{sequence} records with consecutive numbers"
    else:
        fr, en = f"{rhythm} dossiers au même intervalle", f"{rhythm} records at the same interval"
    return Words(
        max(sequence, rhythm),
        Usual(0, 0),
        f"{fr}, ouverts l'un après l'autre.",
        f"{en}, opened one after the other.",
    )


DETECTOR: Final = Detector(
    name="scraping",
    title_fr="Aspiration automatique",
    title_en="Scraping",
    scope=Scope.ACTOR,
    card=Card(
        what="Eight records in a row whose numbers follow each other, or fifteen at the same interval.",
        why="Programs read faster and more evenly than people.",
        false_positives="Printing lists in order of number.",
        needs=(),
        references=(),
    ),
    match=lambda f: (
        f.by(ActorType.HUMAN) & f.has_patient & ((f["sequential_run"] >= SEQUENCE_MIN) | (f["rhythm_run"] >= RHYTHM_MIN))
    ),
    p_value=lambda f: 10.0 ** -np.clip(np.fmax(f["sequential_run"] / 2, f["rhythm_run"] / 4), 3, 8),
    say=_say,
)
