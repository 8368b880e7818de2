"""Somebody whose misuse was confirmed, again at what nothing ordinary explains."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.phrases import french, told, within_a_day
from sentinel.core.alert import Usual
from sentinel.core.detector import P_MIN, Card, Column, Detector, Facts, Scope, Words, number
from sentinel.core.event import Action
from sentinel.core.facts.state import SHARE_PRIOR

DAYS_MAX: Final = 365.0  # since the case
REPEATS: Final = 1e-2  # of ordinary days of people without a case, for one of somebody with one


def _chance(facts: Facts) -> Column:
    share = facts["unexplained_share"]
    a_day = within_a_day(facts, np.where(np.isnan(share), SHARE_PRIOR, share))
    chance: Column = np.clip(REPEATS * a_day, P_MIN, 1.0)
    return chance


def _say(facts: Facts, i: int) -> Words:
    days = number(facts, "confirmed_days", i, 0)
    return Words(
        days,
        Usual(None, None),
        f"Usage indu par cette personne confirmé il y a {french(told(days))} jours ; à nouveau un accès sans raison ordinaire.",
        f"Misuse by this person was confirmed {told(days)} days ago; again an access without an ordinary reason.",
    )


DETECTOR: Final = Detector(
    name="repeat_after_case",
    title_fr="Récidive après un cas confirmé",
    title_en="Repeat after a confirmed case",
    scope=Scope.ACTOR,
    card=Card(
        what="Misuse by the person was confirmed within a year, and nothing ordinary explains this access, or it is an export.",
        why="Who did it once and stayed is watched by the others, and should be by the log.",
        false_positives="Advice and replacement that leave no trace, by somebody who was once curious.",
        needs=("Verdict",),
        references=(),
    ),
    match=lambda f: (f["confirmed_days"] <= DAYS_MAX) & (f.unexplained | f.did(Action.EXPORT, Action.SHARE)),
    p_value=_chance,
    say=_say,
)
