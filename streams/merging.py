"""Puts what one partition of `events` is told of intake back into the one order: append time, topic, partition, offset."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np

from sentinel.core.context import ContextRecord
from sentinel.core.errors import SentinelError
from streams.rows import Int64s, Row, Rows, together
from streams.wire import Rise, Slice

Place = tuple[str, int]
"""A partition of intake, or of the context: topic and number."""

Key = tuple[int, int, int]
"""Where something stands in the one order: append time (ms), rank of its place, offset."""

NEVER: Final = -1  # before any append time


class UnknownPlaceError(SentinelError):
    """A slice is of a topic that this worker does not know: its list of sources is not that of the others."""


class Known(msgspec.Struct, frozen=True, gc=False):
    """A resource of the context with its place. `records`: what it says; none when it could not be read."""

    append_ms: int
    offset: int
    records: list[ContextRecord]


class ContextSlice(msgspec.Struct, frozen=True):
    """What was read of the context; as a `Slice` of a topic that makes no hour rise."""

    topic: str
    partition: int
    first: int
    after: int
    read_until: int
    rows: list[Known] = []
    hours: list[Rise] = []


@dataclass(frozen=True, slots=True)
class Mark:
    """The hour (since 1970 UTC) that the stream rises to, before what follows."""

    hour: int


class Standing(msgspec.Struct, frozen=True):
    """What was taken: all before `reached_ms`, and of each place (topic, partition) what is before an offset."""

    hour: int
    reached_ms: int
    taken: list[tuple[str, int, int]]


@dataclass(frozen=True, slots=True)
class Run:
    """What comes next, in order: events, and resources of the context, each before the event of that index.

    `places`: what `place` numbers, which says of each event where it came from.
    """

    places: list[Place]
    place: Int64s
    rows: Rows
    known: list[tuple[int, Known]]

    def __len__(self) -> int:
        return len(self.rows)

    def record(self, index: int) -> tuple[Place, int]:
        """Return the record of intake of one of the events: its place and offset."""
        return self.places[self.place[index]], int(self.rows.offset[index])

    def at(self, index: int) -> tuple[Place, Row]:
        """Return one of the events."""
        return self.places[self.place[index]], self.rows.row(index)


@dataclass(frozen=True, slots=True)
class _Knowns:
    """Resources of the context as columns, as events are."""

    known: list[Known]
    append_ms: Int64s
    offset: Int64s

    def __len__(self) -> int:
        return len(self.known)

    def cut(self, start: int, stop: int | None = None) -> _Knowns:
        """Return those from `start` to `stop`."""
        return _Knowns(self.known[start:stop], self.append_ms[start:stop], self.offset[start:stop])


def _columns(known: list[Known]) -> _Knowns:
    append_ms, offset = np.array([(one.append_ms, one.offset) for one in known], dtype=np.int64).reshape(-1, 2).T
    return _Knowns(known, append_ms, offset)


@dataclass(slots=True)
class _Chunk:
    """What is left of one slice. `at`: where it came; None: it is not of `events`."""

    at: int | None
    rows: Rows | _Knowns

    @property
    def offset(self) -> int:
        """Where the first one is."""
        return int(self.rows.offset[0])

    @property
    def append_ms(self) -> int:
        """When the first one came."""
        return int(self.rows.append_ms[0])

    def before(self, bound: Key, rank: int) -> int:
        """Return how many stand before `bound`, being of a place of that rank."""
        append_ms, bound_rank, offset = bound
        first, last = np.searchsorted(self.rows.append_ms, [append_ms, append_ms + 1]).tolist()
        if rank == bound_rank:
            return int(first + np.searchsorted(self.rows.offset[first:last], offset))
        return int(last if rank < bound_rank else first)


@dataclass(slots=True)
class _Intake:
    """What is held of one place: all before `after` came, and all appended before `until`."""

    rank: int
    after: int = 0
    until: int = NEVER
    is_cut: bool = False  # what is at `after` came, was forgotten, and comes again
    chunks: deque[_Chunk] = field(default_factory=deque)
    rises: deque[tuple[int | None, Rise]] = field(default_factory=deque)

    def push(self, at: int | None, told: Slice | ContextSlice, hour: int) -> int:
        """Take in what is new of a slice; return how many rows that is."""
        if self.is_cut and told.first > self.after:
            return 0
        self.is_cut = False
        self.rises.extend((at, rise) for rise in told.hours if rise.hour > hour and rise.offset >= self.after)
        rows = told.rows if isinstance(told, Slice) else _columns(told.rows)
        if told.first < self.after:
            rows = rows.cut(int(np.searchsorted(rows.offset, self.after)))
        if len(rows):
            self.chunks.append(_Chunk(at, rows))
        self.after, self.until = max(self.after, told.after), max(self.until, told.read_until)
        return len(rows)

    def rise(self, hour: int) -> Rise | None:
        """Return the first rise beyond `hour`; those before it are none."""
        while self.rises and self.rises[0][1].hour <= hour:
            self.rises.popleft()
        return self.rises[0][1] if self.rises else None

    def has_before(self, bound: Key) -> bool:
        """Whether any row is held that stands before `bound`."""
        return bool(self.chunks) and self.chunks[0].before(bound, self.rank) > 0

    def take(self, bound: Key) -> list[Rows | _Knowns]:
        """Return what stands before `bound`, and hold it no longer."""
        taken: list[Rows | _Knowns] = []
        while self.chunks:
            chunk = self.chunks[0]
            cut = chunk.before(bound, self.rank)
            if cut < len(chunk.rows):
                if cut:
                    taken.append(chunk.rows.cut(0, cut))
                    chunk.rows = chunk.rows.cut(cut)
                break
            taken.append(self.chunks.popleft().rows)
        return taken

    def key(self, one: Rise | _Chunk) -> Key:
        """Return where it stands, or the first of it."""
        return one.append_ms, self.rank, one.offset

    def drop_last(self) -> _Chunk:
        """Forget the last rows, and rises that come with them or after; return them."""
        dropped = self.chunks.pop()
        self.after, self.until, self.is_cut = dropped.offset, min(self.until, dropped.append_ms), True
        while self.rises and self.rises[-1][1].offset >= self.after:
            self.rises.pop()
        return dropped

    def taken(self) -> int:
        """Return the offset before which nothing is held."""
        held = [chunk.offset for chunk in list(self.chunks)[:1]] + [rise.offset for _, rise in list(self.rises)[:1]]
        return min(held, default=self.after)

    def came(self) -> list[int]:
        """Return where the first came of what is held."""
        first = [chunk.at for chunk in list(self.chunks)[:1]] + [at for at, _ in list(self.rises)[:1]]
        return [at for at in first if at is not None]


class Merge:
    """Takes slices as they come, gives rows and rises of the hour in order, each once: a function of intake alone.

    `places`: every partition of intake and of the context, heard of or not. What comes next is known up to the time
    that all of them were read to. `held`: how many rows of `events` wait for that; `next`: which record of it comes next.
    Made of the `standing` of another, it goes on from there, given again what comes from what that one `needed`.
    """

    def __init__(self, places: Iterable[Place], standing: Standing | None = None, needed: int = 0) -> None:
        self._intakes = {place: _Intake(rank) for rank, place in enumerate(sorted(places))}
        self.next = needed
        self._shed: int | None = None
        self._reached = NEVER
        self.held = self.hour = 0
        if standing is not None:
            self._stand(standing)

    def _stand(self, standing: Standing) -> None:
        self.hour, self._reached = standing.hour, standing.reached_ms
        for topic, partition, after in standing.taken:
            intake = self._intake(topic, partition)
            intake.after, intake.until = after, standing.reached_ms

    def taken(self, place: Place) -> int:
        """Return the offset of a place before which all was taken."""
        return self._intakes[place].taken()

    def push(self, at: int, slices: Iterable[Slice]) -> None:
        """Take in the slices of one record of `events`, which came at the offset `at`.

        Raises:
            UnknownPlaceError: a slice is of no place of ours.
        """
        for told in slices:
            self.held += self._intake(told.topic, told.partition).push(at, told, self.hour)
        self.next = at + 1

    def know(self, told: ContextSlice) -> None:
        """Take in what was read of the context."""
        self._intake(told.topic, told.partition).push(None, told, self.hour)

    def _intake(self, topic: str, partition: int) -> _Intake:
        try:
            return self._intakes[topic, partition]
        except KeyError:
            raise UnknownPlaceError(f"partition {partition} of {topic} is not among those that this worker knows") from None

    @property
    def is_rising(self) -> bool:
        """Whether the hour rises next, before anything else."""
        rise = self._first_rise(self._bound)
        return rise is not None and not any(intake.has_before(rise[0]) for intake in self._intakes.values())

    @property
    def _bound(self) -> Key:
        """Before this all is known."""
        return min(intake.until for intake in self._intakes.values()), NEVER, 0

    def take(self) -> Run | Mark | None:
        """Return what comes next; or that the hour rises; None: what comes next is not known yet."""
        bound = self._bound
        rise = self._first_rise(bound)
        if rise is not None:
            bound, hour = rise
        taken = [(at, one) for at, intake in enumerate(self._intakes.values()) for one in intake.take(bound)]
        self._reached = max(self._reached, bound[0])
        if taken:
            run = _in_order(list(self._intakes), taken)
            self.held -= len(run)
            return run
        if rise is None:
            return None
        self.hour = hour
        return Mark(hour)

    def _first_rise(self, bound: Key) -> tuple[Key, int] | None:
        """Return where the hour rises first before `bound`, and to which."""
        found = [
            (key, rise.hour)
            for intake in self._intakes.values()
            if (rise := intake.rise(self.hour)) is not None and (key := intake.key(rise)) < bound
        ]
        return min(found, default=None)

    def standing(self) -> Standing:
        """Return what was taken."""
        taken = [(topic, partition, intake.taken()) for (topic, partition), intake in self._intakes.items()]
        return Standing(self.hour, self._reached, taken)

    @property
    def needed(self) -> int:
        """Where the first came of what is not taken yet."""
        held = [at for intake in self._intakes.values() for at in intake.came()]
        return min([*held, self.next if self._shed is None else self._shed])

    def shed(self, rows_max: int) -> None:
        """Forget what comes last, until at most `rows_max` rows are held: see `rewind`.

        A slice and what one place got within a millisecond have to find room, or nothing would ever be taken.
        """
        while self.held > rows_max:
            intakes = [intake for intake in self._intakes.values() if intake.chunks and intake.chunks[-1].at is not None]
            dropped = max(intakes, key=lambda intake: intake.key(intake.chunks[-1])).drop_last()
            self.held -= len(dropped.rows)
            self._shed = min(at for at in (dropped.at, self._shed) if at is not None)

    def rewind(self) -> int | None:
        """Return from where on records have to be pushed again now: what was shed is what comes next. None: nothing has to be."""
        earliest = min(intake.until for intake in self._intakes.values())
        if not any(intake.is_cut for intake in self._intakes.values() if intake.until == earliest):
            return None
        shed, self._shed = self._shed, None
        self.next = self.next if shed is None else shed
        return shed


def _in_order(places: list[Place], taken: list[tuple[int, Rows | _Knowns]]) -> Run:
    """Return what was taken of `places`, which are in the order of their ranks, each one's in order."""
    events = [(at, one) for at, one in taken if isinstance(one, Rows)]
    rows = together([one for _, one in events])
    place = np.repeat([at for at, _ in events], [len(one) for _, one in events])
    order = np.argsort(rows.append_ms, kind="stable")  # within a millisecond they stay as their places and offsets are
    if len(events) > 1:
        rows, place = rows.pick(order), place[order]
    known: list[tuple[int, Known]] = []
    for at, some in taken:
        if isinstance(some, _Knowns):
            before = np.searchsorted(_keys(rows.append_ms, place, places), _keys(some.append_ms, at, places))
            known += zip(before.tolist(), some.known, strict=True)
    return Run(places, place, rows, known)


def _keys(append_ms: Int64s, place: Int64s | int, places: list[Place]) -> Int64s:
    """Return numbers that stand as append time, then place do."""
    return append_ms * len(places) + place
