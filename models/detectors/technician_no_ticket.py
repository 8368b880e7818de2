"""A technician, or the host's staff, in a patient's record without the number of a ticket."""

from __future__ import annotations

from typing import Final

import numpy as np

from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Detector, Facts, Scope, Words
from sentinel.core.explain import Trade


def _say(_facts: Facts, _i: int) -> Words:
    return Words(
        1,
        Usual(0, None),
        "Dossier de patient ouvert par un technicien ou l'hébergeur, sans numéro de ticket dans le motif.",
        "A patient's record was opened by a technician or the host's staff, with no ticket number in the reason.",
    )


DETECTOR: Final = Detector(
    name="technician_no_ticket",
    title_fr="Technicien sans ticket",
    title_en="Technician without a ticket",
    scope=Scope.ACTOR,
    card=Card(
        what="Somebody whose role says technician, administrator or host opens a patient's record, and the event's reason names "
        "no ticket.",
        why="Who can read everything for work on the machines must be able to say for which work.",
        false_positives="Sources that do not pass the reason on (AuditEvent.outcomeDesc, purpose text): where no technician "
        "ever names a ticket, the finding weighs nothing.",
        needs=(),
        references=("HDS certification framework",),
    ),
    match=lambda f: (f["trade"] == Trade.TECHNICIAN) & f.has_patient & ~f.has_ticket,
    p_value=lambda f: np.full(len(f.action), 1e-2),
    say=_say,
    weight=0.5,
    group="technical",
)
