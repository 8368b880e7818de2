"""A service account used from a new place, or for what it hardly ever does."""

from __future__ import annotations

from typing import Final

import numpy as np

from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Detector, Scope, always
from sentinel.core.event import ActorType

RARE: Final = 0.002  # of what the account does: programs do the same all day


DETECTOR: Final = Detector(
    name="service_by_hand",
    title_fr="Compte de service utilisé à la main",
    title_en="Service account used by hand",
    scope=Scope.ACTOR,
    card=Card(
        what="A service account appears on a workstation that it never used, or does what it hardly ever does, or both.",
        why="Passwords of interfaces are known to many.",
        false_positives="A server was moved.",
        needs=(),
        references=(),
    ),
    match=lambda f: f.by(ActorType.SERVICE) & ((f["device_new"] == 1) | (f["action_share"] < RARE)),
    p_value=lambda f: np.where(f["action_share"] < RARE, 1e-3, 1.0) * np.where(f["device_new"] == 1, 1e-3, 1e-1),
    say=always(
        1,
        Usual(0, None),
        "Compte de service vu sur un poste nouveau pour lui, ou pour un usage qui n'est pas le sien.",
        "Service account seen on a workstation new to it, or doing what it hardly ever does.",
    ),
    weight=1.4,
)
