"""Data shared through a link that anybody can open."""

from __future__ import annotations

from typing import Final

import numpy as np

from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Detector, Facts, Scope, Words, number
from sentinel.core.event import Action, Destination


def _say(facts: Facts, i: int) -> Words:
    exported = number(facts, "exported_24h", i, 0)
    return Words(
        exported,
        Usual(number(facts, "exported_actor", i), number(facts, "exported_peers", i)),
        f"Données partagées par un lien ouvert ({exported} dossiers en 24 h).",
        f"Data shared through an open link ({exported} records in 24 h).",
    )


DETECTOR: Final = Detector(
    name="public_link",
    title_fr="Lien public",
    title_en="Public link",
    scope=Scope.ACTOR,
    card=Card(
        what="Records were exported or shared to a URI.",
        why="Whoever has the link has the record.",
        false_positives="Links to a partner's portal that asks for a login.",
        needs=(),
        references=(),
    ),
    match=lambda f: f.did(Action.SHARE, Action.EXPORT) & f.to(Destination.LINK),
    p_value=lambda f: np.clip(np.nan_to_num(f["disclosed_exceed"], nan=1e-2), 1e-5, 1.0),
    say=_say,
    weight=1.4,
)
