"""The share of one worker while it has it: what comes goes through its shards and is kept, hours close with all others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from sentinel.core.errors import RejectionCode, SupersededError
from streams import alert_topic, rejected_topic
from streams.bus import Bus
from streams.closings import COMMON, Closed, Closings
from streams.context_topic import ContextTopic
from streams.keeping import Keeper, Store
from streams.merging import NEVER, ContextSlice, Place
from streams.reading import Refused
from streams.record import ContextDecoder, DeadLetter, Kind, LogRecord
from streams.rows import Row
from streams.shards import Shards, Trouble
from streams.state_topic import StateTopic, packed
from streams.topics import Topics
from streams.wire import unpack

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

    from sentinel.core.closing import Closing
    from sentinel.core.common import Common
    from sentinel.core.shard import Shard
    from streams.restoring import Checkpoints


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class AssessorLimits:
    """How much is taken at once, and how often it is kept.

    `gather_seconds`: between polls while nothing is left to do, so as to find more; `held_rows`: that may wait for their
    turn; `pending_rows`: that may wait for a store that refuses; `session_ms`: silence after which the group takes a worker
    for dead.
    """

    poll_records: int = 64
    poll_ms: int = 50
    gather_seconds: float = 0.03
    batch_rows: int = 2_000
    slice_seconds: float = 0.2
    held_rows: int = 30_000
    flush_rows: int = 50_000
    flush_seconds: float = 0.5
    pending_rows: int = 60_000
    checkpoint_seconds: float = 60.0
    checkpoint_events: int = 2_000_000
    late_seconds: int = 3_600
    retry_seconds: float = 1.0
    revoke_seconds: float = 10.0
    session_ms: int = 10_000


@dataclass(frozen=True, slots=True)
class AssessorParts:
    """What the assessing side is made of. `open_store` opens the store for a lane of writing; `key`: of the states' MAC."""

    bus: Bus
    topics: Topics
    tenant: str
    build_common: Callable[[], Common]
    build_shard: Callable[[Common], Shard]
    unpack_closing: Callable[[bytes], Closing]
    decode_context: ContextDecoder
    open_store: Callable[[str], Store]
    key: bytes = field(repr=False)
    limits: AssessorLimits = AssessorLimits()

    @property
    def intake(self) -> list[Place]:
        """Every partition of intake."""
        return [(topic.name, partition) for topic in self.topics.intake.values() for partition in range(topic.partitions)]

    @property
    def places(self) -> list[Place]:
        """Every partition whose records are in the one order."""
        return [*self.intake, (self.topics.context.name, 0), (self.topics.feedback.name, 0)]

    @property
    def sources(self) -> dict[str, str]:
        """The sources by topic."""
        return {topic.name: source for source, topic in self.topics.intake.items()}


@dataclass(frozen=True, slots=True)
class Links:
    """What leads to Kafka."""

    events: AIOKafkaConsumer
    out: AIOKafkaProducer
    closings: Closings
    states: StateTopic
    context: Sequence[ContextTopic]  # and verdicts


class Share:
    """The partitions that a worker has, and what it takes to let them go on. They are its until told otherwise."""

    def __init__(
        self, parts: AssessorParts, links: Links, checkpoints: Checkpoints, shards: Shards, keeper: Keeper, trouble: Trouble
    ) -> None:
        self._parts, self._limits, self._links, self._checkpoints = parts, parts.limits, links, checkpoints
        self._shards, self._keeper, self._trouble = shards, keeper, trouble
        self._broker_ms = NEVER
        self._has_left = False
        self._storing: asyncio.Task[None] | None = None
        self._saving: asyncio.Task[None] | None = None
        self._unsaved: list[int] = []  # whose states are to be taken before the hour ends, one by one: nobody waits for all
        self._outdated: list[int] = []  # may be taken too
        self._taken: list[_Taken] = []  # since it was last sealed what led to them
        self._sealed: list[_Taken] = []  # what led to them is being stored
        self._ripe: list[_Taken] = []  # to be kept
        self._flushed = self._saved = time.monotonic()
        self._saved_events = keeper.done.events
        self._committed: dict[int, int] = {}

    def covers(self, given: frozenset[int]) -> bool:
        """Whether it can go on as `given`: nothing is new or broken, and no other worker will write in its lane."""
        owned = self._shards.owned
        return given <= owned.keys() and min(given, default=-1) == min(owned) and not any(one.is_broken for one in owned.values())

    async def take_over(self, given: frozenset[int], intake: Sequence[Place]) -> None:
        """Claim what is ours, then ask the store what it has of what is to come: others may have gone this way before us.

        Raises:
            SentinelError: it does not answer.
        """
        stored = await asyncio.to_thread(self._keeper.take_over, given, self._shards.least(intake))
        for owned in self._shards.owned.values():
            owned.stored = replace(stored)

    def place(self, given: frozenset[int]) -> bool:
        """Go on as `given`, each partition reading on where it stands.

        Raises:
            IllegalStateError: they are not ours any more.
        """
        self._shards.keep_only(given)
        self._unsaved = [partition for partition in self._unsaved if partition in (COMMON, *given)]
        self._outdated = [partition for partition in self._outdated if partition in given]
        self._committed.clear()
        for partition, owned in self._shards.owned.items():
            self._links.events.seek(self._where(partition), owned.merge.next)
        self._links.events.resume(*self._links.events.paused())
        return True

    async def take(self, polled: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """Take in what came of `events`, of the context and of verdicts."""
        known = await asyncio.gather(*(topic.read(self._broker_ms) for topic in self._links.context))
        await asyncio.to_thread(self._push, polled, known)
        out, rejected = self._links.out, self._parts.topics.rejected.name
        refused = [bad for topic in self._links.context for bad in topic.refused_since()]
        if 0 in self._shards.owned:  # who has the first partition tells for all
            await rejected_topic.send(out, rejected, refused)
        failed, self._trouble.untold = self._trouble.untold, []
        await rejected_topic.send(out, rejected, [self._failed(place, row) for place, row in failed])

    def _failed(self, place: Place, row: Row) -> Refused:
        source, received_us = self._parts.sources[place[0]], row.append_ms * 1_000
        record = LogRecord(self._parts.tenant, Kind.EVENT, source, msgspec.json.encode(row.event), received_us)
        return Refused(*place, row.offset, DeadLetter(record, RejectionCode.UNPARSEABLE, detail=rejected_topic.FAILED))

    def _push(self, polled: Mapping[TopicPartition, Sequence[Any]], known: Sequence[ContextSlice]) -> None:
        for where, records in polled.items():
            merge = self._shards.owned[where.partition].merge
            for record in records:
                slices = unpack(record.value, record.headers)
                merge.push(record.offset, slices)
                self._broker_ms = max(self._broker_ms, *(told.read_until for told in slices))
        for owned in self._shards.owned.values():
            for one in known:
                owned.merge.know(one)

    async def go_on(self) -> bool:
        """Do for a moment what can be done; False: nothing can be done before more comes.

        Raises:
            SentinelError: the store does not take it, or does not answer; nothing is lost, call it again.
        """
        self._look()
        await self._save()
        has_more = await asyncio.to_thread(self._assess)
        has_more |= await self._close_hour() or bool(self._unsaved)
        is_due = self._keeper.pending >= self._limits.flush_rows or self._is_over(self._flushed, self._limits.flush_seconds)
        if is_due and self._storing is None:
            await self._store()
        return has_more

    @staticmethod
    def _is_over(since: float, seconds: float) -> bool:
        return time.monotonic() - since >= seconds

    def _assess(self) -> bool:
        until = time.monotonic() + self._limits.slice_seconds
        while self._keeper.pending < self._limits.pending_rows:
            if not self._shards.step(self._keeper, self._limits.batch_rows):
                return False
            if time.monotonic() >= until:
                return True
        return False

    async def _close_hour(self) -> bool:
        """Tell what ours add to the hours that end; once all have told, open the next. False: that was not now."""
        closings, shards = self._links.closings, self._shards
        await closings.tell([*self._untold()])
        await closings.read()
        told = closings.of(shards.mark) if shards.mark is not None else None
        if shards.mark is None or told is None:
            return False
        await asyncio.to_thread(shards.close, shards.mark, told, self._keeper)
        self._keeper.done.hour = shards.common.hour
        if closings.is_checkpoint(shards.common.hour):
            self._unsaved, self._outdated = [*([COMMON] if 0 in shards.owned else []), *shards.owned], []
            for owned in shards.owned.values():
                owned.is_due = True
        return True

    def _untold(self) -> Iterator[Closed]:
        for partition, owned in self._shards.owned.items():
            if owned.mark is not None and owned.closing is not None and not self._links.closings.has(owned.mark, partition):
                yield Closed(owned.mark, partition, owned.closing.pack(), partition == 0 and self._is_checkpoint_due())

    async def flush(self) -> None:
        """Make durable all that was decided, tell the alerts, and commit.

        Raises:
            SentinelError: the store does not take it; nothing is lost, call it again.
        """
        await self._settle()
        await self._store()
        await self._settle()

    async def _store(self) -> None:
        """Begin to make durable what was decided up to now; it goes on beside the assessing of what follows."""
        self._look()
        needed = {partition: owned.merge.needed for partition, owned in self._shards.owned.items()}
        await asyncio.to_thread(self._keeper.seal)
        self._sealed, self._taken = [*self._sealed, *self._taken], []
        self._storing, self._flushed = _beside(self._stored(needed)), time.monotonic()

    async def _stored(self, needed: Mapping[int, int]) -> None:
        alerts = await asyncio.to_thread(self._keeper.store)
        await alert_topic.send(self._links.out, self._parts.topics.alerts.name, alerts)
        await self._commit(needed)

    def _look(self) -> None:
        """Raise what failed beside the assessing; begin what waited for what is done.

        Raises:
            SupersededError: it was left, perhaps while somebody waited for what was then called off.
        """
        if self._has_left:
            raise SupersededError("the partitions were given up")
        if self._storing is not None and self._storing.done():
            storing, self._storing = self._storing, None
            storing.result()
            self._ripe, self._sealed = [*self._ripe, *self._sealed], []
        if self._saving is not None and self._saving.done():
            saving, self._saving = self._saving, None
            saving.result()
        if self._ripe and self._saving is None:
            self._saving = _beside(self._keep())

    async def _settle(self) -> None:
        """Wait for all that is done beside the assessing."""
        while under_way := [task for task in (self._storing, self._saving) if task is not None]:
            await asyncio.wait(under_way)
            self._look()

    def leave(self) -> None:
        """Do nothing more; who goes on all the same is told so."""
        self._has_left = True
        for task in (self._storing, self._saving):
            if task is not None:
                task.cancel()

    async def _commit(self, needed: Mapping[int, int]) -> None:
        """Say how far we are, for those who watch; where we go on is in the checkpoints."""
        from aiokafka.errors import CommitFailedError, IllegalStateError  # noqa: PLC0415

        if needed == self._committed:
            return
        try:
            await self._links.events.commit({self._where(partition): offset for partition, offset in needed.items()})
        except (CommitFailedError, IllegalStateError):
            return
        self._committed = dict(needed)

    def _is_checkpoint_due(self) -> bool:
        limits, events = self._limits, self._keeper.done.events - self._saved_events
        is_due = self._is_over(self._saved, limits.checkpoint_seconds) or events >= limits.checkpoint_events
        return is_due or not self._links.closings.manifests(COMMON)

    def _refresh(self) -> None:
        """Within an hour that began with a checkpoint, let a later state of it take its place: of one partition at a time."""
        if self._unsaved or self._taken or self._sealed or self._ripe:
            return
        hour, manifests = self._shards.common.hour, self._links.closings.manifests
        if not self._outdated and self._is_checkpoint_due():
            self._outdated = list(self._shards.owned)
        self._outdated = [partition for partition in self._outdated if hour in manifests(partition)]

    def _is_even(self, partition: int) -> bool:
        owned = self._shards.owned.get(partition)  # none: what all have in common moves with the hours alone
        return owned is None or (owned.is_even and owned.mark is None)

    async def _save(self) -> None:
        """Take a state that is due as it stands; it is kept beside the assessing, once all that led to it is durable."""
        self._refresh()
        partition = next(filter(self._is_even, self._unsaved or self._outdated), None)
        if partition is None:
            return
        state = await self._checkpoints.take(self._shards, partition)
        self._taken.append(_Taken(partition, self._shards.common.hour, _beside(asyncio.to_thread(packed, state))))
        for waiting in (self._unsaved, self._outdated):
            if partition in waiting:
                waiting.remove(partition)
        if partition in self._shards.owned:
            self._shards.owned[partition].is_due = False
        self._saved, self._saved_events = time.monotonic(), self._keeper.done.events

    async def _keep(self) -> None:
        while self._ripe:
            taken = self._ripe[0]
            await self._checkpoints.keep(taken.partition, taken.hour, await taken.state)
            self._ripe.pop(0)

    def balance(self) -> None:
        """Bound what is held. Who cannot keep up stops reading; what waits for other parts of intake is shed, and read again."""
        events, rows_max = self._links.events, self._limits.held_rows // len(self._shards.owned)
        for partition, owned in self._shards.owned.items():
            where = self._where(partition)
            if owned.is_starving:
                owned.merge.shed(rows_max)
                if (again := owned.merge.rewind()) is not None:
                    events.seek(where, again)
            if owned.held > rows_max:
                events.pause(where)
            elif owned.is_starving or owned.held < rows_max // 2:
                events.resume(where)

    def _where(self, partition: int) -> TopicPartition:
        from aiokafka import TopicPartition  # noqa: PLC0415

        return TopicPartition(self._parts.topics.events.name, partition)


@dataclass(frozen=True, slots=True)
class _Taken:
    """The state of a partition, or of what all have in common, as it stood in `hour`; it is being packed."""

    partition: int
    hour: int
    state: asyncio.Task[bytes]


def _beside(work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
    """Let work go on beside what follows; nobody may ever ask how it ended."""
    task = asyncio.create_task(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task
