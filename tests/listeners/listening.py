"""Listeners on a real log: what they keep, what they refuse, what they count."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from sentinel.core.plugins import discover
from streams.dead_letters import DeadLetters, Letter
from streams.embedded import Intake
from streams.intake_log import POSITION_MAX, IntakeLog, LogBounds, LogReader
from streams.listeners.receiving import Receiver
from streams.record import LogRecord, guarded
from streams.sources.contract import Source
from tests.web.api_parts import EVENT, FixedClock

SOURCES = {name: guarded(source) for name, source in discover("streams.sources", "SOURCE", Source).items()}


def event(id_: object) -> bytes:
    """Return an event in Sentinel's own format."""
    return json.dumps(EVENT | {"id": str(id_)}).encode()


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port that nobody has."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Kept:
    """A log and its dead letters in a folder, and a receiver before them."""

    def __init__(self, folder: Path, bounds: LogBounds | None = None, wake: Callable[[], None] = lambda: None) -> None:
        self.folder = folder
        self.log, self.dead = IntakeLog(folder, bounds or LogBounds()), DeadLetters(folder, 10**8)
        self.counts: Counter[tuple[str, str, str]] = Counter()
        self.intake = Intake(self.log, self.dead, wake)
        self.marks = self.log.marks
        self.receiver = Receiver("t", SOURCES, self.intake, FixedClock().now_us, self.counts)

    def records(self) -> list[LogRecord]:
        """Return the records in the log."""
        return records_in(self.folder)

    def letters(self) -> list[Letter]:
        """Return the dead letters."""
        return self.dead.list(status=None, limit=10**6)

    def close(self) -> None:
        """Close the files."""
        self.log.close()
        self.dead.close()


def records_in(folder: Path) -> list[LogRecord]:
    """Return the records in the log of a folder."""
    reader = LogReader(folder)
    try:
        return [one.record for one in reader.read(0, POSITION_MAX, 10**6, 10**9)]
    finally:
        reader.close()


def ids_of(records: Iterable[LogRecord]) -> list[str]:
    """Return the ids of events in Sentinel's own format."""
    return [json.loads(record.raw)["id"] for record in records]
