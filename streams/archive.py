"""Keeps the records of intake as they came, for evidence: into the store in large inserts, whatever else waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, suppress
from typing import TYPE_CHECKING, Any, Final

from sentinel.core.errors import SentinelError
from streams.bus import consumer, started
from streams.faults import report
from streams.normaliser import IntakeParts
from streams.parts import Store
from streams.reading import RECORD_BYTES_MAX
from streams.running import Connected

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition

POLL_MS: Final = 500
POLL_RECORDS: Final = 2_000
FLUSH_SECONDS: Final = 1.0
FLUSH_RECORDS: Final = 50_000
FLUSH_BYTES: Final = 8 << 20  # several times as much for a moment: as records, as columns, as what is sent
FETCH_BYTES: Final = 1 << 20  # of one partition at once, compressed
RETRY_SECONDS: Final = 1.0


class Archive(Connected):
    """Reads its share of intake in a group of its own. A record stored twice is one: nothing is kept of what was lost or left."""

    def __init__(self, parts: IntakeParts, open_store: Callable[[], Store]) -> None:
        super().__init__()
        self._parts, self._open_store = parts, open_store

    @asynccontextmanager
    async def session(self) -> AsyncIterator[_Session]:
        """Open the store and join the group."""
        parts = self._parts
        names, told = [topic.name for topic in parts.topics.intake.values()], {"max_partition_fetch_bytes": FETCH_BYTES}
        intake = consumer(parts.bus, *names, group=parts.topics.group("archive"), **told)
        with ThreadPoolExecutor(1, "archive") as thread:
            store = await asyncio.get_running_loop().run_in_executor(thread, self._open_store)
            with closing(store):
                async with started(parts.bus, intake):
                    session = _Session(parts, intake, store, thread)
                    yield session
                    await session.flush()


class _Session:
    """One membership of the group."""

    def __init__(self, parts: IntakeParts, intake: AIOKafkaConsumer, store: Store, thread: ThreadPoolExecutor) -> None:
        self._intake, self._writer, self._thread, self._tenant = intake, store.writer, thread, parts.tenant
        self._sources = {topic.name: source for source, topic in parts.topics.intake.items()}
        self._read: dict[TopicPartition, int] = {}
        self._records = self._bytes = 0
        self._flushed = time.monotonic()
        self._is_refused = False

    @property
    def readers(self) -> Sequence[AIOKafkaConsumer]:
        """What it reads intake with."""
        return [self._intake]

    async def step(self) -> None:
        """Gather, and flush when it is time; while the store fails, nothing more is read."""
        for where, records in (await self._intake.getmany(timeout_ms=POLL_MS, max_records=POLL_RECORDS)).items():
            self._gather(where, records)
        is_full = self._records >= FLUSH_RECORDS or self._bytes >= FLUSH_BYTES
        if is_full or (self._read and time.monotonic() - self._flushed >= FLUSH_SECONDS):
            await self.flush()

    def _gather(self, where: TopicPartition, records: list[Any]) -> None:
        source = self._sources[where.topic]
        raws = [(one.offset, source, one.value, one.timestamp * 1_000) for one in records if _is_kept(one.value)]
        self._writer.write_raw(self._tenant, where.partition, raws)
        self._read[where] = records[-1].offset + 1
        self._records += len(raws)
        self._bytes += sum(len(raw[2]) for raw in raws)

    async def flush(self) -> None:
        """Store what was gathered, then commit it."""
        from aiokafka.errors import CommitFailedError, IllegalStateError  # noqa: PLC0415

        if not self._read:
            return
        ours = self._intake.assignment()
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.flush)
        except SentinelError as error:
            if not self._is_refused:
                report("archive-failing", error)
            self._is_refused = True
            self._intake.pause(*ours)
            await asyncio.sleep(RETRY_SECONDS)
            return
        kept = {where: offset for where, offset in self._read.items() if where in ours}
        with suppress(CommitFailedError, IllegalStateError):  # another's by now, who stores the same again
            if kept:
                await self._intake.commit(kept)
        self._is_refused = False
        self._intake.resume(*self._intake.paused())
        self._read.clear()
        self._records = self._bytes = 0
        self._flushed = time.monotonic()


def _is_kept(raw: bytes | None) -> bool:
    return raw is not None and len(raw) <= RECORD_BYTES_MAX
