"""One partition of intake as it is read: its records in, slices for every partition of `events` and dead letters out. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
import numpy as np

from sentinel.core.errors import Rejection, RejectionCode
from streams.record import DeadLetter, Kind, LogRecord
from streams.rows import Int64s, Rows
from streams.sources.contract import Decoded, Source
from streams.topics import MESSAGE_BYTES_MAX
from streams.wire import Rise, Slice, divided, hours_of

RECORD_BYTES_MAX: Final = MESSAGE_BYTES_MAX // 2  # a dead letter has to fit, with its reasons
ROWS_USUAL: Final = 100  # a record with more events than this is measured


class IntakeRecord(Protocol):
    """What Kafka gives of a record. `timestamp`: when the broker appended it, ms since 1970 UTC."""

    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def timestamp(self) -> int: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that could not be read, and where it was."""

    topic: str
    partition: int
    offset: int
    letter: DeadLetter

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """What goes to `rejected` beside the bytes."""
        letter = self.letter
        told = {
            "code": letter.code,
            "pointer": letter.pointer,
            "detail": letter.detail,
            "source": letter.record.source,
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
        } | ({"key": letter.record.subject} if letter.record.subject else {})
        return [(name, str(value).encode("utf-8", "replace")) for name, value in told.items()]


@dataclass(frozen=True, slots=True)
class Taken:
    """What records became: a slice for each partition of `events`, and what was refused."""

    slices: list[Slice]
    refused: list[Refused]


@dataclass(slots=True)
class Reading:
    """How far one partition of intake is read: up to offset `next`, where records stand at `until_ms` or later.

    Both are kept with the group's offset, so that whoever reads on gives the same records the same times: a time that was
    told for a silent partition holds, even should a broker's clock go back. `hour` is the highest met in this reading.
    """

    tenant: str
    topic: str
    partition: int
    source: Source
    next: int
    until_ms: int = 0
    hour: int = 0

    def take(self, records: Sequence[IntakeRecord], partitions: int) -> Taken:
        """Read the next records (at least one) for as many `partitions` of `events`."""
        first, times = self.next, self._advance(records)
        readable = [at for at, record in enumerate(records) if len(record.value or b"") <= RECORD_BYTES_MAX]
        decoded = self.source.decode([records[at].value or b"" for at in readable])
        rejections = [Rejection(readable[bad.index], bad.code, bad.pointer, bad.detail) for bad in decoded.rejections]
        rejections += self._unwieldy(records, readable, decoded)
        rows = self._rows(records, times, readable, decoded, {bad.index for bad in rejections})
        hours = self._rises(rows)
        slices = [
            Slice(self.topic, self.partition, first, self.next, self.until_ms, hours, own) for own in divided(rows, partitions)
        ]
        return Taken(slices, [self._refused(records[bad.index], int(times[bad.index]), bad) for bad in rejections])

    def silent(self) -> Slice:
        """Return what tells that nothing came before `until_ms`."""
        return Slice(self.topic, self.partition, self.next, self.next, self.until_ms)

    def _advance(self, records: Sequence[IntakeRecord]) -> Int64s:
        """Return when each record stands in the order (ms)."""
        times = np.maximum.accumulate([self.until_ms, *(record.timestamp for record in records)])[1:]
        self.until_ms, self.next = int(times[-1]), records[-1].offset + 1
        return times

    @staticmethod
    def _rows(records: Sequence[IntakeRecord], times: Int64s, readable: list[int], decoded: Decoded, without: set[int]) -> Rows:
        """Return the events as rows, those of some records left out."""
        at = np.array(readable, dtype=np.int64)[np.array(decoded.records, dtype=np.int64)]
        events = decoded.rows
        if without:
            kept = np.flatnonzero(~np.isin(at, list(without)))
            at, events = at[kept], [events[index] for index in kept.tolist()]
        offsets = np.array([record.offset for record in records], dtype=np.int64)
        return Rows(np.array([times[at], offsets[at], _ordinals(at)]), events)

    def _rises(self, rows: Rows) -> list[Rise]:
        """Return the records in which the hour rises, each to the highest of its events."""
        reached = np.maximum.accumulate(np.concatenate([[self.hour], hours_of(rows)]))
        self.hour = int(reached[-1])
        rises: list[Rise] = []
        for at in np.flatnonzero(reached[1:] > reached[:-1]).tolist():
            rise = Rise(int(rows.append_ms[at]), int(rows.offset[at]), int(reached[at + 1]))
            if rises and rises[-1].offset == rise.offset:
                rises.pop()
            rises.append(rise)
        return rises

    def _unwieldy(self, records: Sequence[IntakeRecord], readable: list[int], decoded: Decoded) -> Iterator[Rejection]:
        """Refuse what Kafka would not carry on: a record that is too long, or whose events together are."""
        for at in sorted(set(range(len(records))) - set(readable)):
            yield Rejection(at, RejectionCode.TOO_LARGE, detail=f"more than {RECORD_BYTES_MAX} bytes: only these are kept")
        if len(decoded.rows) <= len(readable) + ROWS_USUAL:
            return
        for index, count in Counter(decoded.records).items():
            if count > ROWS_USUAL and _bytes(decoded, index) > RECORD_BYTES_MAX:
                yield Rejection(readable[index], RejectionCode.TOO_LARGE, detail=f"its {count} events are too long together")

    def _refused(self, record: IntakeRecord, append_ms: int, why: Rejection) -> Refused:
        raw = (record.value or b"")[:RECORD_BYTES_MAX]
        kept = LogRecord(self.tenant, Kind.EVENT, self.source.name, raw, append_ms * 1_000)
        return Refused(self.topic, self.partition, record.offset, DeadLetter(kept, why.code, why.pointer, why.detail))


def _ordinals(records: Int64s) -> Int64s:
    """Return, of events by their records, which of its record's each one is."""
    starts = np.flatnonzero(np.concatenate([[True], records[1:] != records[:-1]])) if len(records) else records
    return np.arange(len(records)) - np.repeat(starts, np.diff([*starts, len(records)]))


def _bytes(decoded: Decoded, index: int) -> int:
    own = [row for row, of in zip(decoded.rows, decoded.records, strict=True) if of == index]
    return len(msgspec.msgpack.encode(own))
