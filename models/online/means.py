"""What is usual, by name: running means of vectors that forget slowly, in bounded room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.online.rows import UNKNOWN, Rows

Floats = NDArray[np.float64]


class Means:
    """A mean vector for each of the `rows_max` names learnt last; past `memory` hours the oldest fade out."""

    def __init__(self, rows_max: int, features: int, memory: float) -> None:
        self._rows = Rows(rows_max)
        self._memory = memory
        self._mean = np.zeros((rows_max, features))
        self._hours = np.zeros(rows_max)

    def __len__(self) -> int:
        return len(self._rows)

    def usual(self, name: str, hours_min: float) -> Floats | None:
        """Return the mean vector of a name, None while it rests on less than `hours_min` hours."""
        row = int(self._rows.find([name])[0])
        return None if row == UNKNOWN or self._hours[row] < hours_min else self._mean[row]

    def expected(self, names: Sequence[str], prior: Floats, prior_hours: float) -> Floats:
        """Return (names, features): each mean drawn towards its row of `prior`, or the only one, for `prior_hours` hours."""
        rows = self._rows.find(names)
        expected = np.empty((len(rows), self._mean.shape[1]))
        _expect(self._mean, self._hours, rows, prior, prior_hours, expected)
        return expected

    def learn(self, names: Sequence[str], vectors: Floats) -> None:
        """Take in one vector a name, at most `rows_max` of them; a name may come more than once."""
        rows, fresh = self._rows.take(names)
        self._mean[fresh] = 0.0
        self._hours[fresh] = 0.0
        _take_in(self._mean, self._hours, rows, vectors, self._memory)

    def snapshot(self) -> dict[str, object]:
        """Return the state: names as a list, means (names, features) and hours (names,) as arrays."""
        names, rows = self._rows.snapshot()
        return {"names": names, "mean": self._mean[rows], "hours": self._hours[rows]}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the state that `snapshot` gave."""
        self._rows.restore(state["names"])
        n = len(self._rows)
        self._mean[:n], self._hours[:n] = state["mean"], state["hours"]


@njit(cache=True)
def _expect(mean: Any, hours: Any, rows: Any, prior: Any, prior_hours: float, expected: Any) -> None:
    """Write each row's mean drawn towards its prior; a row that is unknown has no hours."""
    for i in range(len(rows)):
        known = 0.0 if rows[i] == UNKNOWN else hours[rows[i]]
        drawn_to = prior[i % len(prior)]
        for j in range(mean.shape[1]):
            expected[i, j] = (known * mean[rows[i], j] + prior_hours * drawn_to[j]) / (known + prior_hours)


@njit(cache=True)
def _take_in(mean: Any, hours: Any, rows: Any, vectors: Any, memory: float) -> None:
    """Move the mean of each row towards that of its new vectors, by their share of the hours remembered."""
    order = np.argsort(rows, kind="mergesort")  # stable: sums hang on the order of their terms
    i = 0
    while i < len(order):
        row, first = rows[order[i]], i
        while i < len(order) and rows[order[i]] == row:
            i += 1
        new = i - first
        hours[row] = min(hours[row] + new, max(memory, float(new)))
        for j in range(vectors.shape[1]):
            total = 0.0
            for k in range(first, i):
                total += vectors[order[k], j]
            mean[row, j] += (total / new - mean[row, j]) * (new / hours[row])
