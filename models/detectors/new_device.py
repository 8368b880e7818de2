"""An account on a workstation, or from an address, that it never used."""

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
        "Compte utilisé depuis un poste ou une adresse où il ne l'avait pas encore été.",
        "Account used from a workstation or an address where it had not been before.",
    )


DETECTOR: Final = Detector(
    name="new_device",
    title_fr="Poste nouveau",
    title_en="New device",
    scope=Scope.ACTOR,
    card=Card(
        what="A person's account appears on a workstation, or from an address, that is not among the last twelve it used.",
        why="Stolen passwords are used from elsewhere.",
        false_positives="People who go from ward to ward: where that is usual for the role, the finding weighs nothing.",
        needs=(),
        references=("MITRE ATT&CK T1078, valid accounts",),
    ),
    match=lambda f: f.by(ActorType.HUMAN) & (f["device_new"] == 1),
    p_value=lambda f: np.full(len(f.action), 1e-2),
    say=_say,
    weight=0.5,
)
