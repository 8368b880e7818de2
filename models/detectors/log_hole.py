"""Records missing from a log that numbers its records."""

from __future__ import annotations

from typing import Final

from models.phrases import french, percent, told
from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Detector, Facts, Scope, Words, number

RATE_MAX: Final = 1e-3  # holes among numbers: a source that leaves out more of them does not count its records


def _say(facts: Facts, i: int) -> Words:
    missing, rate = number(facts, "log_hole", i, 0), number(facts, "log_hole_rate", i, 6)
    share = percent(rate or 0)
    return Words(
        missing,
        Usual(rate, None),
        f"{french(told(missing))} numéros d'enregistrement manquent ; jusqu'ici un trou suivait {french(share)} % des numéros.",
        f"{told(missing)} record numbers are missing; so far a hole followed {share} % of the numbers.",
    )


DETECTOR: Final = Detector(
    name="log_hole",
    title_fr="Enregistrements manquants",
    title_en="Missing records",
    scope=Scope.SOURCE,
    card=Card(
        what="Numbers are left out by a source whose ids end in a number that each record increases, "
        "and the next hour does not bring them.",
        why="Deleting the lines of an access is the simplest way to hide it, and numbers remain.",
        false_positives="Records that were refused (they wait among the dead letters), or that a filter on the way keeps back.",
        needs=(),
        references=("MITRE ATT&CK T1070", "ISO 27789:2021, 9"),
    ),
    match=lambda f: (f["log_hole"] >= 1) & (f["log_hole_rate"] <= RATE_MAX),
    p_value=lambda f: f["log_hole_rate"],
    say=_say,
    measured=False,
)
