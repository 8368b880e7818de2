"""`GET /v1/alerts/stream`: alerts as they are written (server-sent events), resumed where the client left off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from sentinel.web.ports import Answer, Changes, Limits, Questions, UnavailableError
from sentinel.web.problem import unavailable

PAGE: Final = 100
PAGE_MAX: Final = 1_000
RETRY_MS: Final = 2_000


class Feed:
    """Asks the store once for all clients that stand at the same place, each time alerts were written."""

    def __init__(self, tenant: str, questions: Questions, changes: Changes, limits: Limits) -> None:
        self._tenant, self._questions, self._changes, self._limits = tenant, questions, changes, limits
        self._clients = 0
        self._generation = 0
        self._open = True
        self._newest: str | None = None
        self._turned = asyncio.Condition()
        self._answers: dict[str, asyncio.Task[Answer]] = {}
        self._watching: asyncio.Task[None] | None = None

    @property
    def clients(self) -> int:
        """How many streams are open."""
        return self._clients

    @asynccontextmanager
    async def client(self) -> AsyncIterator[None]:
        """Hold a place among the clients: 503 when all are taken."""
        if self._clients >= self._limits.stream_clients_max:
            raise unavailable("too many streams", 10)
        self._clients += 1
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self._clients -= 1

    async def newest(self) -> str:
        """Return the cursor after the newest change; the first time, this walks over all alerts."""
        while (page := await self._ask(self._newest, PAGE_MAX))["alerts"]:
            self._newest = page["cursor"]
        return self._newest or ""

    async def check(self, cursor: str) -> None:
        """Do nothing, but raise `ValueError` when `cursor` is none of ours."""
        await self._since(cursor)

    async def stream(self, cursor: str) -> AsyncIterator[bytes]:
        """Yield what a client at `cursor` is told: first where it stands, then each alert as it is written."""
        yield f"retry: {RETRY_MS}\nevent: ready\nid: {cursor}\ndata: {{}}\n\n".encode()
        while self._open:
            generation = self._generation
            try:
                page = await self._since(cursor)
            except UnavailableError:
                page = {"alerts": [], "cursor": cursor}
            if page["alerts"]:
                cursor = page["cursor"]
                yield _told(page["alerts"], cursor)
            elif not await self._turn(generation):
                yield b": still here\n\n"

    async def _since(self, cursor: str) -> Answer:
        """Ask, or wait for who asked the same since the last change."""
        asked = self._answers.get(cursor)
        if asked is None:
            asked = self._answers[cursor] = asyncio.create_task(self._ask(cursor, PAGE))
        try:
            return await asyncio.shield(asked)
        except Exception:
            self._answers.pop(cursor, None)
            raise

    async def _ask(self, cursor: str | None, limit: int) -> Answer:
        """Ask; a page that does not move the cursor is taken for an empty one, so that no stream turns for ever."""
        page = await self._questions.alerts_changed_since(self._tenant, cursor, limit=limit)
        return page if page["cursor"] != cursor else {"alerts": [], "cursor": cursor}

    async def _turn(self, generation: int) -> bool:
        """Wait for a change after `generation`; False: none came within a heartbeat."""
        async with self._turned:
            try:
                async with asyncio.timeout(self._limits.heartbeat_seconds):
                    await self._turned.wait_for(lambda: self._generation != generation or not self._open)
            except TimeoutError:
                return False
            return True

    async def _watch(self) -> None:
        while self._open:
            self._open = await self._changes.wait()
            async with self._turned:
                self._generation += 1
                self._answers.clear()
                self._turned.notify_all()


def _told(alerts: list[Answer], cursor: str) -> bytes:
    """Return the events of one page; the last one alone moves the client's place, so that a page is told whole."""
    events = [b"event: alert\ndata: " + msgspec.json.encode(alert) + b"\n" for alert in alerts]
    return b"\n".join([*events[:-1], events[-1] + f"id: {cursor}\n".encode()]) + b"\n"


class FeedResponse(StreamingResponse):
    """A stream that holds its place among the clients from its first byte to its last."""

    def __init__(self, feed: Feed, cursor: str) -> None:
        super().__init__(feed.stream(cursor), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or raise the 503 when all places are taken."""
        async with self._feed.client():
            await super().__call__(scope, receive, send)
