"""An account of nobody: the directory that knows the others has no position for it."""

from __future__ import annotations

from typing import Final

import numpy as np

from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Detector, Scope, always
from sentinel.core.event import ActorType

DETECTOR: Final = Detector(
    name="orphan_account",
    title_fr="Compte orphelin",
    title_en="Orphan account",
    scope=Scope.ACTOR,
    card=Card(
        what="The person who acts has no position on file, past or present, although others have.",
        why="Accounts made by hand, or left by a migration, belong to nobody.",
        false_positives="A directory that leaves out whole professions: where many have no position, the finding weighs nothing.",
        needs=("PractitionerRole",),
        references=("CNIL, guide de la sécurité des données personnelles (2024)",),
    ),
    match=lambda f: f.by(ActorType.HUMAN) & (f["no_position"] == 1),
    p_value=lambda f: np.full(len(f.action), 1e-4),
    say=always(
        1,
        Usual(0, 0),
        "Compte utilisé par une personne sans aucun poste connu de l'annuaire.",
        "Account used by somebody of whom the directory knows no position.",
    ),
)
