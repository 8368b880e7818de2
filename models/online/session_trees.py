"""The online model: half-space trees over the hours of people, calibrated by role, with its reasons."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.online.calibration import Calibration
from models.online.forest import Forest, Paths
from models.online.means import Means
from sentinel.core.errors import RefusedToStartError
from sentinel.core.facts.declare import SESSION
from sentinel.core.model import Hours, Surprise, Weighed

Floats = NDArray[np.float64]

FORMAT: Final = 1
HALFWAY: Final = 12.0  # spreads above expected where a level is 0.5: ordinary hours lie below all but few splits
VARIANCE_MIN: Final = 0.25  # counts are whole: half a unit is no deviation
_EVERYONE: Final = ("",)
_N: Final = len(SESSION)


@dataclass(frozen=True)
class SessionTreesSettings:
    """Size and memory of the model; hours are hours of people at work, not of the clock."""

    p_max: float = 0.002  # surprises above it are not reported, in (0, 1]
    trees: int = 25
    height: int = 8  # each tree halves the space this many times
    window_hours: int = 1_000  # the trees score against the last closed window of this many hours
    scores_kept: int = 4_000  # of each role, and of everyone
    role_full: int = 1_000  # scores of a role under which everyone's fill it up
    actor_memory_hours: float = 200.0
    role_memory_hours: float = 4_000.0
    prior_hours: float = 20.0  # what peers' mean counts for in a person's, and everyone's in a role's
    usual_hours_min: float = 8.0  # hours before a person's mean is worth quoting
    actors_max: int = 50_000
    roles_max: int = 256
    reasons_max: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.p_max <= 1 or self.role_full > self.scores_kept or self.roles_max > self.actors_max:
            raise ValueError("p_max in (0, 1], role_full up to scores_kept, roles_max up to actors_max")


class SessionTrees:
    """Learns online what an hour of a person's work is like. One tenant each."""

    name = "session_trees"

    def __init__(self, seed: int = 1, settings: SessionTreesSettings | None = None) -> None:
        s = self.settings = settings or SessionTreesSettings()
        self.seed = seed
        self._forest = Forest(_N, seed=seed, trees=s.trees, height=s.height, window=s.window_hours)
        self._calibration = Calibration(s.roles_max, s.scores_kept, s.role_full)
        self._actors = Means(s.actors_max, 2 * _N, s.actor_memory_hours)
        self._roles = Means(s.roles_max, 2 * _N, s.role_memory_hours)
        self._everyone = Means(1, 2 * _N, s.role_memory_hours)

    def close_hour(self, hours: Hours) -> list[Surprise]:
        """Score each hour against what was learnt before any of them, then learn those that may be learnt.

        Returns the hours with p ≤ `p_max`, in the order given; none while the first window is open.
        """
        if not len(hours.vectors):
            return []
        excess = self._excess(hours)
        paths = self._forest.paths(_level(excess))
        scores = self._forest.scores(paths)
        surprises = [] if scores is None else self._surprises(hours, excess, scores)
        self._learn(hours, paths, scores)
        return surprises

    def prepare(self) -> None:
        """Compile, or load, what the first scored hours would otherwise wait for; nothing is learnt."""
        self._forest.masses(self._forest.paths(np.zeros((1, _N))))
        calibration = Calibration(1, 1, 1)
        calibration.learn([""], np.zeros(1))
        calibration.p_values([""], np.zeros(1))

    def _excess(self, hours: Hours) -> Floats:
        """Return (people, SESSION): how far each count is above expected, in spreads of the person's hours, 0 below.

        What is expected is the person's mean, drawn towards their peers', and these towards everyone's.
        """
        prior = self.settings.prior_hours
        everyone = self._everyone.expected(_EVERYONE, np.zeros((1, 2 * _N)), prior)
        peers = self._roles.expected(hours.roles, everyone, prior)
        excess = np.empty((len(hours.names), _N))
        _exceed(hours.vectors, self._actors.expected(hours.names, peers, prior), excess)
        return excess

    def _surprises(self, hours: Hours, excess: Floats, scores: Floats) -> list[Surprise]:
        p_values = self._calibration.p_values(hours.roles, scores)
        found = np.nonzero(p_values <= self.settings.p_max)[0].tolist()
        return [Surprise(hours.names[i], float(p_values[i]), self._weighed(hours, i, excess[i])) for i in found]

    def _weighed(self, hours: Hours, i: int, excess: Floats) -> tuple[Weighed, ...]:
        """Return the features furthest above expected, the furthest first: one, and more that are a spread above."""
        furthest = np.argsort(-excess, kind="stable")[: self.settings.reasons_max].tolist()
        own = self._actors.usual(hours.names[i], self.settings.usual_hours_min)
        peers = self._roles.usual(hours.roles[i], self.settings.usual_hours_min)
        return tuple(
            Weighed(SESSION[f], float(hours.vectors[i, f]), _at(own, f), _at(peers, f))
            for f in furthest
            if f == furthest[0] or excess[f] >= 1.0
        )

    def _learn(self, hours: Hours, paths: Paths, scores: Floats | None) -> None:
        learnable = np.nonzero(hours.learnable)[0]
        # never more at once than the smallest table has rows for
        for start in range(0, len(learnable), self.settings.roles_max):
            rows = learnable[start : start + self.settings.roles_max]
            names, roles = [hours.names[i] for i in rows.tolist()], [hours.roles[i] for i in rows.tolist()]
            counts = hours.vectors[rows].astype(np.float64)
            moments = np.concatenate((counts, counts * counts), axis=1)
            self._forest.learn(np.take(paths, rows, axis=1))
            if scores is not None:
                self._calibration.learn(roles, scores[rows])
            self._actors.learn(names, moments)
            self._roles.learn(roles, moments)
            self._everyone.learn(_EVERYONE * len(rows), moments)

    def snapshot(self) -> dict[str, object]:
        """Return the state: flat, each value an array or a JSON value."""
        parts = {f"{part}.{key}": value for part, owner in self._parts().items() for key, value in owner.snapshot().items()}
        return {**self._header(), **parts}

    def restore(self, state: dict[str, Any]) -> None:
        """Become the model whose `snapshot` it is.

        Raises:
            RefusedToStartError: the snapshot is of another format, of other features or of other settings.
        """
        for key, value in self._header().items():
            if state.get(key) != value:
                raise RefusedToStartError(f"the online model's snapshot has another {key}: learn anew, or run as before")
        for part, owner in self._parts().items():
            prefix = f"{part}."
            owner.restore({key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)})

    def _header(self) -> dict[str, object]:
        return {"format": FORMAT, "features": list(SESSION), "settings": asdict(self.settings)}

    def _parts(self) -> dict[str, Forest | Calibration | Means]:
        return {
            "forest": self._forest,
            "calibration": self._calibration,
            "actors": self._actors,
            "roles": self._roles,
            "everyone": self._everyone,
        }


@njit(cache=True)
def _exceed(vectors: Any, expected: Any, excess: Any) -> None:
    """Write how far each count is above its mean; `expected`: means, then means of squares."""
    n = vectors.shape[1]
    for i in range(len(vectors)):
        for j in range(n):
            mean, square = expected[i, j], expected[i, n + j]
            spread = np.sqrt(max(square - mean * mean, 0.0) + VARIANCE_MIN)
            excess[i, j] = max(vectors[i, j] - mean, 0.0) / spread


def _level(excess: Floats) -> Floats:
    """Return levels in [0, 1): near 0 for ordinary hours, 0.5 at `HALFWAY`, towards 1 for a burst."""
    square = excess * excess
    levels: Floats = square / (square + HALFWAY * HALFWAY)
    return levels


def _at(usual: Floats | None, feature: int) -> float | None:
    return None if usual is None else float(usual[feature])
