"""Events with their places: the places as columns, so that nothing on the way to the assessment makes an object for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sentinel.core.event import EventRow

Int64s = NDArray[np.int64]

PLACE: Final = 3  # numbers that tell one


class Row(NamedTuple):
    """One event with its place: append time (ms since 1970 UTC), offset, and which of the intake record's events it is."""

    append_ms: int
    offset: int
    ordinal: int
    event: EventRow


@dataclass(frozen=True, slots=True)
class Rows:
    """Events in order. `places`: a row each of append times, offsets and ordinals, a column an event."""

    places: Int64s
    events: list[EventRow]

    def __len__(self) -> int:
        return len(self.events)

    def __iter__(self) -> Iterator[Row]:
        return map(self.row, range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rows) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # what is compared can change

    @property
    def append_ms(self) -> Int64s:
        """When the broker appended each one's record (ms since 1970 UTC); never decreases within a partition."""
        append_ms: Int64s = self.places[0]
        return append_ms

    @property
    def offset(self) -> Int64s:
        """Where each one's record is."""
        offset: Int64s = self.places[1]
        return offset

    @property
    def ordinal(self) -> Int64s:
        """Which of its record's events each one is."""
        ordinal: Int64s = self.places[2]
        return ordinal

    def row(self, at: int) -> Row:
        """Return one event."""
        append_ms, offset, ordinal = self.places[:, at].tolist()
        return Row(append_ms, offset, ordinal, self.events[at])

    def cut(self, start: int, stop: int | None = None) -> Rows:
        """Return the events `start`..`stop`."""
        return Rows(self.places[:, start:stop], self.events[start:stop])

    def pick(self, indices: Int64s) -> Rows:
        """Return the events at `indices`, in that order."""
        events = self.events
        return Rows(self.places[:, indices], [events[at] for at in indices.tolist()])


NONE: Final = Rows(np.empty((PLACE, 0), np.int64), [])


def gathered(rows: Sequence[Row]) -> Rows:
    """Return single events as rows."""
    places = np.array([row[:PLACE] for row in rows], dtype=np.int64).reshape(-1, PLACE).T
    return Rows(places, [row.event for row in rows])


def together(parts: Sequence[Rows]) -> Rows:
    """Return the events of all parts, one after the other."""
    if len(parts) == 1:
        return parts[0]
    events = list(chain.from_iterable(part.events for part in parts))
    return Rows(np.concatenate([NONE.places, *(part.places for part in parts)], axis=1), events)
