"""What the people of one shard did in an hour, or a day, that ended: all that other shards have to know of it.

Sums of whole numbers, told by name: they add up to the same whatever the number of shards and the order they come in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentinel.core.facts.baselines import Day, RoleSums
from sentinel.core.facts.declare import METRICS, RATES, SESSION
from sentinel.core.facts.state import COUNT_BINS, HOUR_BINS
from sentinel.core.habits import Found
from sentinel.core.logs import Heard, HeardOf, Newest
from sentinel.core.model import Hours
from sentinel.core.snapshot import Snapshots

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Closing:
    """What one shard adds to the closing of an hour; `day` when the day ends with it. Times are hours since 1970."""

    patients: list[str]  # whose record somebody opened without an ordinary reason,
    strangers: Floats  # (patients,) and how many did
    hours: Hours
    open_scores: Floats  # of the stories that are open
    ended: list[tuple[int, float]]  # hour and score of the stories that ended since the last closing
    raised: list[int]  # hours of the alerts raised since the last closing
    day: Day | None = None
    found: list[Found] = field(default_factory=list)  # of the day, when it ends
    logs: list[HeardOf] = field(default_factory=list)  # what was heard of each source
    alerted: tuple[list[str], list[str]] = field(
        default_factory=lambda: ([], [])
    )  # people and patients of the alerts that are open

    def pack(self) -> bytes:
        """Return it as bytes: the same closing always gives the same bytes."""
        return _SNAPSHOTS.pack(self)

    @staticmethod
    def unpack(data: bytes) -> Closing:
        """Return the closing that was packed.

        Raises:
            SnapshotError: damaged, or made by another version of the code.
        """
        closing: Closing = _SNAPSHOTS.unpack(data)
        return closing


_SNAPSHOTS = Snapshots(
    (Closing, Day, RoleSums, Hours, Found, HeardOf, Heard, Newest), (*METRICS, *RATES, *SESSION, str(COUNT_BINS), str(HOUR_BINS))
)


def together(closings: Sequence[Closing]) -> Hours:
    """Return the hours of all shards' people as those of one: sorted by the people's names."""
    parts = [closing.hours for closing in closings]
    names = [name for part in parts for name in part.names]
    order = sorted(range(len(names)), key=names.__getitem__)
    roles = [role for part in parts for role in part.roles]
    return Hours(
        names=[names[i] for i in order],
        roles=[roles[i] for i in order],
        vectors=_concatenated([part.vectors for part in parts], (0, len(SESSION)), np.float32)[order],
        learnable=_concatenated([part.learnable for part in parts], (0,), np.bool_)[order],
    )


def strangers(closings: Sequence[Closing]) -> dict[str, float]:
    """Return how many people opened each patient's record without an ordinary reason, over all shards."""
    found: dict[str, float] = {}
    for closing in closings:
        for patient, count in zip(closing.patients, closing.strangers.tolist(), strict=True):
            found[patient] = found.get(patient, 0.0) + count
    return found


def _concatenated(arrays: list[Any], empty: tuple[int, ...], kind: type[Any]) -> Any:
    return np.concatenate(arrays) if arrays else np.zeros(empty, dtype=kind)
