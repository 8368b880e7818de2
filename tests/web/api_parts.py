"""A service in one process: the real log, dead letters, sources and application; the store's answers from memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import zstandard
from starlette.testclient import TestClient

from sentinel.core.plugins import discover
from sentinel.web.app import create_app
from sentinel.web.ports import Limits, Ports, Security, UnavailableError, Vitals
from streams.context.fhir import CONTEXT_TYPES, decode
from streams.dead_letters import DeadLetters, Letter
from streams.embedded import Changes, Intake
from streams.intake_log import POSITION_MAX, IntakeLog, LogBounds, LogReader
from streams.record import LogRecord, guarded
from streams.sources.contract import Source

NOW_US = 1_772_000_000_000_000
URL = "http://127.0.0.1:8000"
EVENT = {"id": "e1", "occurred_at": "2026-03-01T10:00:00Z", "action": "read", "actor_id": "a1", "patient_id": "p1"}
LOG = {"log_records": 3, "log_bytes": 300, "log_bytes_max": 1_000, "log_position": 9, "processed_position": 7}
DONE = {"events": 6, "duplicates": 1, "alerts": 2, "rejected": 0, "worker_restarts": 0, "dead_letters": 4}
VITALS = Vitals(worker="ready", **LOG, **DONE)


class FixedClock:
    """A clock that stands."""

    def now_us(self) -> int:
        """Return always the same time."""
        return NOW_US


class Answers:
    """Says what was asked, or what it was told to say: enough to see how the API asks and answers."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.told: dict[str, Any] = {}
        self.fails: Exception | None = None

    def __getattr__(self, question: str) -> Any:
        async def answer(*args: Any, **kwargs: Any) -> Any:
            self.asked.append((question, args, kwargs))
            if self.fails is not None:
                raise self.fails
            return self.told.get(question)

        return answer


@dataclass
class App:
    """An application with a client, and what it kept."""

    client: TestClient
    folder: Path
    dead: DeadLetters
    questions: Answers

    def kept(self) -> list[LogRecord]:
        """Return the records in the log."""
        return [one.record for one in LogReader(self.folder).read(0, POSITION_MAX, 10**6, 10**9)]

    def letters(self) -> list[Letter]:
        """Return the dead letters, in the order of their bytes."""
        return sorted(self.dead.list(status=None, limit=10**6), key=lambda one: one.letter.record.raw)

    def post(self, content: bytes, media_type: str = "application/json", path: str = "/v1/events", **headers: str) -> Any:
        """Post a body."""
        return self.client.post(path, content=content, headers={"Content-Type": media_type, **headers})


@contextmanager
def an_app(
    folder: Path,
    *,
    limits: Limits | None = None,
    security: Security | None = None,
    bounds: LogBounds | None = None,
    **changed: Any,
) -> Iterator[App]:
    """Make an application; `changed` are ports in place of the usual ones."""
    log, dead = IntakeLog(folder, bounds or LogBounds()), DeadLetters(folder, 10**8)
    questions = Answers()
    ports = Ports(
        tenant="t",
        intake=Intake(log, dead, lambda: None),
        questions=questions,
        changes=Changes(),
        vitals=lambda: VITALS,
        sources={name: guarded(source) for name, source in discover("streams.sources", "SOURCE", Source).items()},
        context_types=CONTEXT_TYPES,
        decode_context=decode,
        clock=FixedClock(),
        security=security or Security(),
        limits=limits or Limits(),
    )
    app = create_app(replace(ports, **changed))
    with TestClient(app, base_url=URL, raise_server_exceptions=False, follow_redirects=False) as client:
        yield App(client, folder, dead, questions)
    log.close()
    dead.close()


def unavailable() -> UnavailableError:
    """Return what a question raises while the worker starts."""
    return UnavailableError("the worker is starting", 3)


def zstd(plain: bytes) -> bytes:
    """Return `plain` compressed."""
    return zstandard.compress(plain)
