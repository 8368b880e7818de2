"""The record of somebody with the same rare family name."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.phrases import trait
from sentinel.core.detector import Card, Detector, Scope

DETECTOR: Final = Detector(
    name="same_name_record",
    title_fr="Même nom de famille",
    title_en="The same family name",
    scope=Scope.PATIENT,
    card=Card(
        what="Patient and person share a family name; rare names weigh more.",
        why="Relatives who live elsewhere.",
        false_positives="Common names: they weigh little.",
        needs=("Patient.name", "Practitioner.name", "Encounter"),
        references=("Boxwala et al., JAMIA 18:498 (2011)",),
    ),
    match=lambda f: f.unexplained & (f["same_name"] >= 0),
    p_value=lambda f: np.maximum(f["same_name"], 1e-5),
    say=lambda f, i: trait(
        f,
        i,
        "same_name",
        "Dossier d'une personne du même nom de famille ouvert",
        "The record of someone with the same family name was opened",
    ),
    group="kin",
)
