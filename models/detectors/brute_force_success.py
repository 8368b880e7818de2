"""A login that works after many that failed."""

from __future__ import annotations

from typing import Final

import numpy as np

from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Detector, Evidence, Facts, Scope, Words, number

FAILURES_MIN: Final = 6


def _say(facts: Facts, i: int) -> Words:
    failures = number(facts, "failures_before", i, 0)
    return Words(
        failures,
        Usual(None, None),
        f"Connexion réussie après {failures} échecs en 30 min.",
        f"Login succeeded after {failures} failures in 30 min.",
    )


DETECTOR: Final = Detector(
    name="brute_force_success",
    title_fr="Mot de passe forcé",
    title_en="Brute force, then success",
    scope=Scope.ACTOR,
    card=Card(
        what="Six or more failed logins in 30 minutes, then a successful one.",
        why="Guessed passwords.",
        false_positives="A forgotten password after holidays.",
        needs=(),
        references=(),
    ),
    match=lambda f: f["failures_before"] >= FAILURES_MIN,
    p_value=lambda f: np.clip(10.0 ** (-f["failures_before"] * 0.6), 1e-8, 1.0),
    say=_say,
    evidence=Evidence.LOGINS,
)
