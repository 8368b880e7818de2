"""The gateway's steps: what its log took goes on to Kafka's topics, in order; how far is kept beside the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, cast

import msgspec

from sentinel.core.errors import RefusedToStartError, RejectionCode, SentinelError
from streams.bus import Bus, producer, reach, reason, start, stop
from streams.checkpoint import Checkpoint, Checkpoints
from streams.dead_letters import DeadLetters
from streams.faults import report
from streams.intake_log import POSITION_MAX, Logged, LogReader
from streams.parts import Done, Order, Store, Ticks, WorkerLimits
from streams.record import DeadLetter, IntakeUnavailableError, Kind, LogRecord
from streams.topics import Topic, Topics
from streams.verdicts import SOURCE as VERDICT
from streams.verdicts import read as read_verdict

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

FOLDER: Final = "forwarded"
NEIGHBOURS: Final = 1_000  # positions whose events go to one partition: sent together, they travel together
LOOK_SECONDS: Final = 1.0  # between looks for alerts that workers wrote
PAGE: Final = 1_000


class NotForwardedError(SentinelError):
    """Kafka did not take what the log holds: it stays there. `code`: why, for the operator."""

    def __init__(self, code: str) -> None:
        super().__init__(f"Kafka does not take what comes in: {code}")
        self.code = code


class Changes(Protocol):
    """The store's question about alerts; `sentinel.store.questions`."""

    def alerts_changed_since(self, tenant: str, cursor: str | None, limit: int) -> Any: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class ForwardingParts:
    """What the gateway's worker is made of. `check` refuses where topics are not as declared; it is asked once Kafka is there."""

    tenant: str
    bus: Bus
    topics: Topics
    check: Callable[[], None]
    open_store: Callable[[], Store]
    prepare: Callable[[], None]

    def steps(self, order: Order, store: Store) -> Forwarding:
        """Return what is done with the log."""
        return Forwarding(order.folder, order.key, self, order.limits, order.ticks, cast("Changes", store.questions()))


class _Sent(NamedTuple):
    """A record of Kafka's. `partition`: None: as its key says."""

    topic: str
    key: bytes | None
    value: bytes
    partition: int | None


class Forwarding:
    """Sends each record of the log once it is durable there, at least once: workers keep once what comes twice."""

    def __init__(
        self, folder: Path, key: bytes, parts: ForwardingParts, limits: WorkerLimits, ticks: Ticks, store: Changes
    ) -> None:
        self._parts, self._limits, self._ticks = parts, limits, ticks
        self._log = LogReader(folder)
        self._dead = DeadLetters(folder, limits.dead_letter_bytes_max)
        self._places = Checkpoints(folder / FOLDER, key)
        self._runner = asyncio.Runner()
        self._out: AIOKafkaProducer | None = None
        self._alerts = _Alerts(parts.tenant, store, ticks)
        self._is_new = self._is_refused = False
        self._kept = self._oldest = 0
        self.position = 0
        self.done = Done()
        self.wrote_alerts = False

    def recover(self) -> None:
        """Go on where it was left; a log that was never forwarded is from its beginning, with the context that outlived it.

        Raises:
            RefusedToStartError: Kafka's topics are not as declared. A Kafka that is away is waited for.
        """
        kept = next(self._places.kept(), None)
        self._is_new = kept is None
        self.position = self._kept = kept.checkpoint.position if kept else 0
        try:
            self._runner.run(reach(self._parts.bus))
        except RefusedToStartError:
            report("kafka-away")
            return
        self._parts.check()

    def step(self) -> bool:
        """Send the next records; False: there are none.

        Raises:
            NotForwardedError: Kafka does not take them, nothing being lost.
        """
        if self._is_new:
            self._forward(self._log.kept_context())
            self._is_new = False
        logged = self._log.read(self.position, POSITION_MAX, self._limits.batch_records, self._limits.batch_bytes)
        if logged:
            self.done.events += self._forward(logged)
            self.position = logged[-1].position
        self.wrote_alerts = self._alerts.have_come() or self.wrote_alerts
        return bool(logged)

    @property
    def is_dirty(self) -> bool:
        """Whether more was sent than is kept as sent."""
        return self.position > self._kept

    def is_due(self, seconds: float) -> bool:
        """Tell whether `flush` is due, `seconds` after the last one."""
        return self.is_dirty and seconds >= self._limits.flush_seconds

    def flush(self) -> None:
        """Keep how far the log was sent: what was sent since would be sent again.

        Raises:
            NotForwardedError: Kafka still does not take what it refused.
        """
        if self._is_refused:
            self.step()
        self._places.save(Checkpoint(self.position, {}))
        self._oldest, self._kept = self._kept, self.position

    def checkpoint(self) -> int:
        """Keep how far the log was sent; return up to where nothing needs it any more."""
        if self.is_dirty:
            self.flush()
        return self._oldest

    def close(self) -> None:
        """Close the files and the connection."""
        self._runner.run(self._disconnect())
        self._runner.close()
        self._log.close()
        self._dead.close()

    def _forward(self, logged: Iterable[Logged]) -> int:
        """Return how many records were sent, all of them acknowledged."""
        sent = [found for one in logged if (found := self._sent(one)) is not None]
        self._is_refused = True
        self._runner.run(self._send(sent))
        self._is_refused = False
        return len(sent)

    def _sent(self, one: Logged) -> _Sent | None:
        record, topics = one.record, self._parts.topics
        if record.kind is Kind.CONTEXT:
            topic = topics.feedback if record.source == VERDICT else topics.context
            return _Sent(topic.name, key_of(record), record.raw, None)
        intake: Topic | None = topics.intake.get(record.source)
        if intake is None:  # taken in when its format was still enabled
            self._reject(record)
            return None
        return _Sent(intake.name, None, record.raw, one.position // NEIGHBOURS % intake.partitions)

    async def _send(self, sent: list[_Sent]) -> None:
        from aiokafka.errors import KafkaError  # noqa: PLC0415

        try:
            out = await self._producer()
            told = [await out.send(one.topic, one.value, key=one.key, partition=one.partition) for one in sent]
            await asyncio.gather(*told)
        except (KafkaError, RefusedToStartError) as error:
            await self._disconnect()  # what it did not send in time it would never send
            raise NotForwardedError(reason(error) if isinstance(error, KafkaError) else str(error)) from None

    async def _producer(self) -> AIOKafkaProducer:
        if self._out is None:
            self._out = producer(self._parts.bus)
            await start(self._parts.bus, self._out)
        return self._out

    async def _disconnect(self) -> None:
        out, self._out = self._out, None
        if out is not None:
            await stop(out)

    def _reject(self, record: LogRecord) -> None:
        self.done.rejected += 1
        try:
            self._dead.put([DeadLetter(record, RejectionCode.NOT_AN_EVENT, detail="no source of this name is enabled")])
        except IntakeUnavailableError:
            report("dead-letters-not-kept", letters=1, intentional=False)


class _Resource(msgspec.Struct):
    resourceType: str = ""  # noqa: N815 - FHIR's name
    id: str = ""


_resource: Final = msgspec.json.Decoder(_Resource)


def key_of(record: LogRecord) -> bytes:
    """Return the key under which the newest record takes the former's place: `Type/id`, of a verdict its alert's id."""
    if record.source == VERDICT:
        return read_verdict(record.raw).alert.encode()
    try:
        told = _resource.decode(record.raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return record.subject.encode()
    return f"{told.resourceType}/{told.id}".encode() if told.resourceType and told.id else record.subject.encode()


class _Alerts:
    """Looks from time to time whether workers wrote alerts."""

    def __init__(self, tenant: str, store: Changes, ticks: Ticks) -> None:
        self._tenant, self._store, self._ticks = tenant, store, ticks
        self._cursor: str | None = None
        self._looked = -LOOK_SECONDS

    def have_come(self) -> bool:
        now = self._ticks.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return False
        self._looked, before = now, self._cursor
        with suppress(SentinelError):  # whoever asks the store is told that it does not answer
            self._read_on()
        return self._cursor != before

    def _read_on(self) -> None:
        while (page := self._store.alerts_changed_since(self._tenant, self._cursor, PAGE)).alerts:
            self._cursor = page.cursor
