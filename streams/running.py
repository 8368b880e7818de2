"""Parts of a worker that run until they are told to stop, over connections that may break; and what ends one that is stuck."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TYPE_CHECKING, Final, Protocol

from sentinel.core.errors import RefusedToStartError
from streams.bus import Bus, reach
from streams.faults import report

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition

STUCK_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 1.0  # between looks at what was heard: a step is short
ASK_SECONDS: Final = 5.0  # between questions whether Kafka is there, while a part does not move


class Runnable(Protocol):
    """A part. `moved_at`: when it last got further, or heard that there was nothing to do (monotonic seconds)."""

    @property
    def moved_at(self) -> float: ...  # noqa: D102

    async def run(self) -> None:
        """Work until told to stop."""
        ...

    def stop(self) -> None:
        """Ask `run` to finish what is in hand and return."""
        ...


class Session(Protocol):
    """A part's work over connections that stand. `readers`: what it reads with."""

    @property
    def readers(self) -> Sequence[AIOKafkaConsumer]: ...  # noqa: D102

    async def step(self) -> None:
        """Do what there is to do, once; return after a moment when there is nothing."""
        ...


class Hearing:
    """When the brokers last told anything, be it that there is nothing, of each partition that consumers want to read.

    A consumer of aiokafka may hang after a broker's restart: it gives no records and says nothing.
    """

    def __init__(self, readers: Sequence[AIOKafkaConsumer]) -> None:
        self._readers = readers
        self._heard: dict[TopicPartition, tuple[object, float]] = {}
        self._looked_at = float("-inf")

    def since(self, now: float) -> float:
        """Return the time (monotonic seconds) since when nothing was heard of the partition that is worst off; `now`: none is."""
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            self._look(now)
        return min((at for _, at in self._heard.values()), default=now)

    def _look(self, now: float) -> None:
        before, self._heard = self._heard, {}
        for reader in self._readers:
            for where in reader.assignment() - reader.paused():
                told = reader.last_poll_timestamp(where)
                seen, at = before.get(where, (told, now))
                self._heard[where] = (told, at if told == seen else now)


class Connected(ABC):
    """A part that makes its connections anew when Kafka fails them: what was not committed comes again."""

    def __init__(self) -> None:
        self._stopping = asyncio.Event()
        self._was_in = self._is_failing = False
        self.moved_at = time.monotonic()

    @abstractmethod
    def session(self) -> AbstractAsyncContextManager[Session]:
        """Connect; leaving ends the connections in order."""

    def stop(self) -> None:
        """Ask `run` to finish what is in hand and return."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until told to stop.

        Raises:
            RefusedToStartError: Kafka does not let us in and never did, or what it holds cannot be worked with.
        """
        from aiokafka.errors import KafkaError  # noqa: PLC0415

        while not self._stopping.is_set():
            try:
                await self._connected()
            except KafkaError as error:
                await self._wait(error)

    async def _connected(self) -> None:
        async with AsyncExitStack() as closing:
            session = await self._entered(closing)
            hearing = Hearing(session.readers) if session is not None else None
            while session is not None and hearing is not None and not self._stopping.is_set():
                await session.step()
                self.moved_at, self._is_failing = hearing.since(time.monotonic()), False
                await asyncio.sleep(0)  # a step that never had to wait lets the others work all the same

    async def _entered(self, closing: AsyncExitStack) -> Session | None:
        try:
            session = await closing.enter_async_context(self.session())
        except RefusedToStartError as error:
            if not self._was_in:
                raise
            await self._wait(error)
            return None
        self._was_in = True
        return session

    async def _wait(self, error: Exception) -> None:
        if not self._is_failing:
            report("kafka-failing", error, part=type(self).__name__)
        self._is_failing = True
        await asyncio.sleep(RETRY_SECONDS)


def watch(
    part: Runnable,
    is_away: Callable[[], bool],
    stuck_seconds: float = STUCK_SECONDS,
    end: Callable[[int], object] = os._exit,
) -> Callable[[], None]:
    """End this process with code 1 when a part has not moved for long; return what calls this off.

    Whoever restarts the worker gets all that was not committed. From a thread: what hangs may be the event loop.
    While what it works with `is_away`, it is waited for: a restart would not bring it back.
    """
    is_over = threading.Event()
    ask_seconds = min(ASK_SECONDS, stuck_seconds / 4)

    def look() -> None:
        away_at = 0.0
        while not is_over.wait(ask_seconds):
            if time.monotonic() - part.moved_at >= ask_seconds and is_away():
                away_at = time.monotonic()
            if time.monotonic() - max(part.moved_at, away_at) >= stuck_seconds:
                report("worker-stuck", part=type(part).__name__, seconds=int(stuck_seconds))
                end(1)
                return

    threading.Thread(target=look, name="watchdog", daemon=True).start()
    return is_over.set


def is_away(bus: Bus) -> bool:
    """Whether no broker lets us in."""
    try:
        asyncio.run(reach(bus))
    except RefusedToStartError:
        return True
    return False
