"""The intake side: raw records of all `intake` topics in, slices in `events` and dead letters in `rejected` out, nothing lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sentinel.core.errors import RefusedToStartError
from streams import rejected_topic
from streams.bus import Bus, admin, consumer, producer, started
from streams.faults import report
from streams.reading import Reading, Taken
from streams.record import NO_SOURCE, guarded
from streams.running import Connected
from streams.sharing import Read, Shared
from streams.sources.contract import Source
from streams.topics import Topics
from streams.wire import HEADERS, pack

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient

LINGER_MS: Final = 2  # a poll's slices are sent together, and waited for
FETCH_BYTES: Final = 1 << 20  # of one partition at once: what is read of one goes ahead of the others
LOG_APPEND_TIME: Final = 1


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """How much is read at once, and how far ahead. `gather_seconds`: between polls that find little, so as to find more.

    `ahead_ms`: of append time, that a partition of intake is read ahead of the one that is furthest behind, whoever reads
    that one: whoever puts them in order holds what is between in memory.
    """

    poll_records: int = 5_000
    poll_ms: int = 100
    gather_seconds: float = 0.05
    ahead_ms: int = 2_000
    silence_seconds: float = 0.2
    revoke_seconds: float = 10.0
    session_ms: int = 10_000


@dataclass(frozen=True, slots=True)
class IntakeParts:
    """What the intake side is made of."""

    bus: Bus
    topics: Topics
    tenant: str
    sources: Mapping[str, Source]
    limits: IntakeLimits = IntakeLimits()


class Normaliser(Connected):
    """Reads its share of intake, and hands what it read to `shared`. Stopping commits what is in hand and leaves the group."""

    def __init__(self, parts: IntakeParts, shared: Shared | None = None) -> None:
        super().__init__()
        self._parts, self._shared = parts, shared or Shared(0)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[_Session]:
        """Join the group."""
        parts, names = self._parts, [topic.name for topic in self._parts.topics.intake.values()]
        # asked on the reading consumer's connection, where a partition ends would wait behind a fetch
        async with (
            started(parts.bus, producer(parts.bus, linger_ms=LINGER_MS)) as out,
            started(parts.bus, admin(parts.bus)) as kafka,
            started(parts.bus, consumer(parts.bus)) as asking,
        ):
            told = {"session_timeout_ms": parts.limits.session_ms, "max_partition_fetch_bytes": FETCH_BYTES}
            intake = consumer(parts.bus, group=parts.topics.group("intake"), **told)
            session = _Session(parts, self._shared, intake, asking, out, kafka)
            intake.subscribe(names, listener=_listener(session))
            async with started(parts.bus, intake):
                yield session


def _listener(session: _Session) -> Any:
    from aiokafka import ConsumerRebalanceListener  # noqa: PLC0415

    class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
        async def on_partitions_revoked(self, _revoked: Collection[TopicPartition]) -> None:
            await session.give_up()

        async def on_partitions_assigned(self, _assigned: Collection[TopicPartition]) -> None:
            session.begin()

    return Listener()


@dataclass(slots=True, eq=False)
class _Share:
    """What one assignment made ours, as far as it is known. `sure_at`: when the group last said so (monotonic seconds)."""

    sure_at: float
    readings: dict[TopicPartition, Reading] = field(default_factory=dict)


class _Session:
    """One membership of the group.

    While the group comes together anew, nothing is told: a commit may then go through that tells of partitions which are
    another's already. Nor is anything told of what was read after the group may have taken us for dead.
    """

    def __init__(
        self,
        parts: IntakeParts,
        shared: Shared,
        intake: AIOKafkaConsumer,
        asking: AIOKafkaConsumer,
        out: AIOKafkaProducer,
        kafka: AIOKafkaAdminClient,
    ) -> None:
        self._parts, self._shared = parts, shared
        self._intake, self._asking, self._out, self._admin = intake, asking, out, kafka
        self._group = parts.topics.group("intake")
        self._sources = {topic.name: guarded(parts.sources.get(name, NO_SOURCE)) for name, topic in parts.topics.intake.items()}
        self._share: _Share | None = None  # nobody knows just now
        self._busy = asyncio.Lock()
        self._pause = 0.0
        self._broker_ms = 0
        self._told_silence = 0.0
        self._slowest_ms = 0

    @property
    def readers(self) -> Sequence[AIOKafkaConsumer]:
        """What it reads intake with."""
        return [self._intake]

    async def give_up(self) -> None:
        """Finish what is in hand while the partitions are still ours; what takes too long comes again to their next reader."""
        self._intake.pause(*self._intake.assignment())  # what would come now comes again
        try:
            async with asyncio.timeout(self._parts.limits.revoke_seconds), self._busy:
                pass
        except TimeoutError:
            report("intake-given-up-late")
        self._lose(self._share)

    def begin(self) -> None:
        """Take what we were just assigned: what it is, is found at the next step."""
        self._share = _Share(time.monotonic())

    def _lose(self, share: _Share | None) -> None:
        """Forget what is not ours any more; what was not committed comes again to whoever has it."""
        if self._share is share:
            self._share = None
            self._shared.ours = {}

    async def step(self) -> None:
        """Read once, and take in what came."""
        from aiokafka.errors import IllegalStateError  # noqa: PLC0415

        limits = self._parts.limits
        await asyncio.sleep(self._pause)
        share = self._share
        polled = await self._intake.getmany(timeout_ms=limits.poll_ms, max_records=limits.poll_records)
        is_little = sum(map(len, polled.values())) < limits.poll_records // 4
        self._pause = limits.gather_seconds if is_little else 0.0
        async with self._busy:
            try:
                if share is not None and share is self._share and await self._is_known(share):
                    await self._take_in(share, polled)  # else it is read again
            except IllegalStateError:  # partitions went meanwhile
                self._lose(share)

    async def _take_in(self, share: _Share, polled: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """Tell, commit, then tell of silence."""
        taken = [self._take(share, where, records) for where, records in polled.items()]
        if taken:
            await self._tell(taken)
        is_due = bool(taken) or time.monotonic() - self._told_silence >= self._parts.limits.silence_seconds
        silent = await self._silent(share) if is_due else set()
        if await self._commit(share, polled.keys() | silent) and is_due:
            await self._tell_silence(share)
        await self._hold_back(share)

    @property
    def _partitions(self) -> int:
        return self._parts.topics.events.partitions

    async def _is_known(self, share: _Share) -> bool:
        """Whether we know how far all that is ours was read. If not, find out, and read on from there."""
        if new := self._intake.assignment() - share.readings.keys():
            await self._find_out(share, new)
            return False
        is_sure = time.monotonic() - share.sure_at < self._parts.limits.session_ms / 1_000
        return is_sure or await self._commit(share, share.readings.keys())

    async def _find_out(self, share: _Share, new: Collection[TopicPartition]) -> None:
        found = await self._admin.list_consumer_group_offsets(self._group, partitions=list(new))
        kept = {where: (one.offset, _ms(one.metadata)) for where, one in found.items() if one.offset >= 0}
        first = await self._asking.beginning_offsets([where for where in new if where not in kept])
        for where, (start, until_ms) in (kept | {where: (offset, 0) for where, offset in first.items()}).items():
            source = self._sources[where.topic]
            share.readings[where] = Reading(self._parts.tenant, where.topic, where.partition, source, start, until_ms)
            self._intake.seek(where, start)
        self._shared.ours = {where: reading.next for where, reading in share.readings.items()}

    def _take(self, share: _Share, where: TopicPartition, records: Sequence[Any]) -> Taken:
        reading = share.readings[where]
        first, taken = reading.next, reading.take(_checked(records), self._partitions)
        self._shared.put(Read(where, first, reading.next, records))
        return taken

    async def _tell(self, taken: Sequence[Taken]) -> None:
        letters = [refused for one in taken for refused in one.refused]
        shards = zip(*(one.slices for one in taken), strict=True)
        rejected = rejected_topic.send(self._out, self._parts.topics.rejected.name, letters)
        await asyncio.gather(self._send_slices([pack(slices) for slices in shards]), rejected)

    async def _tell_silence(self, share: _Share) -> None:
        """Tell how far all is read, were it nothing new: the answer says what time it is."""
        if share.readings:
            await self._send_slices([pack(reading.silent() for reading in share.readings.values())] * self._partitions)
        self._told_silence = time.monotonic()

    async def _send_slices(self, shards: Sequence[Sequence[bytes]]) -> None:
        """Send each partition of `events` its records; when the brokers got them is the latest time we know of."""
        name = self._parts.topics.events.name
        sent = [
            await self._out.send(name, record, partition=partition, headers=HEADERS)
            for partition, records in enumerate(shards)
            for record in records
        ]
        self._broker_ms = min(done.timestamp for done in await asyncio.gather(*sent))

    async def _silent(self, share: _Share) -> set[TopicPartition]:
        """Return the partitions read to their end, after which nothing came until the brokers' time that we know of.

        The end is asked for after that time: a record that comes later is told a later time by the same clock.
        """
        waiting = [where for where, reading in share.readings.items() if reading.until_ms < self._broker_ms]
        ends = await self._asking.end_offsets(waiting) if waiting else {}
        silent = {where for where, end in ends.items() if await self._intake.position(where) >= end}
        for where in silent:
            share.readings[where].until_ms = self._broker_ms
        return silent

    async def _commit(self, share: _Share, moved: Collection[TopicPartition]) -> bool:
        """Keep how far partitions are read; False: they are another's by now, and what was told comes again."""
        from aiokafka.errors import CommitFailedError, IllegalStateError  # noqa: PLC0415

        read, asked_at = {where: share.readings[where] for where in moved}, time.monotonic()
        try:
            if read and share is self._share:
                await self._intake.commit({where: (one.next, str(one.until_ms)) for where, one in read.items()})
                share.sure_at = asked_at
        except (CommitFailedError, IllegalStateError):
            self._lose(share)
        return share is self._share

    async def _hold_back(self, share: _Share) -> None:
        """Pause partitions that are far ahead of the slowest of all."""
        ahead = self._ahead(share)
        if ahead:
            self._slowest_ms = await self._slowest()
            ahead = self._ahead(share)
        if paused := self._intake.paused() - ahead:
            self._intake.resume(*paused)
        self._intake.pause(*ahead)

    def _ahead(self, share: _Share) -> set[TopicPartition]:
        latest = self._slowest_ms + self._parts.limits.ahead_ms
        return {where for where, reading in share.readings.items() if reading.until_ms > latest}

    async def _slowest(self) -> int:
        """Return how far (ms) the partition of intake is read that is furthest behind, by what the group committed."""
        from aiokafka import TopicPartition  # noqa: PLC0415

        every = [TopicPartition(t.name, p) for t in self._parts.topics.intake.values() for p in range(t.partitions)]
        found = await self._admin.list_consumer_group_offsets(self._group, partitions=every)
        return min(_ms(found[where].metadata) if where in found else 0 for where in every)


def _checked(records: Sequence[Any]) -> Sequence[Any]:
    if any(record.timestamp_type != LOG_APPEND_TIME for record in records):
        raise RefusedToStartError(f"{records[0].topic}: its time is not LogAppendTime; see `sentinel topics check`")
    return records


def _ms(metadata: str | None) -> int:
    return int(metadata) if metadata and metadata.isdecimal() else 0
