"""What the pipeline asks of the learnt part: score an hour of each person, then learn it, and say why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Weighed:
    """One feature that made an hour unusual."""

    feature: str
    observed: float
    usual_actor: float | None
    usual_peers: float | None


@dataclass(frozen=True, slots=True)
class Surprise:
    """How unusual an hour of one person was. `p_value` in (0, 1], calibrated; the features weigh most first."""

    actor: str
    p_value: float
    weighed: tuple[Weighed, ...]


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours of people that ended together: parallel columns, sorted by the people's names."""

    names: Sequence[str]
    roles: Sequence[str]
    vectors: NDArray[np.float32]  # (people, SESSION)
    learnable: NDArray[np.bool_]  # False where an alert is open: misuse must not become usual


class Model(Protocol):
    """Learns online what an hour of work is like."""

    name: str

    def close_hour(self, hours: Hours) -> list[Surprise]:
        """Score each hour, then learn it; give the surprising ones. None while warming up."""
        ...

    def snapshot(self) -> dict[str, object]:
        """Return the state, as arrays and JSON values."""
        ...

    def restore(self, state: dict[str, object]) -> None:
        """Become the model whose `snapshot` it is."""
        ...
