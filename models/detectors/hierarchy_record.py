"""The record of somebody one leads, or of one's own superior, opened without an ordinary reason."""

from __future__ import annotations

from typing import Final

from models.phrases import by_chance, trait
from sentinel.core.detector import Card, Detector, Facts, Scope, Words

UP: Final = 2


def _say(facts: Facts, i: int) -> Words:
    if facts["hierarchy"][i] == UP:
        fr, en = "Dossier d'un supérieur ouvert", "The record of the person's own superior was opened"
    else:
        fr, en = "Dossier d'un subordonné ouvert", "The record of somebody whom the person leads was opened"
    return trait(facts, i, "hierarchy", fr, en)


DETECTOR: Final = Detector(
    name="hierarchy_record",
    title_fr="Dossier d'un supérieur ou d'un subordonné",
    title_en="A superior's or a subordinate's record",
    scope=Scope.PATIENT,
    card=Card(
        what="The patient works in a unit that the person leads, or leads the person's, and nothing ordinary explains it.",
        why="Power over somebody's work and knowledge of their health must not meet: sick leave, pregnancy, addiction.",
        false_positives="A head of department who treats their own staff and leaves no trace of it.",
        needs=("PractitionerRole.code", "Patient", "Practitioner", "Encounter"),
        references=("CNIL, guide de la sécurité des données personnelles (2024)",),
    ),
    match=lambda f: f.unexplained & (f["hierarchy"] > 0),
    p_value=lambda f: by_chance(f, "hierarchy"),
    say=_say,
    group="colleague",
)
