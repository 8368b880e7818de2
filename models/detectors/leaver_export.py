"""Exports in the last days before leaving."""

from __future__ import annotations

from typing import Final

import numpy as np

from sentinel.core.alert import Usual
from sentinel.core.detector import Card, Column, Detector, Evidence, Facts, Mask, Scope, Words, number
from sentinel.core.event import Action, Destination

LEAVES_WITHIN_DAYS: Final = 14.0  # before the end of the last position
LEAVERS: Final = 0.05  # of people at work, within 14 days of their end


def _or_rare(share: Column) -> Column:
    """Return how often a role's day holds as much; not known, it is rare."""
    known: Column = np.clip(np.nan_to_num(share, nan=1e-2), 1e-5, 1.0)
    return known


def _match(facts: Facts) -> Mask:
    leavers: Mask = (facts["leaving_days"] <= LEAVES_WITHIN_DAYS) & facts.did(Action.EXPORT, Action.SHARE)
    if not leavers.any():  # as on most days: what is usual need not be looked at
        return leavers
    many = facts["exported_24h"] > np.fmax(facts["exported_actor"], facts["exported_peers"]) * 3 + 3
    return leavers & (facts.to(Destination.REMOVABLE) | many)


def _say(facts: Facts, i: int) -> Words:
    exported, days = number(facts, "exported_24h", i, 0), number(facts, "leaving_days", i, 0)
    return Words(
        exported,
        Usual(number(facts, "exported_actor", i), number(facts, "exported_peers", i)),
        f"{exported} dossiers exportés à {days} jours du départ.",
        f"{exported} records exported {days} days before leaving.",
    )


DETECTOR: Final = Detector(
    name="leaver_export",
    title_fr="Export avant départ",
    title_en="Export before leaving",
    scope=Scope.ACTOR,
    card=Card(
        what="The person leaves within 14 days and exports more than usual, or to a removable device.",
        why="Address books and cohorts leave with people.",
        false_positives="Hand-over files.",
        needs=("PractitionerRole.period",),
        references=(),
    ),
    match=_match,
    p_value=lambda f: (
        LEAVERS * np.where(f.to(Destination.REMOVABLE), _or_rare(f["disclosed_exceed"]), _or_rare(f["exported_exceed"]))
    ),
    say=_say,
    evidence=Evidence.EXPORTED,
)
