"""Rights changed, then used within two days."""

from __future__ import annotations

from typing import Final

import numpy as np

from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Detector, Facts, Scope, Words, number
from sentinel.core.event import Action


def _say(facts: Facts, i: int) -> Words:
    hours = number(facts, "privilege_hours", i, 0)
    return Words(
        hours,
        Usual(None, None),
        f"Droits modifiés {hours} h plus tôt par la même personne, puis utilisés.",
        f"Rights changed {hours} h earlier by the same person, then used.",
    )


DETECTOR: Final = Detector(
    name="privilege_used",
    title_fr="Droits modifiés puis utilisés",
    title_en="Privilege changed, then used",
    scope=Scope.ACTOR,
    card=Card(
        what="The person changed rights, then exported, deleted or opened strangers' records within 48 h.",
        why="The way round a refusal.",
        false_positives="Administrators at work.",
        needs=(),
        references=(),
    ),
    match=lambda f: (
        (f["privilege_hours"] < 48)
        & ~f.did(Action.PERMISSION_CHANGE)
        & (f.unexplained | f.did(Action.EXPORT, Action.DELETE, Action.SHARE) | (f["application_new"] == 1))
    ),
    p_value=lambda f: np.full(len(f.action), 1e-3),
    say=_say,
)
