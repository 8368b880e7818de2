"""Puts the rows of several files in order of event time, with a bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

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
            waiting.sort(key=_time_then_id)
            yield from waiting[:-held_back]
            del waiting[:-held_back]
    waiting.sort(key=_time_then_id)
    yield from waiting


def _time_then_id(row: EventRow) -> tuple[int, str, str]:
    return row.occurred_at, row.id, row.sub
