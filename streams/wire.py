"""What a record of `events` holds: how far intake was read, when the hour rises, and the events of one partition's people.

All intake records stand in one order: by the broker's append time, then topic, partition, offset. Every partition of
`events` is told of every record of intake, rows or none, and so can follow that order alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from typing import Final

import msgspec
import numpy as np

from sentinel.core.errors import SentinelError
from sentinel.core.event import AHEAD_MAX_US, HOUR_US, EventRow
from streams.rows import NONE, PLACE, Int64s, Rows

VERSION: Final = b"3"
READABLE: Final = (b"2", VERSION)  # of 2, events had no marks
HEADERS: Final = [("v", VERSION)]
RECORD_BYTES: Final = 1 << 20  # a record is closed before it grows larger
ACTORS_MAX: Final = 200_000


class WireError(SentinelError):
    """A record is of another version, or damaged."""


class Rise(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A record of intake in whose event hour (hours since 1970 UTC) nobody was before, as far as its partition tells.

    The hour rises before that record's own events. A reader of intake that starts anew tells rises again from the first
    record on: one that does not go beyond the hour reached is none.
    """

    append_ms: int
    offset: int
    hour: int


class Slice(msgspec.Struct, array_like=True, frozen=True):
    """What was read of one partition of intake, as one partition of `events` is told it.

    Offsets from `first` up to `after`, exclusive: all of them, whether they gave rows here, elsewhere or nowhere. Both are
    equal when there was nothing to read. `read_until` (ms since 1970 UTC): what this or an earlier slice does not hold
    stands at that time or later; only what is earlier can be put in order. Times never decrease within a partition.

    Slices come at least once: the same offsets may come again, cut otherwise, but never with other times, hours or rows.
    """

    topic: str
    partition: int
    first: int
    after: int
    read_until: int
    hours: list[Rise] = []
    rows: Rows = NONE


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    """A slice as it is sent; of its rows' places first all append times, then all offsets, then all ordinals."""

    topic: str
    partition: int
    first: int
    after: int
    read_until: int
    hours: list[Rise]
    places: bytes
    events: list[EventRow]


_packer: Final = msgspec.msgpack.Encoder()
_unpacker: Final = msgspec.msgpack.Decoder(list[_Packed])
_INT64: Final = np.dtype("<i8")


def pack(slices: Iterable[Slice], bytes_max: int = RECORD_BYTES) -> list[bytes]:
    """Return records of at most about `bytes_max` that hold `slices` in their order. One intake record's rows are never cut."""
    records: list[list[msgspec.Raw]] = []
    room = 0
    for packed in _packed(slices, bytes_max):
        if len(packed) > room:
            records.append([])
            room = bytes_max
        records[-1].append(msgspec.Raw(packed))
        room -= len(packed)
    return [_packer.encode(record) for record in records]


def unpack(record: bytes, headers: Sequence[tuple[str, bytes]]) -> list[Slice]:
    """Return the slices of a record.

    Raises:
        WireError: it is not one of ours, or of a version that is not known here.
    """
    if dict(headers).get("v") not in READABLE:
        raise WireError("a record of `events` has a version that is not known here")
    try:
        return [_unpacked(packed) for packed in _unpacker.decode(record)]
    except (msgspec.DecodeError, ValueError):
        raise WireError("a record of `events` is damaged") from None


def hours_of(rows: Rows) -> Int64s:
    """Return the hour that each event moves the stream to: no further than a day after its arrival, whatever its clock said."""
    occurred_at = np.array([event.occurred_at for event in rows.events], dtype=np.int64)
    return np.minimum(occurred_at, rows.append_ms * 1_000 + AHEAD_MAX_US) // HOUR_US


def divided(rows: Rows, partitions: int) -> list[Rows]:
    """Return the rows of each partition of `events`, in their order."""
    if partitions == 1 or not len(rows):
        return [rows] * partitions
    known = _partitions(partitions)
    found = np.array([known[event.actor_id] for event in rows.events])
    sorted_, bounds = rows.pick(np.argsort(found, kind="stable")), np.bincount(found, minlength=partitions).cumsum().tolist()
    return [sorted_.cut(start, stop) for start, stop in pairwise([0, *bounds])]


class _Partitions(dict[str, int]):
    """Remembers the partitions of actors."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def __missing__(self, actor_id: str) -> int:
        if len(self) >= ACTORS_MAX:
            self.clear()
        partition = self[actor_id] = partition_of(actor_id, self._count)
        return partition


_partitions: Final = lru_cache(maxsize=2)(_Partitions)


def partition_of(actor_id: str, partitions: int) -> int:
    """Return the partition of `events` that an actor's events are in. Fixed for ever: their past is there."""
    digest = blake2b(actor_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % partitions


def _unpacked(told: _Packed) -> Slice:
    """Return a slice; raise `ValueError` when there is not a place for each event."""
    here = (told.topic, told.partition, told.first, told.after, told.read_until, told.hours)
    if not told.events:
        return Slice(*here)
    return Slice(*here, Rows(np.frombuffer(told.places, _INT64).reshape(PLACE, len(told.events)), told.events))


def _pack(one: Slice) -> bytes:
    places = one.rows.places.astype(_INT64).tobytes()
    told = (one.topic, one.partition, one.first, one.after, one.read_until, one.hours)
    return _packer.encode(_Packed(*told, places, one.rows.events))


def _packed(slices: Iterable[Slice], bytes_max: int) -> Iterator[bytes]:
    for one in slices:
        packed = _pack(one)
        cut = _middle(one) if len(packed) > bytes_max else None
        if cut is None:
            yield packed
        else:
            yield from _packed(_halves(one, cut), bytes_max)


def _middle(whole: Slice) -> int | None:
    """Return the row nearest to the middle that begins an intake record; None: there is but one record."""
    offsets = whole.rows.offset
    starts = np.flatnonzero(offsets[1:] != offsets[:-1]) + 1
    return min(starts.tolist(), key=lambda at: abs(2 * at - len(offsets)), default=None)


def _halves(whole: Slice, at: int) -> tuple[Slice, Slice]:
    before, behind, here = whole.rows.cut(0, at), whole.rows.cut(at), (whole.topic, whole.partition)
    cut = int(behind.offset[0])
    rises = [rise for rise in whole.hours if rise.offset < cut]
    return (
        Slice(*here, whole.first, cut, int(behind.append_ms[0]), rises, before),
        Slice(*here, cut, whole.after, whole.read_until, whole.hours[len(rises) :], behind),
    )
