"""An account on a workstation, or from an address, that it never used, for something out of the ordinary."""

from __future__ import annotations

from typing import Final

import numpy as np

from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Detector, Scope, always
from sentinel.core.event import ActorType

SHARE_MAX: Final = 0.003  # of hours at work: an odd hour


DETECTOR: Final = Detector(
    name="new_device",
    title_fr="Poste nouveau",
    title_en="New device",
    scope=Scope.ACTOR,
    card=Card(
        what="Among the workstations and addresses of the account a new one, at an odd hour or for the record of a stranger.",
        why="Stolen passwords are used from elsewhere.",
        false_positives="People who go from ward to ward: where that is usual for the role, the finding weighs nothing.",
        needs=(),
        references=("MITRE ATT&CK T1078, valid accounts",),
    ),
    match=lambda f: f.by(ActorType.HUMAN) & (f["device_new"] == 1) & (f.unexplained | (f["hour_share"] < SHARE_MAX)),
    p_value=lambda f: np.full(len(f.action), 1e-3),
    say=always(
        1,
        Usual(0, None),
        "Compte utilisé, à une heure ou pour un dossier inhabituels, depuis un poste ou une adresse où il ne l'avait pas été.",
        "Account used, at an odd hour or for a stranger's record, from a workstation or an address where it had not been before.",
    ),
    weight=0.7,
)
