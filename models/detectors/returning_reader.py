"""A person coming back on other days to a record they have nothing to do with."""

from __future__ import annotations

from typing import Final

from models.phrases import by_chance
from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Detector, Facts, Scope, Words, number

AGAIN: Final = 0.3  # of those who come back once, the share that do once more by chance


def _say(facts: Facts, i: int) -> Words:
    days = (number(facts, "returns", i, 0) or 0) + 1
    share = round(float(facts.rate("returns")[i]), 4)
    return Words(
        days,
        Usual(1, share),
        f"Dossier consulté {days} jours différents en quelques semaines sans raison ordinaire ni écriture.",
        f"Record opened on {days} different days within weeks with no ordinary reason, and nothing written in it.",
    )


DETECTOR: Final = Detector(
    name="returning_reader",
    title_fr="Retours sur un dossier",
    title_en="Returns to a record",
    scope=Scope.PATIENT,
    card=Card(
        what="The record was opened on several days within weeks without an ordinary reason, and the person wrote nothing in it.",
        why="Advice and mistakes are over in a day; interest in somebody comes back.",
        false_positives="Follow-up of patients whose care is not on file.",
        needs=("Encounter",),
        references=(),
    ),
    match=lambda f: f.unexplained & (f["returns"] >= 1) & ~(f["act_days"] >= 0),
    p_value=lambda f: by_chance(f, "returns") * AGAIN ** (f["returns"] - 1),
    say=_say,
)
