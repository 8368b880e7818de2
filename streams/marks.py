"""Marks in the intake log's file: what is kept beside records in one commit with them, bounded by kind."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from typing import Final

from streams.record import Mark, MarkKind

ANSWER_SECONDS: Final = 86_400  # an answer is kept for so long
DROPPED_MAX: Final = 1_000  # old answers dropped with each commit that writes one
_EVER: Final = 2**62

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS mark (
    kind TEXT NOT NULL, name TEXT NOT NULL, written_us INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, name)) STRICT;
CREATE INDEX IF NOT EXISTS mark_by_age ON mark (kind, written_us);
CREATE TABLE IF NOT EXISTS mark_size (kind TEXT PRIMARY KEY, bytes INTEGER NOT NULL) STRICT;
CREATE TRIGGER IF NOT EXISTS mark_in AFTER INSERT ON mark BEGIN
    INSERT INTO mark_size VALUES (new.kind, length(new.value) + 128)
    ON CONFLICT (kind) DO UPDATE SET bytes = bytes + excluded.bytes; END;
CREATE TRIGGER IF NOT EXISTS mark_out AFTER DELETE ON mark
    BEGIN UPDATE mark_size SET bytes = bytes - length(old.value) - 128 WHERE kind = old.kind; END;
"""
_DROP: Final = """
DELETE FROM mark WHERE rowid IN
(SELECT rowid FROM mark WHERE kind = ? AND written_us < ? ORDER BY written_us, name LIMIT ?)
"""
_ONE: Final = "SELECT kind, name, value, written_us FROM mark WHERE kind = ? AND name = ?"
_ALL: Final = "SELECT kind, name, value, written_us FROM mark WHERE kind = ? ORDER BY written_us, name"


def put(db: sqlite3.Connection, marks: Sequence[Mark], answer_bytes_max: int) -> None:
    """Write marks within the caller's transaction, and drop answers: those too old, and the oldest of too many bytes."""
    for mark in marks:
        db.execute("DELETE FROM mark WHERE kind = ? AND name = ?", (mark.kind, mark.name))
        if mark.value:
            db.execute("INSERT INTO mark VALUES (?, ?, ?, ?)", (mark.kind, mark.name, mark.written_us, mark.value))
    latest = max((mark.written_us for mark in marks if mark.kind is MarkKind.ANSWER), default=None)
    if latest is None:
        return
    db.execute(_DROP, (MarkKind.ANSWER, latest - ANSWER_SECONDS * 1_000_000, DROPPED_MAX))
    while _bytes(db, MarkKind.ANSWER) > answer_bytes_max and db.execute(_DROP, (MarkKind.ANSWER, _EVER, 1)).rowcount:
        pass


def _bytes(db: sqlite3.Connection, kind: MarkKind) -> int:
    row = db.execute("SELECT bytes FROM mark_size WHERE kind = ?", (kind,)).fetchone()
    return 0 if row is None else int(row[0])


class MarkReader:
    """Reads marks on a connection of its own, which it closes. Thread-safe."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db, self._lock = db, threading.Lock()

    def one(self, kind: MarkKind, name: str) -> Mark | None:
        """Return a mark as it stands on disk; None: there is none."""
        found = self._read(_ONE, kind, name)
        return found[0] if found else None

    def all(self, kind: MarkKind) -> list[Mark]:
        """Return all marks of a kind, the oldest first."""
        return self._read(_ALL, kind)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._db.close()

    def _read(self, query: str, *asked: str) -> list[Mark]:
        with self._lock, closing(self._db.execute(query, asked)) as rows:
            return [Mark(MarkKind(kind), name, bytes(value), written_us) for kind, name, value, written_us in rows]
