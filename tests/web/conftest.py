"""The service's application over a small hospital in memory, served to a real browser."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, sync_playwright

from sentinel.web.app import create_app
from sentinel.web.console import router
from sentinel.web.pages import Pages
from sentinel.web.ports import Ports, Vitals
from tests.web.memory_hospital import MINUTE_US, NOW_US, SITE, TENANT, MemoryQuestions, a_hospital, an_alert

CHROMIUM = "/usr/bin/chromium"
CHROMIUM_ARGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class MemoryIntake:
    """Takes records and forgets them: the console sends none."""

    async def append(self, records, _marks=()):
        """See the port."""
        return range(len(records))

    def answer(self, _name):
        """See the port."""
        return

    async def reject(self, letters):
        """See the port."""
        return [letter.id for letter in letters]


class MemoryChanges:
    """Tells the feed that alerts were written, from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._told, self._running = loop, asyncio.Event(), True

    async def wait(self) -> bool:
        """See the port."""
        await self._told.wait()
        self._told.clear()
        return self._running

    def tell(self) -> None:
        """Wake the feed."""
        self._loop.call_soon_threadsafe(self._told.set)

    def stop(self) -> None:
        """Let the streams end."""
        self._running = False
        self.tell()


@dataclass
class Served:
    """The service's application with the console, running."""

    url: str
    questions: MemoryQuestions
    changes: MemoryChanges

    def put(self, *alerts: dict[str, Any]) -> None:
        """Write alerts, as the worker does, and tell the readers."""
        for alert in alerts:
            self.questions.put(alert)
        self.changes.tell()


VITALS = Vitals("ready", 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)


def application(questions: MemoryQuestions, changes: MemoryChanges) -> FastAPI:
    """Return the service's own application over the hospital in memory, with the console in it."""
    ports = Ports(
        tenant=TENANT,
        intake=MemoryIntake(),
        questions=questions,
        changes=changes,
        vitals=lambda: VITALS,
        sources={},
        context_types=frozenset(),
        decode_context=lambda _: [],
        clock=SITE.clock,
    )
    pages = Pages(SITE)
    app = create_app(ports, error_page=pages.error)
    app.include_router(router(questions, pages))
    return app


def serve(questions: MemoryQuestions) -> Iterator[Served]:
    """Run the application on a free port of this machine until the generator goes on."""
    loop = asyncio.new_event_loop()
    changes = MemoryChanges(loop)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio leaves Nagle's delay on
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(application(questions, changes), log_level="error", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(server.serve(sockets=[listener]))
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", questions, changes)
    changes.stop()
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="session")
def hospital() -> Iterator[Served]:
    """The seeded hospital, served; tests of this fixture only read."""
    yield from serve(a_hospital())


@pytest.fixture
def live_hospital() -> Iterator[Served]:
    """A seeded hospital of its own, for tests that change it."""
    yield from serve(a_hospital())


@pytest.fixture
def empty_hospital() -> Iterator[Served]:
    """A service that has received nothing yet."""
    yield from serve(MemoryQuestions())


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    if not shutil.which(CHROMIUM):
        pytest.fail("Chromium is missing: apt-get install chromium (`make test` does)", pytrace=False)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield chromium
        chromium.close()


@pytest.fixture
def an_alert_now():
    """A maker of alerts last seen a moment ago."""
    return lambda id_, **told: an_alert(id_, NOW_US - MINUTE_US, **told)
