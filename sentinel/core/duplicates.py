"""Remembers the keys of the last millions of events, so that an event sent twice counts once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

KEYS_MAX: Final = 1 << 21  # of one generation; two are kept
_SLOTS_MIN: Final = 1 << 12

Keys = NDArray[np.int64]  # (keys, 2): the two halves of 16 bytes


@njit(cache=True)
def _insert(table: Any, before: Any, keys: Any, fresh: Any) -> int:
    """Put keys into the open-addressing `table`; mark the ones in neither table; return how many were added."""
    added = 0
    for k in range(len(keys)):
        high, low = keys[k, 0], keys[k, 1]
        i = high & (len(table) - 1)
        while (table[i, 0] != 0 or table[i, 1] != 0) and (table[i, 0] != high or table[i, 1] != low):
            i = (i + 1) & (len(table) - 1)
        if table[i, 0] != 0 or table[i, 1] != 0:
            continue
        table[i, 0], table[i, 1] = high, low
        added += 1
        j = high & (len(before) - 1)
        while (before[j, 0] != 0 or before[j, 1] != 0) and (before[j, 0] != high or before[j, 1] != low):
            j = (j + 1) & (len(before) - 1)
        fresh[k] = before[j, 0] == 0 and before[j, 1] == 0
    return added


@dataclass(slots=True)
class Duplicates:
    """Two generations of keys: between two and four million events back, a duplicate is told for sure.

    The generation turns at a fixed number of keys, so where batches are cut changes nothing.
    """

    keys_max: int = KEYS_MAX
    current: Keys = field(default_factory=lambda: np.zeros((_SLOTS_MIN, 2), np.int64))
    before: Keys = field(default_factory=lambda: np.zeros((2, 2), np.int64))
    used: int = 0

    def first_seen(self, keys: Sequence[bytes]) -> NDArray[np.bool_]:
        """Return which of the 16-byte keys were not seen before, and remember them."""
        halves = np.frombuffer(b"".join(keys), dtype=np.int64).reshape(-1, 2)
        fresh = np.zeros(len(halves), dtype=np.bool_)
        start = 0
        while start < len(halves):
            stop = start + min(self.keys_max - self.used, len(halves) - start)
            self._make_room(stop - start)
            self.used += _insert(self.current, self.before, halves[start:stop], fresh[start:stop])
            if self.used == self.keys_max:
                self.before, self.current, self.used = self.current, np.zeros((_SLOTS_MIN, 2), np.int64), 0
            start = stop
        return fresh

    def _make_room(self, n: int) -> None:
        if 2 * (self.used + n) <= len(self.current):
            return
        old = self.current[(self.current[:, 0] | self.current[:, 1]) != 0]
        self.current = np.zeros((1 << int(4 * (self.used + n)).bit_length(), 2), np.int64)
        _insert(self.current, np.zeros((2, 2), np.int64), old, np.zeros(len(old), np.bool_))
