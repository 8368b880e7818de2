"""Keeps the records of intake as they came, for evidence: into the store in large inserts, whatever else waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
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
from streams.sharing import Read, Shared

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition

POLL_SECONDS: Final = 0.5
POLL_RECORDS: Final = 2_000
FLUSH_SECONDS: Final = 1.0
FLUSH_RECORDS: Final = 50_000
FLUSH_BYTES: Final = 8 << 20  # several times as much for a moment: as records, as columns, as what is sent
FETCH_BYTES: Final = 1 << 20  # of one partition at once, compressed
RETRY_SECONDS: Final = 1.0


class Archive(Connected):
    """Keeps what the intake side of this worker reads; what that has passed already is read from Kafka.

    How far the archive is, is committed for a group that nobody is a member of: who has the partition in intake follows it.
    A record stored twice is one.
    """

    def __init__(self, parts: IntakeParts, shared: Shared, open_store: Callable[[], Store]) -> None:
        super().__init__()
        self._parts, self._shared, self._open_store = parts, shared, open_store

    @asynccontextmanager
    async def session(self) -> AsyncIterator[_Session]:
        """Open the store and connect."""
        parts, told = self._parts, {"max_partition_fetch_bytes": FETCH_BYTES}
        intake = consumer(parts.bus, group=parts.topics.group("archive"), **told)
        with ThreadPoolExecutor(1, "archive") as thread:
            store = await asyncio.get_running_loop().run_in_executor(thread, self._open_store)
            with closing(store):
                async with started(parts.bus, intake):
                    session = _Session(parts, self._shared, intake, store, thread)
                    yield session
                    await session.finish()


class _Session:
    """The archive over connections that stand.

    `next`: how far each partition is taken. Those that are `behind` are read from Kafka, until what the intake side reads
    joins on; the others are paused.
    """

    def __init__(
        self, parts: IntakeParts, shared: Shared, intake: AIOKafkaConsumer, store: Store, thread: ThreadPoolExecutor
    ) -> None:
        self._shared, self._intake, self._thread = shared, intake, thread
        self._writer, self._tenant = store.writer, parts.tenant
        self._sources = {topic.name: source for source, topic in parts.topics.intake.items()}
        self._next: dict[TopicPartition, int] = {}
        self._behind: set[TopicPartition] = set()
        self._read: dict[TopicPartition, int] = {}
        self._records = self._bytes = 0
        self._is_failing = False
        self._flushed = time.monotonic()

    @property
    def readers(self) -> Sequence[AIOKafkaConsumer]:
        """What it reads intake with, where it is behind what the intake side reads."""
        return [self._intake]

    async def step(self) -> None:
        """Gather, and flush when it is time; while the store fails, nothing more is taken."""
        if not self._is_failing:
            await self._gather()
        is_full = self._records >= FLUSH_RECORDS or self._bytes >= FLUSH_BYTES
        if is_full or (self._read and time.monotonic() - self._flushed >= FLUSH_SECONDS):
            await self._flush()

    async def finish(self) -> None:
        """Store what the intake side read until it stopped."""
        await self._gather(0.0)
        await self._flush()

    async def _gather(self, wait_seconds: float = POLL_SECONDS) -> None:
        reads = await self._shared.take(0.0 if self._behind else wait_seconds)
        if self._next.keys() != self._shared.ours.keys():
            await self._follow(dict(self._shared.ours))
        for read in reads:
            self._join(read)
        for where in self._shared.missed & self._next.keys():
            self._fall_behind(where)
        self._shared.missed -= self._next.keys()
        if self._behind:
            polled = await self._intake.getmany(timeout_ms=int(POLL_SECONDS * 1_000), max_records=POLL_RECORDS)
            for where, records in polled.items():
                self._take(where, records[-1].offset + 1, records)

    async def _follow(self, ours: Mapping[TopicPartition, int]) -> None:
        """Have the partitions that the intake side has; each goes on where whoever had it before has stored it up to."""
        await self._flush()
        if self._read:  # what is not stored yet could not be committed any more
            return
        self._intake.assign(list(ours))
        self._intake.pause(*ours)
        self._behind &= ours.keys()
        for where, began in ours.items():
            if where not in self._next:
                kept = await self._intake.committed(where)
                self._next[where] = (await self._intake.beginning_offsets([where]))[where] if kept is None else kept
            if self._next[where] < began or where in self._behind:
                self._fall_behind(where)
        self._next = {where: self._next[where] for where in ours}

    def _fall_behind(self, where: TopicPartition) -> None:
        self._behind.add(where)
        self._intake.seek(where, self._next[where])
        self._intake.resume(where)

    def _join(self, read: Read) -> None:
        """Take what the intake side read, where it begins no later than what was taken ends."""
        where = read.where
        if where not in self._next:
            self._shared.missed.add(where)
        elif read.first > self._next[where]:
            if where not in self._behind:
                self._fall_behind(where)
        else:
            if where in self._behind:
                self._behind.discard(where)
                self._intake.pause(where)
            self._take(where, read.after, read.records)

    def _take(self, where: TopicPartition, after: int, records: Sequence[Any]) -> None:
        """Take the records that were not taken before, up to the offset `after`."""
        known, source = self._next[where], self._sources[where.topic]
        raws = [
            (one.offset, source, one.value, one.timestamp * 1_000)
            for one in records
            if one.offset >= known and _is_kept(one.value)
        ]
        self._writer.write_raw(self._tenant, where.partition, raws)
        self._next[where] = self._read[where] = max(known, after)
        self._records += len(raws)
        self._bytes += sum(len(raw[2]) for raw in raws)

    async def _flush(self) -> None:
        """Store what was gathered, then commit it; after a while, when the store does not take it."""
        from aiokafka.errors import CommitFailedError, IllegalStateError  # noqa: PLC0415

        if not self._read:
            return
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.flush)
        except SentinelError as error:
            if not self._is_failing:
                report("archive-failing", error)
            self._is_failing = True
            await asyncio.sleep(RETRY_SECONDS)
            return
        with suppress(CommitFailedError, IllegalStateError):  # what is not committed is stored again
            await self._intake.commit(self._read)
        self._is_failing = False
        self._read = {}
        self._records = self._bytes = 0
        self._flushed = time.monotonic()


def _is_kept(raw: bytes | None) -> bool:
    return raw is not None and len(raw) <= RECORD_BYTES_MAX
