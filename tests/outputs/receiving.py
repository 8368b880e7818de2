"""Receivers on this machine that keep what they are told, and answer as they are bidden."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sentinel.core.alert import Alert, Reason, Severity, Usual
from sentinel.core.ids import derive
from streams.outputs.contract import Section, Telling, telling

DAY_US = 86_400_000_000
START_US = 1_772_000_000_000_000


def an_alert(name: str = "a", version: int = 1, severity: Severity = Severity.HIGH, **changed: Any) -> Alert:
    """Return an alert with all there can be: two reasons, patients, marks that formats have to escape."""
    told: dict[str, Any] = {
        "id": derive("alert", "default", name),
        "tenant": "default",
        "version": version,
        "priority": 9.25,
        "severity": severity,
        "detectors": ("household_record", "mass_export"),
        "actor": "dr-martin",
        "patients": ("PATIENT-1", "PATIENT-2"),
        "event_ids": ("e1", "e2", "e3"),
        "event_keys": ("00" * 16, "11" * 16, "22" * 16),
        "first_seen": START_US,
        "last_seen": START_US + 3_600_123_456,
        "reasons": (
            Reason("household_record", 1, Usual(0.01, 0.02), 1e-4, "Dossier d'un proche | 2 % = rare\\", "A relative's record"),
            Reason("mass_export", 300, Usual(2.5, None), 1e-9, "300 exports", "300 exports\nin a day"),
        ),
        "not_explained_by": ("stay-in-unit", "appointment"),
    }
    return Alert(**told | changed)


def a_telling(alert: Alert | None = None, *, is_update: bool = False, **section: Any) -> Telling:
    """Return what an output called `soc` may know of an alert."""
    return telling(Section(name="soc", **section), alert or an_alert(), is_update=is_update)


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    us: int = START_US + DAY_US

    def now_us(self) -> int:
        """See the port."""
        return self.us


@dataclass
class Post:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return msgspec.json.decode(self.body)


@dataclass
class Receiver:
    """What an HTTP server was told, and what it answers: what `answers` yields, then 204."""

    url: str = ""
    posts: list[Post] = field(default_factory=list)
    answers: Iterator[Response] = field(default_factory=lambda: iter(()))

    async def take(self, request: Request) -> Response:
        """Keep and answer."""
        self.posts.append(Post(request.url.path, dict(request.headers), await request.body()))
        return next(self.answers, Response(status_code=204))


@contextmanager
def receiver(port: int = 0, **tls: Any) -> Iterator[Receiver]:
    """Run a receiver on this machine."""
    kept = Receiver()
    app = Starlette(routes=[Route("/{path:path}", kept.take, methods=["POST", "GET"])])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="off", **tls))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    kept.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/in"
    yield kept
    server.should_exit = True
    thread.join()


def eventually(holds: Callable[[], Any], seconds: float = 30.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.01)
