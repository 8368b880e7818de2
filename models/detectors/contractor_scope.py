"""A contractor at what is not theirs: patients' records, exports, applications they never used."""

from __future__ import annotations

from typing import Final

import numpy as np

from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Detector, Facts, Scope, Words
from sentinel.core.event import Action
from sentinel.core.explain import Trade


def _say(_facts: Facts, _i: int) -> Words:
    return Words(
        1,
        Usual(0, None),
        "Prestataire hors de son périmètre : dossier de patient, export, suppression ou application nouvelle pour lui.",
        "Contractor outside their scope: a patient's record, an export, a deletion, or an application new to them.",
    )


DETECTOR: Final = Detector(
    name="contractor_scope",
    title_fr="Prestataire hors périmètre",
    title_en="Contractor outside scope",
    scope=Scope.ACTOR,
    card=Card(
        what="Somebody whose role says contractor opens a record without an ordinary reason, exports, shares or deletes, or uses "
        "an application that they never used.",
        why="GDPR art. 28: a processor acts on instruction, and its people only where the contract says.",
        false_positives="A migration or a repair under contract: where contractors do it every day, the finding weighs nothing.",
        needs=(),
        references=("GDPR, article 28", "HDS certification framework"),
    ),
    match=lambda f: (
        (f["trade"] == Trade.CONTRACTOR)
        & (f.unexplained | (f["application_new"] == 1) | f.did(Action.EXPORT, Action.SHARE, Action.DELETE))
    ),
    p_value=lambda f: np.full(len(f.action), 3e-3),
    say=_say,
    weight=0.7,
    group="technical",
)
