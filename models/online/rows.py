"""Rows of a table of fixed size, given to names; a newcomer takes the row of the name not seen for longest."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1


class Rows:
    """At most `rows_max` names, each with its row in [0, rows_max)."""

    def __init__(self, rows_max: int) -> None:
        self.rows_max = rows_max
        self._row: dict[str, int] = {}  # the name seen least recently first

    def __len__(self) -> int:
        return len(self._row)

    def find(self, names: Iterable[str]) -> NDArray[np.int64]:
        """Return the row of each name, `UNKNOWN` where it has none."""
        return np.array([self._row.get(name, UNKNOWN) for name in names], dtype=np.int64)

    def take(self, names: Iterable[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the row of each name and the rows that changed hands, which the owner has to empty.

        At most `rows_max` names at a time: more would share rows.
        """
        taken, fresh = [], []
        for name in names:
            row = self._row.pop(name, UNKNOWN)
            if row == UNKNOWN:
                row = self._free()
                fresh.append(row)
            self._row[name] = row
            taken.append(row)
        return np.array(taken, dtype=np.int64), np.array(fresh, dtype=np.int64)

    def _free(self) -> int:
        if len(self._row) < self.rows_max:
            return len(self._row)
        return self._row.pop(next(iter(self._row)))

    def snapshot(self) -> tuple[list[str], NDArray[np.int64]]:
        """Return the names, seen least recently first, and their rows."""
        return list(self._row), np.array(list(self._row.values()), dtype=np.int64)

    def restore(self, names: Iterable[str]) -> None:
        """Give the names, seen least recently first, the rows from 0 upwards."""
        self._row = {name: row for row, name in enumerate(names)}
