"""river's half-space trees, walked a whole hour of people at a time; silent while warming up.

river grows the trees, and a test holds the scores equal to its own; its walk, one person at a time, takes five times as long.
Tan, Ting and Liu, Fast Anomaly Detection for Streaming Data, IJCAI 2011.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sentinel.compiled import folder

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Paths = Ints

SMALL_SHARE: Final = 0.1  # of the window: a node with less mass ends the walk, as in the paper and in river


class Forest:
    """Half-space trees over vectors in [0, 1]: the mass of a node is how many of the last closed window passed it.

    Nodes are numbered tree after tree, level by level, so that the children of node i of a tree are 2i+1 and 2i+2.
    """

    def __init__(self, features: int, *, seed: int, trees: int, height: int, window: int) -> None:
        self._features, self._seed, self._trees, self._height, self._window = features, seed, trees, height, window
        self._learnt = 0
        self._feature = np.zeros(0, dtype=np.int64)
        self._threshold = np.zeros(0)
        self._first_node = np.arange(trees) * (2 ** (height + 1) - 1)
        self._open_mass = np.zeros(trees * (2 ** (height + 1) - 1), dtype=np.int64)
        self._closed_mass = self._open_mass.copy()

    def paths(self, levels: Floats) -> Paths:
        """Return (height + 1, people, trees): the nodes that each row of (people, features) passes, root first."""
        if not len(self._feature):
            self._grow()
        paths = np.empty((self._height + 1, len(levels), self._trees), dtype=np.int64)
        _walk(levels, self._feature, self._threshold, self._first_node, paths)
        return paths

    def scores(self, paths: Paths) -> Floats | None:
        """Return a score in [0, 1] a person, higher is rarer; None until the first window is closed."""
        if self._learnt < self._window:
            return None
        highest = self._trees * self._window * (2 ** (self._height + 1) - 1)
        scores: Floats = 1 - self.masses(paths) / highest
        return scores

    def masses(self, paths: Paths) -> Ints:
        """Return, of each person, the mass of the nodes they pass, each level counting twice the one above."""
        masses: Ints = _mass(paths, self._closed_mass, SMALL_SHARE * self._window)
        return masses

    def learn(self, paths: Paths) -> None:
        """Take in people's paths, in order; each full window becomes the one that is scored against."""
        people = paths.shape[1]
        start = 0
        while start < people:
            stop = min(people, start + self._window - self._learnt % self._window)
            _count(self._open_mass, paths, start, stop)
            self._learnt += stop - start
            if self._learnt % self._window == 0:
                self._closed_mass, self._open_mass = self._open_mass, np.zeros_like(self._open_mass)
            start = stop

    def _grow(self) -> None:
        """Take the trees that river grows for these settings; grown once, then kept beside the compiled code."""
        what = f"{version('river')}-{self._trees}-{self._height}-{self._window}-{self._seed}-{self._features}"
        kept = folder() / f"river-trees-{what}.npz"
        if not kept.exists():
            _keep(kept, *self._grown_by_river())
        with np.load(kept, allow_pickle=False) as arrays:
            self._feature, self._threshold = arrays["feature"], arrays["threshold"]

    def _grown_by_river(self) -> tuple[Ints, Floats]:
        """Let river build its trees, which it does as it first learns."""
        half_space_trees: Any = import_module("river.anomaly").HalfSpaceTrees  # here: importing river takes seconds
        river = half_space_trees(n_trees=self._trees, height=self._height, window_size=self._window, seed=self._seed)
        river.learn_one(dict.fromkeys(range(self._features), 0.0))
        nodes = [node for tree in river.trees for node in tree.iter_bfs()]
        feature = np.array([getattr(node, "feature", 0) for node in nodes], dtype=np.int64)
        return feature, np.array([getattr(node, "threshold", 0.0) for node in nodes])

    def snapshot(self) -> dict[str, object]:
        """Return the state: arrays of one element a node, and how many hours were learnt."""
        arrays = (self._feature, self._threshold, self._open_mass, self._closed_mass)
        names = ("feature", "threshold", "open_mass", "closed_mass")
        return {"learnt": self._learnt, **{name: array.copy() for name, array in zip(names, arrays, strict=True)}}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the state that `snapshot` gave, with its trees: another version of river may grow others."""
        self._learnt = int(state["learnt"])
        self._feature, self._threshold = state["feature"].copy(), state["threshold"].copy()
        self._open_mass, self._closed_mass = state["open_mass"].copy(), state["closed_mass"].copy()


@njit(cache=True)
def _walk(levels: Any, feature: Any, threshold: Any, first_node: Any, paths: Any) -> None:
    """Write the nodes that each person passes in each tree."""
    height = len(paths) - 1
    for person in range(len(levels)):
        for tree in range(len(first_node)):
            first, node = first_node[tree], 0
            paths[0, person, tree] = first
            for depth in range(1, height + 1):
                at = first + node
                node = 2 * node + 1 + (levels[person, feature[at]] >= threshold[at])
                paths[depth, person, tree] = first + node


@njit(cache=True)
def _count(mass: Any, paths: Any, start: int, stop: int) -> None:
    for depth in range(len(paths)):
        for person in range(start, stop):
            for tree in range(paths.shape[2]):
                mass[paths[depth, person, tree]] += 1


@njit(cache=True)
def _mass(paths: Any, mass: Any, small: float) -> Any:
    totals = np.zeros(paths.shape[1], dtype=np.int64)
    for person in range(paths.shape[1]):
        for tree in range(paths.shape[2]):
            for depth in range(len(paths)):
                here = mass[paths[depth, person, tree]]
                totals[person] += here << depth
                if here < small:
                    break
    return totals


def _keep(file: Path, feature: Ints, threshold: Floats) -> None:
    """Write the trees so that another process sees all of them or none."""
    part = file.with_name(f"{file.stem}-{os.getpid()}.part.npz")
    np.savez(part, feature=feature, threshold=threshold)
    part.replace(file)
