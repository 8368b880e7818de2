"""The assessing side: a member of the group that shares the partitions of `events`; what is ours goes on in `streams.share`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from sentinel.core.errors import SentinelError, SupersededError
from streams.bus import consumer, producer, started
from streams.closings import Closings
from streams.context_topic import ContextTopic, resources
from streams.faults import report
from streams.feedback import learnt_of
from streams.keeping import Done, Keeper, Store
from streams.restoring import Checkpoints
from streams.running import Connected
from streams.shards import SetBackError, Trouble
from streams.share import AssessorParts, Links, Share
from streams.state_topic import StateTopic
from streams.tail import tail

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition

LINGER_MS: Final = 2  # what is sent is waited for


class Assessor(Connected):
    """Has its share of the partitions of `events`, until told to stop. `done`: what it did so far."""

    def __init__(self, parts: AssessorParts) -> None:
        super().__init__()
        self._parts = parts
        self._trouble = Trouble()
        self.done = Done()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[_Session]:
        """Join the group; leave it once what was decided is kept."""
        parts, topics = self._parts, self._parts.topics
        async with AsyncExitStack() as closing:
            out = await closing.enter_async_context(started(parts.bus, producer(parts.bus, linger_ms=LINGER_MS)))
            told, kept, known, judged = [
                await closing.enter_async_context(tail(parts.bus, topic.name))
                for topic in (topics.closings, topics.checkpoints, topics.context, topics.feedback)
            ]
            events = consumer(parts.bus, group=topics.group("assess"), session_timeout_ms=parts.limits.session_ms)
            links = Links(
                events,
                out,
                Closings(told, out, topics.events.partitions, parts.unpack_closing),
                StateTopic(kept, out, parts.key),
                [
                    ContextTopic(known, resources(parts.decode_context), parts.tenant),
                    ContextTopic(judged, learnt_of, parts.tenant),
                ],
            )
            session = _Session(parts, links, self._trouble, self.done)
            closing.push_async_callback(session.close)
            events.subscribe([topics.events.name], listener=_listener(session))
            await closing.enter_async_context(started(parts.bus, events))
            yield session
            await session.give_up()


def _listener(session: _Session) -> Any:
    from aiokafka import ConsumerRebalanceListener  # noqa: PLC0415

    class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
        async def on_partitions_revoked(self, _revoked: Collection[TopicPartition]) -> None:
            await session.give_up()

        async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
            session.given = frozenset(where.partition for where in assigned)

    return Listener()


class _Session:
    """One membership of the group. `given`: the partitions that are ours; None: nobody knows just now."""

    def __init__(self, parts: AssessorParts, links: Links, trouble: Trouble, done: Done) -> None:
        self._parts, self._limits, self._links, self._trouble, self._done = parts, parts.limits, links, trouble, done
        self._checkpoints = Checkpoints(parts, links.closings, links.states, trouble)
        self._busy = asyncio.Lock()
        self.given: frozenset[int] | None = None
        self._share: Share | None = None
        self._store: Store | None = None
        self._is_placed = self._has_more = self._is_refused = False

    @property
    def readers(self) -> Sequence[AIOKafkaConsumer]:
        """What it reads `events`, the closings, the context and verdicts with."""
        return [self._links.events, self._links.closings.reader, *(topic.reader for topic in self._links.context)]

    async def give_up(self) -> None:
        """Keep what was decided while the partitions are still ours. What cannot be kept now is forgotten, and comes again.

        Raises:
            TimeoutError: it took too long.
            SentinelError: the store does not take it.
        """
        self.given, self._is_placed = None, False
        share, self._share = self._share, None
        try:
            async with asyncio.timeout(self._limits.revoke_seconds), self._busy:
                if share is not None:
                    await share.flush()
                    self._share = share
        finally:
            if share is not None and self._share is None:
                share.leave()

    async def step(self) -> None:
        """Take in what came, then do for a moment what can be done; or find out what has become ours."""
        wait_ms = 0 if self._has_more else self._limits.poll_ms
        await asyncio.sleep(0.0 if self._has_more else self._limits.gather_seconds)
        polled = await self._links.events.getmany(timeout_ms=wait_ms, max_records=self._limits.poll_records)
        async with self._busy:
            share = self._share
            if self.given is None:
                await asyncio.sleep(self._limits.poll_ms / 1_000)  # what was fetched before may come without any waiting
                return
            if not self._is_placed:  # what was polled is read again
                self._has_more = await self._attempt(self._place(self.given))
            elif share is not None:
                await share.take(polled)
                self._has_more = await self._attempt(self._go_on(share))
                self._balance(share)

    def _balance(self, share: Share) -> None:
        if not self._is_refused and self.given is not None and share is self._share:
            share.balance()

    async def _go_on(self, share: Share) -> bool:
        if self._is_refused:  # what is held does not grow while the store refuses it
            await share.flush()
        return await share.go_on()

    async def close(self) -> None:
        """Leave the store, once the insert under way is over: nobody may use a client that is closed, nor write beside us."""
        if self._share is not None:
            self._share.leave()
            self._share = None
        store, self._store = self._store, None
        if store is not None:
            await asyncio.to_thread(store.writer.leave)
            store.close()

    async def _attempt(self, work: Awaitable[bool]) -> bool:
        """Return what `work` returns; False, after a while, when the store does not take or answer what it should."""
        try:
            done = await work
        except SetBackError:  # the next time around it is known what to leave out
            self._is_placed = False
            return True
        except SupersededError:  # a group that took us for dead, which it tells us in a moment
            report("assessor-superseded")
            await self.close()
            self._is_placed = False
            await asyncio.sleep(self._limits.retry_seconds)
            return False
        except (SentinelError, OSError) as error:
            if not self._is_refused:
                report("store-failing", error, code=str(getattr(error, "code", "")))
            self._is_refused = True
            self._links.events.pause(*self._links.events.assignment())
            await asyncio.sleep(self._limits.retry_seconds)
            return False
        self._is_refused = False
        return done

    async def _place(self, given: frozenset[int]) -> bool:
        """Let what is ours go on where it stood; what is new to us begins with its checkpoint, and all the rest with it."""
        from aiokafka.errors import IllegalStateError  # noqa: PLC0415

        if self._share is None or not self._share.covers(given):
            self._share = await self._restored(given) if given else None
        if self._share is not None:
            await self._share.take_over(given, self._parts.intake)
            try:
                self._is_placed = self.given == given and self._share.place(given)
            except IllegalStateError:  # they are not ours any more, and told so in a moment
                return False
        return self._is_placed

    async def _restored(self, given: frozenset[int]) -> Share:
        await self.close()
        self._store = await asyncio.to_thread(self._parts.open_store, f"events-{min(given)}")
        shards = await self._checkpoints.restore(given)
        keeper = Keeper(self._store.writer, self._limits.late_seconds * 1_000_000, self._done)
        for topic in self._links.context:
            topic.seek(shards.least([topic.place]))
        return Share(self._parts, self._links, self._checkpoints, shards, keeper, self._trouble)
