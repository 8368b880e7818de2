"""A producer that says within bounds what became of a record: aiokafka's own, where it is idempotent, tries for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError

LOOK_SECONDS: Final = 0.5


class _Underway(set[Any]):
    """Batches that were sent and not acknowledged; one that failed in time may be looked for afterwards."""

    def remove(self, batch: Any) -> None:
        """Forget a batch."""
        self.discard(batch)


class BoundedProducer(AIOKafkaProducer):  # type: ignore[misc]
    """Fails what is not acknowledged within its `request_timeout_ms`, and takes nothing more: make another in its place.

    What was failed may have been taken all the same.
    """

    def __init__(self, **told: Any) -> None:
        super().__init__(**told)
        self._delivery_seconds = told["request_timeout_ms"] / 1_000
        self._watching: asyncio.Task[None] | None = None
        self._message_accumulator._pending_batches = _Underway()  # noqa: SLF001

    async def start(self) -> None:
        """Connect.

        Raises:
            KafkaError: no broker answers in time.
        """
        try:
            async with asyncio.timeout(self._delivery_seconds):
                await super().start()
        except TimeoutError:
            raise KafkaTimeoutError("no broker gives a producer its number") from None
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while not any(batch.expired() for batch in self._held()):  # noqa: ASYNC110 - nothing tells of time that passes
            await asyncio.sleep(LOOK_SECONDS)
        failed = [future for batch in self._held() for future, _ in batch._msg_futures]  # noqa: SLF001
        self._message_accumulator.fail_all(KafkaTimeoutError("not acknowledged in time"))
        for future in failed:
            future.cancelled() or future.exception()  # who sent several hears of the first; the others are no news

    def _held(self) -> Iterator[Any]:
        accumulator = self._message_accumulator
        return chain(tuple(accumulator._pending_batches), *map(tuple, accumulator._batches.values()))  # noqa: SLF001

    async def stop(self) -> None:
        """Send what waits, within the same bounds, and disconnect."""
        try:
            await super().stop()
        finally:
            if self._watching is not None:
                self._watching.cancel()
