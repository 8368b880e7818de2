"""The records that could not be read, kept with their bytes and the reason until they are driven again."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from sentinel.core.errors import RejectedError, RejectionCode
from streams.intake_log import ROW_OVERHEAD_BYTES, IntakeLog
from streams.record import HL7_SOURCE, NO_SOURCE, ContextDecoder, DeadLetter, IntakeUnavailableError, Kind, LogRecord
from streams.sources.contract import Source
from streams.sqlite_file import connect, transaction

FILE: Final = "dead_letters.sqlite"
RETRY_AFTER_SECONDS: Final = 60

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS letter (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, kind TEXT NOT NULL, source TEXT NOT NULL, subject TEXT NOT NULL,
    received_us INTEGER NOT NULL, code TEXT NOT NULL, pointer TEXT NOT NULL, detail TEXT NOT NULL,
    status TEXT NOT NULL, raw BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS letter_by_time ON letter (received_us, id);
CREATE INDEX IF NOT EXISTS letter_by_status ON letter (status);
CREATE TABLE IF NOT EXISTS size (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO size VALUES (1, 0);
CREATE TRIGGER IF NOT EXISTS letter_in AFTER INSERT ON letter
    BEGIN UPDATE size SET bytes = bytes + length(new.raw) + {overhead}; END;
CREATE TRIGGER IF NOT EXISTS letter_out AFTER DELETE ON letter
    BEGIN UPDATE size SET bytes = bytes - length(old.raw) - {overhead}; END;
"""
_PUT: Final = """
INSERT INTO letter (id, tenant, kind, source, subject, raw, received_us, code, pointer, detail, status)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    code = excluded.code, pointer = excluded.pointer, detail = excluded.detail, status = excluded.status
"""
_SELECT: Final = "SELECT id, status, tenant, kind, source, subject, raw, received_us, code, pointer, detail FROM letter"
_SHOW: Final = f"{_SELECT} WHERE id = ?"
_LIST: Final = f"""{_SELECT} WHERE (?1 = '' OR status = ?1) AND (?2 = '' OR source = ?2) AND (?3 = '' OR code = ?3)
ORDER BY received_us DESC, id LIMIT ?4"""


class Status(StrEnum):
    """What became of a letter: nothing yet, or its record went through after a fix."""

    REJECTED = "rejected"
    REDRIVEN = "redriven"


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it is kept."""

    id: str
    status: Status
    letter: DeadLetter


@dataclass(frozen=True, slots=True)
class Redriven:
    """How many letters went through, and how many are still refused."""

    moved: int
    refused: int


class DeadLetters:
    """The letters of one folder; several processes may hold it at once. Thread-safe.

    `bytes_max` bounds what `put` takes: beyond it, senders are told to wait rather than records be lost.
    """

    def __init__(self, folder: Path, bytes_max: int) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._db = connect(folder / FILE)
        self._db.executescript(_SCHEMA.format(overhead=ROW_OVERHEAD_BYTES))
        self._bytes_max = bytes_max
        self._lock = threading.Lock()

    def put(self, letters: Iterable[DeadLetter]) -> list[str]:
        """Make `letters` durable and return their ids. One met before waits again, for the reason it has now.

        Raises:
            IntakeUnavailableError: they do not fit, or cannot be written.
        """
        named = [(letter.id, *_cells(letter), str(Status.REJECTED)) for letter in letters]
        try:
            with self._lock, transaction(self._db):
                (held,) = self._db.execute("SELECT bytes FROM size").fetchone()
                if held >= self._bytes_max:
                    raise IntakeUnavailableError("the dead letters are full", RETRY_AFTER_SECONDS)
                self._db.executemany(_PUT, named)
        except sqlite3.Error:
            raise IntakeUnavailableError("the dead letters cannot be written", RETRY_AFTER_SECONDS) from None
        return [str(id_) for id_, *_ in named]

    def list(
        self, status: Status | None = Status.REJECTED, source: str = "", code: RejectionCode | None = None, limit: int = 100
    ) -> list[Letter]:
        """Return the newest letters first, those asked for."""
        asked = (str(status or ""), source, str(code or ""), limit)
        with self._lock, closing(self._db.execute(_LIST, asked)) as rows:
            return [_letter(row) for row in rows]

    def show(self, letter_id: str) -> Letter | None:
        """Return one letter; None: there is none of that id."""
        with self._lock:
            row = self._db.execute(_SHOW, (letter_id,)).fetchone()
        return None if row is None else _letter(row)

    def counts(self) -> dict[Status, int]:
        """Return how many letters there are of each status."""
        with self._lock:
            found = dict(self._db.execute("SELECT status, count(*) FROM letter GROUP BY status").fetchall())
        return {status: found.get(str(status), 0) for status in Status}

    def mark(self, letter_id: str, status: Status) -> None:
        """Say what became of a letter."""
        with self._lock, transaction(self._db):
            self._db.execute("UPDATE letter SET status = ? WHERE id = ?", (str(status), letter_id))

    def explain(self, letter_id: str, code: RejectionCode, pointer: str, detail: str) -> None:
        """Say why a letter is refused now."""
        with self._lock, transaction(self._db):
            self._db.execute(
                "UPDATE letter SET code = ?, pointer = ?, detail = ? WHERE id = ?", (str(code), pointer, detail, letter_id)
            )

    def purge(self, received_before_us: int) -> int:
        """Delete letters received before, whatever became of them, and return how many."""
        with self._lock, transaction(self._db):
            return self._db.execute("DELETE FROM letter WHERE received_us < ?", (received_before_us,)).rowcount

    def close(self) -> None:
        """Close the connection."""
        self._db.close()


def redrive(
    letters: Sequence[Letter], dead: DeadLetters, log: IntakeLog, sources: Mapping[str, Source], decode_context: ContextDecoder
) -> Redriven:
    """Decode `letters` again; append those that can now be read to the log, then mark them.

    Safe while the service runs and when cut short: an event appended twice has the same key.
    """
    moved = 0
    for letter in letters:
        record = letter.letter.record
        refused = refusal(record, sources, decode_context)
        if refused is None:
            log.append([record]).result()
            dead.mark(letter.id, Status.REDRIVEN)
            moved += 1
        else:
            dead.explain(letter.id, refused.code, refused.pointer, refused.detail)
    return Redriven(moved, len(letters) - moved)


def refusal(record: LogRecord, sources: Mapping[str, Source], decode_context: ContextDecoder) -> DeadLetter | None:
    """Return why a record cannot be read now; None: it can."""
    if record.kind is Kind.CONTEXT:
        if record.source == HL7_SOURCE:
            return DeadLetter(record, RejectionCode.NOT_AN_EVENT, "", "its sender was told, and has to send it again")
        try:
            decode_context(record.raw)
        except RejectedError as error:
            return DeadLetter(record, error.code, error.pointer, error.detail)
        return None
    rejections = sources.get(record.source, NO_SOURCE).decode([record.raw]).rejections
    return next((DeadLetter(record, bad.code, bad.pointer, bad.detail) for bad in rejections), None)


def _cells(letter: DeadLetter) -> tuple[object, ...]:
    r = letter.record
    return (r.tenant, str(r.kind), r.source, r.subject, r.raw, r.received_us, str(letter.code), letter.pointer, letter.detail)


def _letter(row: tuple[str, ...]) -> Letter:
    id_, status, tenant, kind, source, subject, raw, received_us, code, pointer, detail = row
    record = LogRecord(tenant, Kind(kind), source, bytes(raw), int(received_us), subject)  # type: ignore[arg-type]
    return Letter(id_, Status(status), DeadLetter(record, RejectionCode(code), pointer, detail))
