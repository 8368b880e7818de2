"""A client for whoever sends events in Python: on this machine's disk when `send` returns, in Sentinel's soon after.

Needs httpx and the standard library alone.
"""

from __future__ import annotations

import fcntl
import gzip
import json
import logging
import sqlite3
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import httpx

from streams.sqlite_file import connect, transaction

FILE: Final = "spool.sqlite"
LOCK: Final = "spool.lock"
ROW_OVERHEAD_BYTES: Final = 64
WAITS_SECONDS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # between tries, when the service does not say how long
WAIT_SECONDS_MAX: Final = 300.0
JUDGED: Final = frozenset({202, 207, 400, 422})
LINES: Final = "application/x-ndjson"

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS record (position INTEGER PRIMARY KEY AUTOINCREMENT, raw BLOB NOT NULL) STRICT;
"""
_log: Final = logging.getLogger(__name__)

Record = Mapping[str, Any] | bytes | str


class SpoolFullError(Exception):
    """The spool has reached its bound: the service has not been reached for long. Nothing of what was sent now is kept."""


class SpoolInUseError(Exception):
    """Another client, here or in another process, has this folder."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """One record that the service could not read. It keeps it aside itself, with its bytes, under `dead_letter`."""

    raw: bytes = field(repr=False)
    code: str
    pointer: str
    detail: str
    dead_letter: str


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """How a client sends. `batch_seconds`: how long it gathers. `ca_file`: the authorities (PEM) of the service's certificate."""

    key: str | None = field(default=None, repr=False)
    format: str = "sentinel_json"
    media_type: str = LINES
    batch_records: int = 1_000
    batch_bytes: int = 4 << 20
    batch_seconds: float = 1.0
    spool_bytes_max: int = 1 << 30
    timeout_seconds: float = 30.0
    ca_file: Path | None = None


class Client:
    """Sends records in batches from a thread of its own, in order, each until the service has it. Thread-safe.

    A folder is one client's; what it holds when the process dies, or is killed, is sent by the next client on it.
    """

    def __init__(
        self,
        url: str,
        spool: Path | str,
        options: ClientOptions = ClientOptions(),
        on_rejected: Callable[[Rejected], None] | None = None,
    ) -> None:
        """`on_rejected` is called in the client's thread.

        Raises:
            SpoolInUseError: another client has the folder.
        """
        self._options, self._on_rejected = options, on_rejected
        self._lock_file = _locked(Path(spool))
        self._db, self._writing = connect(Path(spool) / FILE), threading.Lock()
        self._db.executescript(_SCHEMA)
        self._bytes = _bytes_of(self._db)
        self._http = _http(url, options)
        self._changed = threading.Condition()
        self._is_urged = self._is_closed = False
        self._limit = options.batch_records
        self.trouble = ""
        self._thread = threading.Thread(target=self._run, name="sentinel-client", daemon=True)
        self._thread.start()

    def send(self, *records: Record) -> None:
        """Return once `records` are on this machine's disk. Each has an `id` that never names another event.

        Raises:
            ValueError: one is no record, or holds a line end.
            SpoolFullError: there is no room; nothing of them is kept.
        """
        raws = [_raw(record, self._options) for record in records]
        size = sum(len(raw) + ROW_OVERHEAD_BYTES for raw in raws)
        with self._writing, transaction(self._db):
            if self._bytes + size > self._options.spool_bytes_max:
                raise SpoolFullError(self.trouble or "the service does not take records as fast as they come")
            self._db.executemany("INSERT INTO record (raw) VALUES (?)", [(raw,) for raw in raws])
            self._bytes += size
        with self._changed:
            self._changed.notify_all()

    @property
    def pending(self) -> int:
        """How many records wait to be sent."""
        with self._writing:
            return int(self._db.execute("SELECT count(*) FROM record").fetchone()[0])

    def flush(self, seconds: float) -> bool:
        """Send now what waits; return whether all of it was sent within so many seconds."""
        deadline = time.monotonic() + seconds
        with self._changed:
            self._is_urged = True
            self._changed.notify_all()
            while self.pending and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
            self._is_urged = False
        return not self.pending

    def close(self, seconds: float = 10.0) -> None:
        """Try for so many seconds to send what waits, then end; what is left stays in the folder. Again: nothing."""
        if self._is_closed:
            return
        self.flush(seconds)
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()
        self._http.close()
        self._db.close()
        self._lock_file.close()

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None) -> None:
        """Close."""
        self.close()

    def _run(self) -> None:
        failures = 0
        while not self._is_closed:
            batch = self._next()
            if not batch:
                self._wait(None)
                continue
            if not self._is_urged and len(batch) < self._limit and failures == 0:
                self._wait(self._options.batch_seconds, until_urged=True)
                batch = self._next()
            wait_seconds = self._tried([raw for _, raw in batch], batch[-1][0])
            failures = 0 if wait_seconds is None else failures + 1
            if wait_seconds is not None:
                self._wait(wait_seconds or WAITS_SECONDS[min(failures, len(WAITS_SECONDS)) - 1], until_closed=True)

    def _wait(self, seconds: float | None, *, until_urged: bool = False, until_closed: bool = False) -> None:
        """Wait for something to send; or for a time, which urgency, or closing alone, cuts short."""
        with self._changed:
            if seconds is None:
                self._changed.wait_for(lambda: self._is_closed or self._has_records())
            elif until_urged:
                self._changed.wait_for(lambda: self._is_closed or self._is_urged, seconds)
            elif until_closed:
                self._changed.wait_for(lambda: self._is_closed, seconds)

    def _has_records(self) -> bool:
        with self._writing:
            return self._db.execute("SELECT 1 FROM record LIMIT 1").fetchone() is not None

    def _next(self) -> list[tuple[int, bytes]]:
        batch: list[tuple[int, bytes]] = []
        size = 0
        with self._writing:
            for position, raw in self._db.execute("SELECT position, raw FROM record ORDER BY position LIMIT ?", (self._limit,)):
                size += len(raw)
                if batch and size > self._options.batch_bytes:
                    break
                batch.append((position, bytes(raw)))
        return batch

    def _tried(self, raws: Sequence[bytes], last: int) -> float | None:
        try:
            return self._try(raws, last)
        except Exception as error:  # noqa: BLE001 - a disk that fails now may not fail later: the thread must live
            return self._failed(type(error).__name__, 0.0)

    def _try(self, raws: Sequence[bytes], last: int) -> float | None:
        """Send a batch. Return None when it is done, else for how many seconds to wait; 0: it is not told."""
        try:
            answer = self._http.post("/v1/events", content=gzip.compress(b"\n".join(raws), compresslevel=1))
        except httpx.HTTPError as error:
            return self._failed(type(error).__name__, 0.0)
        verdicts = _verdicts(answer) if answer.status_code in JUDGED else None
        if verdicts is not None and len(verdicts) == len(raws):
            self._done(raws, last, verdicts)
            return None
        if answer.status_code == 413 and len(raws) > 1:
            self._limit = len(raws) // 2
            return None
        if answer.status_code == 413:
            self._done(raws, last, [{"code": "too-large", "status": "rejected"}])
            return None
        return self._failed(f"HTTP {answer.status_code}", _retry_after(answer))

    def _failed(self, why: str, wait_seconds: float) -> float:
        if self.trouble != why:
            _log.warning("events wait in the spool: %s", why)
        self.trouble = why
        return wait_seconds

    def _done(self, raws: Sequence[bytes], last: int, verdicts: Sequence[Mapping[str, Any]]) -> None:
        for raw, verdict in zip(raws, verdicts, strict=True):
            if "code" in verdict:
                told = {name: str(verdict.get(name, "")) for name in ("code", "pointer", "detail", "dead_letter")}
                self._tell(Rejected(raw, **told))
        with self._writing, transaction(self._db):
            self._db.execute("DELETE FROM record WHERE position <= ?", (last,))
            self._bytes -= sum(len(raw) + ROW_OVERHEAD_BYTES for raw in raws)
        self.trouble, self._limit = "", self._options.batch_records
        with self._changed:
            self._changed.notify_all()

    def _tell(self, rejected: Rejected) -> None:
        try:
            if self._on_rejected is not None:
                self._on_rejected(rejected)
        except Exception as error:  # noqa: BLE001 - the caller's fault must not stop the others' records
            _log.warning("on_rejected failed: %s", type(error).__name__)


def _locked(folder: Path) -> IO[bytes]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = (folder / LOCK).open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise SpoolInUseError("another client uses this folder") from None
    return file


def _raw(record: Record, options: ClientOptions) -> bytes:
    if isinstance(record, Mapping):
        if options.format == "sentinel_json" and not record.get("id"):
            raise ValueError("an event has an id: it is known by it when it is sent again")
        return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
    raw = record.encode() if isinstance(record, str) else bytes(record)
    if not raw.strip() or b"\n" in raw.strip():
        raise ValueError("a record is one line")
    return raw.strip()


def _bytes_of(db: sqlite3.Connection) -> int:
    return int(db.execute(f"SELECT coalesce(sum(length(raw) + {ROW_OVERHEAD_BYTES}), 0) FROM record").fetchone()[0])  # noqa: S608


def _http(url: str, options: ClientOptions) -> httpx.Client:
    params = {"format": options.format}
    return httpx.Client(
        base_url=url, params=params, headers=_headers(options), timeout=options.timeout_seconds, verify=_verify(options)
    )


def _headers(options: ClientOptions) -> dict[str, str]:
    told = {"Content-Type": options.media_type, "Content-Encoding": "gzip"}
    return told | ({"Authorization": f"Bearer {options.key}"} if options.key else {})


def _verify(options: ClientOptions) -> ssl.SSLContext | bool:
    return True if options.ca_file is None else ssl.create_default_context(cafile=str(options.ca_file))


def _verdicts(answer: httpx.Response) -> list[dict[str, Any]] | None:
    try:
        found = answer.json()["verdicts"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, list) else None


def _retry_after(answer: httpx.Response) -> float:
    told = answer.headers.get("retry-after", "")
    return min(float(told), WAIT_SECONDS_MAX) if told.isascii() and told.isdigit() else 0.0
