"""The keys of stored events, remembered by day: whether an event that comes late is a duplicate."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sentinel.core.batch import Int64s
from sentinel.core.event import DAY_US

KEYS_MAX: Final = 4_000_000  # 16 bytes each
_RECENT_MAX: Final = 50_000

Keys = NDArray[np.bytes_]


class Day:
    """The keys of one day (UTC): a sorted array, and those added since it was sorted."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._sorted: Keys = np.sort(np.array(keys, dtype="S16"))
        self._recent: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._sorted) + len(self._recent)

    def add(self, keys: Sequence[bytes]) -> None:
        """Remember more keys of this day."""
        self._recent.update(keys)
        if len(self._recent) > _RECENT_MAX:
            self._sorted = np.sort(np.concatenate([self._sorted, np.array(list(self._recent), dtype="S16")]))
            self._recent.clear()

    def known(self, keys: Sequence[bytes]) -> set[bytes]:
        """Return those of `keys` that are this day's."""
        asked = np.array(keys, dtype="S16")
        at = np.searchsorted(self._sorted, asked)
        found = at < len(self._sorted)
        found[found] = self._sorted[at[found]] == asked[found]
        return {key for key, stored in zip(keys, found, strict=True) if stored or key in self._recent}


class KnownKeys:
    """Days asked about, loaded when first asked for, the least recently used forgotten beyond `keys_max` keys.

    True as long as all that is stored goes through `add`.
    """

    def __init__(self, load: Callable[[int, int], Sequence[bytes]], keys_max: int = KEYS_MAX) -> None:
        self._load, self._keys_max = load, keys_max
        self._days: OrderedDict[int, Day] = OrderedDict()

    def add(self, keys: Sequence[bytes], occurred_at: Int64s) -> None:
        """Remember events that are being stored, where their day is remembered."""
        days = occurred_at // DAY_US
        for day in self._days.keys() & set(np.unique(days).tolist()):
            self._days[day].add([keys[i] for i in np.nonzero(days == day)[0].tolist()])

    def known(self, keys: Sequence[bytes], occurred_at: Int64s) -> set[bytes]:
        """Return which of these events are stored, told by key and time (µs)."""
        found: set[bytes] = set()
        for day, at in _by_day(occurred_at).items():
            found |= self._day(day).known([keys[i] for i in at])
        return found

    def _day(self, day: int) -> Day:
        if day not in self._days:
            self._days[day] = Day(self._load(day * DAY_US, (day + 1) * DAY_US))
        self._days.move_to_end(day)
        while len(self._days) > 1 and sum(map(len, self._days.values())) > self._keys_max:
            self._days.popitem(last=False)
        return self._days[day]


def _by_day(occurred_at: Int64s) -> dict[int, list[int]]:
    days: dict[int, list[int]] = {}
    for at, day in enumerate((occurred_at // DAY_US).tolist()):
        days.setdefault(day, []).append(at)
    return days
