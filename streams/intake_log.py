"""The durable intake of the embedded service: an append-only log in SQLite, one fsync for many requests."""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streams import marks
from streams.record import IntakeUnavailableError, Kind, LogRecord, Mark
from streams.sqlite_file import connect, transaction

FILE: Final = "intake.sqlite"
POSITION_MAX: Final = 2**62
GROUP_RECORDS: Final = 5_000
TRIM_RECORDS: Final = 10_000  # dropped in one transaction: appends wait no longer than this takes
ROW_OVERHEAD_BYTES: Final = 128

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS record (
    position INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, kind TEXT NOT NULL, source TEXT NOT NULL,
    subject TEXT NOT NULL, received_us INTEGER NOT NULL, raw BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS kept_context (
    tenant TEXT NOT NULL, subject TEXT NOT NULL, position INTEGER NOT NULL, source TEXT NOT NULL,
    received_us INTEGER NOT NULL, raw BLOB NOT NULL, PRIMARY KEY (tenant, subject)) STRICT;
CREATE INDEX IF NOT EXISTS kept_context_in_order ON kept_context (position);
CREATE INDEX IF NOT EXISTS record_of_verdicts ON record (position) WHERE source = 'verdict';
CREATE TABLE IF NOT EXISTS size (
    one INTEGER PRIMARY KEY CHECK (one = 1), records INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO size VALUES (1, 0, 0);
"""


@dataclass(frozen=True, slots=True)
class LogBounds:
    """How much the log holds before it refuses more, and for how long it keeps what was processed.

    `answer_bytes_max`: of answers to requests; the oldest go first.
    """

    records_max: int = 5_000_000
    bytes_max: int = 4 * 2**30
    pending_bytes_max: int = 64 * 2**20
    retention_seconds: int = 7 * 86_400
    retry_after_seconds: int = 5
    answer_bytes_max: int = 256 * 2**20


@dataclass(frozen=True, slots=True)
class LogSize:
    """How much the log holds. `last`: the position of its newest record ever, 0 before the first."""

    records: int
    bytes: int
    last: int


@dataclass(frozen=True, slots=True)
class Logged:
    """A record and its position in the log: positions grow from 1 and are never used again."""

    position: int
    record: LogRecord


@dataclass(slots=True)
class _Append:
    records: Sequence[LogRecord]
    marks: Sequence[Mark]
    bytes: int
    done: Future[range]


@dataclass(slots=True)
class _Trim:
    upto: int
    received_before_us: int
    done: Future[int]


class IntakeLog:
    """The log's writer: a thread that commits whatever waits as one group. Knows no HTTP and no format."""

    def __init__(self, folder: Path, bounds: LogBounds) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._bounds = bounds
        self._db = connect(folder / FILE)
        self._db.executescript(_SCHEMA + marks.SCHEMA)
        self.marks = marks.MarkReader(connect(folder / FILE))
        self._processed = 0  # all up to here is in a checkpoint: may be dropped when room is needed
        self._waiting: queue.SimpleQueue[_Append | _Trim | None] = queue.SimpleQueue()
        self._pending_bytes = 0
        self._pending = threading.Lock()
        self._closed = False
        self._size = _size(self._db)
        self._thread = threading.Thread(target=self._run, name="intake-log", daemon=True)
        self._thread.start()

    def append(self, records: Sequence[LogRecord], beside: Sequence[Mark] = ()) -> Future[range]:
        """Queue `records`; the future gives their positions once they are on disk, and the marks with them.

        The future fails with `IntakeUnavailableError` when the log is full or cannot be written.
        """
        entry = _Append(records, beside, sum(_bytes_of(record) for record in records), Future())
        with self._pending:
            refused = self._closed or self._pending_bytes + entry.bytes > self._bounds.pending_bytes_max
            if not refused:
                self._pending_bytes += entry.bytes
                self._waiting.put(entry)
        if refused:
            entry.done.set_exception(self._unavailable("the intake log is behind"))
        return entry.done

    def trim(self, upto: int, received_before_us: int) -> Future[int]:
        """Drop what lies at or before `upto` and was received before; the future gives how many.

        At most `TRIM_RECORDS` at once: ask again until it is 0. `upto` must be behind the oldest
        checkpoint that may still be restored; up to there records are dropped before their time when
        the log is full. The newest context of each subject moves aside and stays readable through
        `kept_context`.
        """
        entry = _Trim(upto, received_before_us, Future())
        with self._pending:
            if self._closed:
                entry.done.set_result(0)
            else:
                self._waiting.put(entry)
        return entry.done

    @property
    def size(self) -> LogSize:
        """The size after the last commit of this process."""
        return self._size

    def close(self) -> None:
        """Write what waits, then close. Later appends are refused."""
        with self._pending:
            self._closed = True
        self._waiting.put(None)
        self._thread.join()
        self._db.close()
        self.marks.close()

    def _run(self) -> None:
        going = True
        while going:
            group, trims, going = self._next_group()
            self._commit(group)
            for trim in trims:
                self._trim(trim)

    def _next_group(self) -> tuple[list[_Append], list[_Trim], bool]:
        """Wait for something to do, then take what else waits. False: the log is closing."""
        group: list[_Append] = []
        trims: list[_Trim] = []
        records = 0
        entry = self._waiting.get()
        while entry is not None:
            if isinstance(entry, _Trim):
                trims.append(entry)
            elif entry.done.set_running_or_notify_cancel():
                group.append(entry)
                records += len(entry.records)
            else:
                self._forget(entry)
            if records >= GROUP_RECORDS or self._waiting.empty():
                return group, trims, True
            entry = self._waiting.get()
        return group, trims, False

    def _forget(self, *entries: _Append) -> None:
        with self._pending:
            self._pending_bytes -= sum(entry.bytes for entry in entries)

    def _commit(self, group: list[_Append]) -> None:
        if not group:
            return
        try:
            outcomes = self._written(group)
        except sqlite3.Error:
            outcomes = [None] * len(group)
        self._forget(*group)
        for entry, positions in zip(group, outcomes, strict=True):
            if positions is None:
                entry.done.set_exception(self._unavailable("the intake log is full or cannot be written"))
            else:
                entry.done.set_result(positions)

    def _written(self, group: list[_Append]) -> list[range | None]:
        """Write the group in one transaction and return each entry's positions, None where there was no room."""
        with transaction(self._db):
            size = _size(self._db)
            if not self._has_room(size, sum(len(e.records) for e in group), sum(e.bytes for e in group)):
                size = self._make_room(size)
            outcomes: list[range | None] = []
            for entry in group:
                if not self._has_room(size, len(entry.records), entry.bytes):
                    outcomes.append(None)
                    continue
                outcomes.append(_insert(self._db, size.last, entry.records))
                marks.put(self._db, entry.marks, self._bounds.answer_bytes_max)
                size = LogSize(size.records + len(entry.records), size.bytes + entry.bytes, size.last + len(entry.records))
            _set_size(self._db, size)
        self._size = size
        return outcomes

    def _has_room(self, size: LogSize, records: int, size_bytes: int) -> bool:
        return size.records + records <= self._bounds.records_max and size.bytes + size_bytes <= self._bounds.bytes_max

    def _make_room(self, size: LogSize) -> LogSize:
        """Drop what is processed before its retention is over: better than to refuse what is new."""
        dropped = _drop(self._db, self._processed, POSITION_MAX)
        return LogSize(size.records - dropped.records, size.bytes - dropped.bytes, size.last)

    def _trim(self, trim: _Trim) -> None:
        self._processed = trim.upto
        try:
            with transaction(self._db):
                dropped = _drop(self._db, trim.upto, trim.received_before_us)
                size = _size(self._db)
                size = LogSize(size.records - dropped.records, size.bytes - dropped.bytes, size.last)
                _set_size(self._db, size)
        except sqlite3.Error as error:
            trim.done.set_exception(error)
            return
        self._size = size
        trim.done.set_result(dropped.records)

    def _unavailable(self, why: str) -> IntakeUnavailableError:
        return IntakeUnavailableError(why, self._bounds.retry_after_seconds)


class LogReader:
    """Reads the log from another process or thread than its writer's. One thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._db = connect(folder / FILE)
        self._db.execute("PRAGMA query_only = on")

    def read(self, after: int, upto: int, records_max: int, bytes_max: int) -> list[Logged]:
        """Return what lies after `after` and not after `upto`, in order.

        At most so many records and, but for a single one, bytes.
        """
        found: list[Logged] = []
        taken = 0
        rows = self._db.execute(
            "SELECT position, tenant, kind, source, subject, raw, received_us FROM record "
            "WHERE position > ? AND position <= ? ORDER BY position LIMIT ?",
            (after, upto, records_max),
        )
        with closing(rows):
            for position, tenant, kind, source, subject, raw, received_us in rows:
                taken += len(raw)
                if found and taken > bytes_max:
                    break
                found.append(Logged(position, LogRecord(tenant, Kind(kind), source, raw, received_us, subject)))
        return found

    def kept_context(self) -> Iterator[Logged]:
        """Yield the newest context of each subject whose record was trimmed, in the order it came."""
        rows = self._db.execute("SELECT position, tenant, source, subject, raw, received_us FROM kept_context ORDER BY position")
        with closing(rows):
            for position, tenant, source, subject, raw, received_us in rows:
                yield Logged(position, LogRecord(tenant, Kind.CONTEXT, source, raw, received_us, subject))

    def verdicts(self, tenant: str) -> Iterator[bytes]:
        """Yield what was said of alerts, the newest of each at the latest, in the order it came."""
        for table in ("kept_context", "record"):
            order = f"SELECT raw FROM {table} WHERE source = 'verdict' AND tenant = ? ORDER BY position"  # noqa: S608
            with closing(self._db.execute(order, (tenant,))) as rows:
                yield from (bytes(raw) for (raw,) in rows)

    def last(self) -> int:
        """Return the position of the newest record ever, 0 before the first."""
        return _last(self._db)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()


def _insert(db: sqlite3.Connection, last: int, records: Sequence[LogRecord]) -> range:
    positions = range(last + 1, last + 1 + len(records))
    db.executemany(
        "INSERT INTO record (position, tenant, kind, source, subject, raw, received_us) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (position, r.tenant, str(r.kind), r.source, r.subject, r.raw, r.received_us)
            for position, r in zip(positions, records, strict=True)
        ],
    )
    return positions


_KEEP_CONTEXT: Final = """
INSERT INTO kept_context SELECT tenant, subject, position, source, received_us, raw FROM record
WHERE kind = 'context' AND position <= ? AND received_us < ? ORDER BY position
ON CONFLICT (tenant, subject) DO UPDATE SET
    position = excluded.position, source = excluded.source, raw = excluded.raw, received_us = excluded.received_us
WHERE excluded.position > position
"""
_COUNT: Final = "SELECT count(*), coalesce(sum(length(raw)), 0) FROM record WHERE position <= ? AND received_us < ?"


def _drop(db: sqlite3.Connection, upto: int, received_before_us: int) -> LogSize:
    """Delete a slice from the oldest on, keeping each subject's newest context, and return what was dropped."""
    (first,) = db.execute("SELECT coalesce(min(position), 0) FROM record").fetchone()
    bounds = (min(upto, first + TRIM_RECORDS - 1), received_before_us)
    db.execute(_KEEP_CONTEXT, bounds)
    records, raw_bytes = db.execute(_COUNT, bounds).fetchone()
    db.execute("DELETE FROM record WHERE position <= ? AND received_us < ?", bounds)
    return LogSize(records, raw_bytes + ROW_OVERHEAD_BYTES * records, 0)


def _bytes_of(record: LogRecord) -> int:
    return len(record.raw) + ROW_OVERHEAD_BYTES


def _size(db: sqlite3.Connection) -> LogSize:
    records, size_bytes = db.execute("SELECT records, bytes FROM size").fetchone()
    return LogSize(records, size_bytes, _last(db))


def _last(db: sqlite3.Connection) -> int:
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'record'").fetchone()
    return 0 if row is None else int(row[0])


def _set_size(db: sqlite3.Connection, size: LogSize) -> None:
    db.execute("UPDATE size SET records = ?, bytes = ?", (size.records, size.bytes))
