"""Puts the rows of several files in order of event time, with a bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Final

import numpy as np

from sentinel.core.event import EventRow

HELD_BACK_ROWS: Final = 16_000


def in_order(files: Sequence[Iterator[list[EventRow]]], held_back: int = HELD_BACK_ROWS) -> Iterator[EventRow]:
    """Merge files by event time, then id, whatever their order within `held_back` rows.

    Reads on in the file that lags behind, and holds `held_back` to twice as many rows. A row that comes later than
    that is given as it comes: late, as it would be on a live stream.
    """
    frontier = dict.fromkeys(range(len(files)), -(2**63))
    waiting: list[EventRow] = []
    while frontier:
        lagging = min(frontier, key=lambda i: (frontier[i], i))
        rows = next(files[lagging], None)
        if rows is None:
            del frontier[lagging]
            continue
        if rows:
            frontier[lagging] = max(frontier[lagging], rows[-1].occurred_at)
            waiting += rows
        if len(waiting) >= 2 * held_back:
            _sort(waiting)
            yield from waiting[:-held_back]
            del waiting[:-held_back]
    _sort(waiting)
    yield from waiting


_TIME, _ID, _SUB = map(EventRow._fields.index, ("occurred_at", "id", "sub"))
_time: Final = itemgetter(_TIME)
_id: Final = itemgetter(_ID, _SUB)


def _sort(rows: list[EventRow]) -> None:
    """Sort by time, and by id where times are equal, which few are: comparing numbers alone takes a third of the time."""
    rows.sort(key=_time)
    times = np.fromiter(map(_time, rows), np.int64, len(rows))
    [tied] = np.nonzero(times[1:] == times[:-1])
    starts, stops = tied[np.diff(tied, prepend=-2) > 1], tied[np.diff(tied, append=len(rows) + 1) > 1] + 2
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        rows[start:stop] = sorted(rows[start:stop], key=_id)
