"""A service account used from a new place."""

from __future__ import annotations

from typing import Final

import numpy as np

from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Detector, Facts, Scope, Words
from sentinel.core.event import ActorType


def _say(_facts: Facts, _i: int) -> Words:
    return Words(
        1,
        Usual(0, None),
        "Compte de service vu sur un poste qu'il n'avait jamais utilisé.",
        "Service account seen on a workstation it had never used.",
    )


DETECTOR: Final = Detector(
    name="service_by_hand",
    title_fr="Compte de service utilisé à la main",
    title_en="Service account used by hand",
    scope=Scope.ACTOR,
    card=Card(
        what="A service account appears on a workstation that it never used, and worse, does what it never did.",
        why="Passwords of interfaces are known to many.",
        false_positives="A server was moved.",
        needs=(),
        references=(),
    ),
    match=lambda f: f.by(ActorType.SERVICE) & (f["device_new"] == 1),
    p_value=lambda f: np.where(f["action_new"] == 1, 1e-6, 1e-4),
    say=_say,
)
