"""Somebody looked up by name, looked at once, and never again."""

from __future__ import annotations

from typing import Final

from models.phrases import by_chance, trait
from sentinel.core.detector import Card, Detector, Scope

DETECTOR: Final = Detector(
    name="peek_record",
    title_fr="Coup d'œil",
    title_en="Peek",
    scope=Scope.PATIENT,
    card=Card(
        what="A stranger's record opened right after a search, without an ordinary reason; neither written in nor opened again "
        "within the hour.",
        why="Curiosity knows the name, wants one answer, and has no work to do.",
        false_positives="A call answered at the desk; a namesake opened by mistake.",
        needs=("Encounter",),
        references=(),
    ),
    match=lambda f: f.unexplained & (f["after_search"] == 1),
    p_value=lambda f: by_chance(f, "after_search"),
    say=lambda f, i: trait(f, i, "after_search", "Dossier cherché, regardé une fois", "A record was looked up, looked at once,"),
    weight=0.4,
    after_hours=1,
    only_look=True,
)
