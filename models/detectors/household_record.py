"""The record of somebody who lives at the same address."""

from __future__ import annotations

from typing import Final

from models.phrases import by_chance, trait
from sentinel.core.detector import Card, Detector, Scope

DETECTOR: Final = Detector(
    name="household_record",
    title_fr="Dossier d'un proche",
    title_en="Someone of the same household",
    scope=Scope.PATIENT,
    card=Card(
        what="Patient and person share a postal address, and nothing ordinary explains the access.",
        why="Family disputes and care of relatives are the usual story.",
        false_positives="Blocks of flats without a flat number.",
        needs=("Patient.address", "Practitioner.address", "Encounter"),
        references=("Boxwala et al., JAMIA 18:498 (2011)",),
    ),
    match=lambda f: f.unexplained & (f["same_household"] > 0),
    p_value=lambda f: by_chance(f, "household"),
    say=lambda f, i: trait(
        f,
        i,
        "household",
        "Dossier d'une personne vivant à la même adresse ouvert",
        "The record of someone at the same address was opened",
    ),
    group="kin",
)
