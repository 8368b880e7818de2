"""What a record of `events` holds: how far intake was read, when the hour rises, and the rows of one partition's people.

All intake records stand in one order: by the broker's append time, then topic, partition, offset. Every partition of
`events` is told of every record of intake, rows or none, and so can follow that order alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import msgspec

from sentinel.core.errors import SentinelError
from sentinel.core.event import AHEAD_MAX_US, HOUR_US, EventRow

VERSION: Final = b"1"
HEADERS: Final = [("v", VERSION)]
RECORD_BYTES: Final = 1 << 20  # a record is closed before it grows larger
ACTORS_MAX: Final = 200_000


class WireError(SentinelError):
    """A record is of another version, or damaged."""


class Row(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One event with its place: append time (ms since 1970 UTC), offset, and which of the intake record's events it is."""

    append_ms: int
    offset: int
    ordinal: int
    event: EventRow


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
    rows: list[Row] = []


_slice: Final = msgspec.msgpack.Encoder()
_slices: Final = msgspec.msgpack.Decoder(list[Slice])


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
    return [_slice.encode(record) for record in records]


def unpack(record: bytes, headers: Sequence[tuple[str, bytes]]) -> list[Slice]:
    """Return the slices of a record.

    Raises:
        WireError: it is not one of ours, or of a version that is not known here.
    """
    if dict(headers).get("v") != VERSION:
        raise WireError("a record of `events` has a version that is not known here")
    try:
        return _slices.decode(record)
    except msgspec.DecodeError:
        raise WireError("a record of `events` is damaged") from None


def hour_of(occurred_at: int, append_ms: int) -> int:
    """Return the hour an event (µs) moves the stream to: no further than a day after its arrival, whatever its clock said."""
    return min(occurred_at, append_ms * 1_000 + AHEAD_MAX_US) // HOUR_US


@lru_cache(ACTORS_MAX)
def partition_of(actor_id: str, partitions: int) -> int:
    """Return the partition of `events` that an actor's events are in. Fixed for ever: their past is there."""
    digest = blake2b(actor_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % partitions


def _packed(slices: Iterable[Slice], bytes_max: int) -> Iterator[bytes]:
    for one in slices:
        packed = _slice.encode(one)
        cut = _middle(one) if len(packed) > bytes_max else None
        if cut is None:
            yield packed
        else:
            yield from _packed(_halves(one, cut), bytes_max)


def _middle(whole: Slice) -> int | None:
    """Return the row nearest to the middle that begins an intake record; None: there is but one record."""
    starts = [at for at in range(1, len(whole.rows)) if whole.rows[at].offset != whole.rows[at - 1].offset]
    return min(starts, key=lambda at: abs(2 * at - len(whole.rows)), default=None)


def _halves(whole: Slice, at: int) -> tuple[Slice, Slice]:
    cut, here = whole.rows[at].offset, (whole.topic, whole.partition)
    before = [rise for rise in whole.hours if rise.offset < cut]
    return (
        Slice(*here, whole.first, cut, whole.rows[at].append_ms, before, whole.rows[:at]),
        Slice(*here, cut, whole.after, whole.read_until, whole.hours[len(before) :], whole.rows[at:]),
    )
