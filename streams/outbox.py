"""What is to be told to the outside, kept on disk from before the first try until it is told or given up."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec

from sentinel.core.alert import Alert, Severity
from streams.alert_json import alert_of
from streams.outputs.contract import Section, Trouble, Updates
from streams.sqlite_file import connect, transaction

FILE: Final = "outbox.sqlite"
WAITING_MAX: Final = 100_000  # beyond it nothing more is taken: the store keeps the rest until there is room
DEAD_MAX: Final = 100_000  # beyond it the oldest go
RANKS: Final = {severity: rank for rank, severity in enumerate(Severity)}

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS story (
    output TEXT NOT NULL, alert_id TEXT NOT NULL, version INTEGER NOT NULL, rank INTEGER NOT NULL, status TEXT NOT NULL,
    place INTEGER NOT NULL, changed_us INTEGER NOT NULL, attempts INTEGER NOT NULL, code TEXT NOT NULL,
    told_version INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (output, alert_id)) STRICT;
CREATE INDEX IF NOT EXISTS story_in_order ON story (output, status, place);
CREATE TABLE IF NOT EXISTS reached (
    one INTEGER PRIMARY KEY CHECK (one = 1), cursor TEXT, place INTEGER NOT NULL) STRICT;
"""
_PUT: Final = """
INSERT INTO story VALUES (?1, ?2, ?3, ?4, 'waiting', ?5, ?6, 0, '', 0, ?7)
ON CONFLICT (output, alert_id) DO UPDATE SET
    version = excluded.version, rank = excluded.rank, status = excluded.status, place = excluded.place,
    changed_us = excluded.changed_us, attempts = 0, code = '', body = excluded.body
"""
_SELECT: Final = "SELECT output, alert_id, version, status, changed_us, attempts, code, told_version, body FROM story"
_NEXT: Final = f"{_SELECT} WHERE output = ? AND status = 'waiting' ORDER BY place LIMIT 1"
_DEAD: Final = """SELECT output, alert_id, version, status, changed_us, attempts, code, told_version, x'' FROM story
WHERE status = 'dead' AND (?1 = '' OR output = ?1) ORDER BY place DESC LIMIT ?2"""
_BEGIN: Final = """
INSERT INTO reached VALUES (1, ?, 0) ON CONFLICT (one) DO UPDATE SET cursor = excluded.cursor WHERE cursor IS NULL
"""
_IS_DUE: Final = "SELECT version, rank FROM story WHERE output = ? AND alert_id = ?"
_WAITING: Final = "SELECT count(*) FROM story WHERE status = 'waiting'"
_KNOWN: Final = "UPDATE story SET told_version = max(told_version, ?3) WHERE output = ?1 AND alert_id = ?2"
_TOLD: Final = """UPDATE story SET status = 'told', code = '', body = x''
WHERE output = ?1 AND alert_id = ?2 AND version = ?3"""
_FAILED: Final = """UPDATE story SET status = ?4, code = ?5, attempts = attempts + 1
WHERE output = ?1 AND alert_id = ?2 AND version = ?3"""
_AGAIN: Final = """UPDATE story SET status = 'waiting', attempts = 0, changed_us = ?4, place = (SELECT place FROM reached)
WHERE output = ?1 AND alert_id = ?2 AND version = ?3 AND status = 'dead'"""
_FORGET: Final = "DELETE FROM story WHERE status = ? AND changed_us < ?"
_SHED: Final = """DELETE FROM story WHERE rowid IN
(SELECT rowid FROM story WHERE status = 'dead' ORDER BY place DESC LIMIT -1 OFFSET ?)"""


class Status(StrEnum):
    """What became of a story at one output: to be told, told as it stands, or given up."""

    WAITING = "waiting"
    TOLD = "told"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Entry:
    """One story for one output. `changed_us`: when it came to stand here, µs since 1970 UTC; `code`: of the last failure.

    `was_told`: an earlier state of it was.
    """

    output: str
    alert_id: str
    version: int
    status: Status
    changed_us: int
    attempts: int
    code: str
    was_told: bool
    body: bytes = field(repr=False)

    @property
    def alert(self) -> Alert:
        """The story, with its patients."""
        return alert_of(msgspec.json.decode(self.body))


@dataclass(frozen=True, slots=True)
class Standing:
    """How one output stands, in stories; `kind` is empty when it is set up no more."""

    name: str
    kind: str
    waiting: int
    told: int
    dead: int


def standing(counts: Mapping[str, Mapping[Status, int]], kinds: Mapping[str, str]) -> list[Standing]:
    """Return the outputs by name: those set up, of the kinds told, and those that something is still kept for."""
    found = []
    for name in sorted({*counts, *kinds}):
        of = counts.get(name, {})
        found.append(Standing(name, kinds.get(name, ""), *(of.get(status, 0) for status in Status)))
    return found


class Outbox:
    """One line an output and story, as it stands: a newer state takes the place of one that was not told yet, at the end.

    Several processes may hold the file at once. Thread-safe. All raise `sqlite3.Error` when the disk does not take it.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._db = connect(folder / FILE)
        self._db.executescript(_SCHEMA)
        self._lock = threading.Lock()

    def cursor(self) -> str | None:
        """Return up to which change the store's alerts were taken; None: never yet, or not since `pause`."""
        with self._lock:
            row = self._db.execute("SELECT cursor FROM reached").fetchone()
        return None if row is None or row[0] is None else str(row[0])

    def begin(self, cursor: str) -> None:
        """Take what changes after `cursor`, unless something is being taken already."""
        with self._lock, transaction(self._db):
            self._db.execute(_BEGIN, (cursor,))

    def pause(self) -> None:
        """Take nothing of what changes from now on until `begin`: nobody wants to be told."""
        with self._lock, transaction(self._db):
            self._db.execute("UPDATE reached SET cursor = NULL")

    def take(
        self, alerts: Sequence[Mapping[str, Any]], cursor: str, sections: Mapping[str, Section], now_us: int
    ) -> frozenset[str]:
        """Keep what of `alerts` each output is to be told, and that they were taken; return the outputs with something new."""
        with self._lock, transaction(self._db):
            (place,) = self._db.execute("SELECT place FROM reached").fetchone()
            new: set[str] = set()
            for alert in alerts:
                rank, body = RANKS[Severity(alert["severity"])], msgspec.json.encode(alert)
                for output, section in sections.items():
                    if _is_wanted(section, alert, rank) and self._is_due(output, section, alert, rank):
                        place += 1
                        self._db.execute(_PUT, (output, alert["id"], alert["version"], rank, place, now_us, body))
                        new.add(output)
            self._db.execute("UPDATE reached SET cursor = ?, place = ?", (cursor, place))
        return frozenset(new)

    def _is_due(self, output: str, section: Section, alert: Mapping[str, Any], rank: int) -> bool:
        known = self._db.execute(_IS_DUE, (output, alert["id"])).fetchone()
        if known is None:
            return True
        version, known_rank = known
        is_newer = alert["version"] > version and section.updates is not Updates.FIRST
        return bool(is_newer and (section.updates is Updates.ALL or rank > known_rank))

    def has_room(self) -> bool:
        """Tell whether more can be taken."""
        with self._lock:
            (waiting,) = self._db.execute(_WAITING).fetchone()
        return bool(waiting < WAITING_MAX)

    def next(self, output: str) -> Entry | None:
        """Return what is to be told next; None: nothing waits."""
        with self._lock:
            row = self._db.execute(_NEXT, (output,)).fetchone()
        return None if row is None else _entry(row)

    def told(self, entry: Entry) -> None:
        """Say that an entry was told; a newer state that came meanwhile still waits."""
        with self._lock, transaction(self._db):
            self._db.execute(_KNOWN, _named(entry))
            self._db.execute(_TOLD, _named(entry))

    def failed(self, entry: Entry, code: Trouble, *, is_over: bool) -> None:
        """Say that a try failed. `is_over`: it is not tried again by itself, and the next comes to its turn."""
        status = Status.DEAD if is_over else Status.WAITING
        with self._lock, transaction(self._db):
            self._db.execute(_FAILED, (*_named(entry), str(status), str(code)))

    def dead(self, output: str = "", limit: int = 100) -> list[Entry]:
        """Return what was given up, the newest first, without the alerts themselves."""
        with self._lock, closing(self._db.execute(_DEAD, (output, limit))) as rows:
            return [_entry(row) for row in rows]

    def redrive(self, entries: Iterable[Entry], now_us: int) -> int:
        """Let what was given up wait again, at the end and in the order given; return how much."""
        moved = 0
        with self._lock, transaction(self._db):
            for entry in entries:
                self._db.execute("UPDATE reached SET place = place + 1")
                moved += self._db.execute(_AGAIN, (*_named(entry), now_us)).rowcount
        return moved

    def counts(self) -> dict[str, dict[Status, int]]:
        """Return how many stories of each status every output has."""
        found: dict[str, dict[Status, int]] = {}
        with self._lock, closing(self._db.execute("SELECT output, status, count(*) FROM story GROUP BY 1, 2")) as rows:
            for output, status, count in rows:
                found.setdefault(output, {})[Status(status)] = count
        return found

    def purge(self, before_us: int) -> int:
        """Forget what was told or given up and has not changed since; return how much was given up and is gone."""
        with self._lock, transaction(self._db):
            self._db.execute(_FORGET, (str(Status.TOLD), before_us))
            gone = self._db.execute(_FORGET, (str(Status.DEAD), before_us)).rowcount
            gone += self._db.execute(_SHED, (DEAD_MAX,)).rowcount
            return gone

    def close(self) -> None:
        """Close the connection."""
        self._db.close()


def _is_wanted(section: Section, alert: Mapping[str, Any], rank: int) -> bool:
    return rank >= RANKS[section.min_severity] and (section.late or not alert.get("late", False))


def _named(entry: Entry) -> tuple[str, str, int]:
    return entry.output, entry.alert_id, entry.version


def _entry(row: tuple[Any, ...]) -> Entry:
    output, alert_id, version, status, changed_us, attempts, code, told_version, body = row
    return Entry(output, alert_id, version, Status(status), changed_us, attempts, code, told_version > 0, bytes(body))
