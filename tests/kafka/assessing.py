"""What the tests of the assessing side run and compare: workers in this process or of their own, a store they share, the truth.

As a program, `assessing.py SERVERS PREFIX STORE PARTITIONS`: a worker of both sides, until it is killed or told to stop.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache, partial
from itertools import chain, groupby, islice
from typing import Any

import msgspec
import numpy as np

from models.hospital import Hospital, HospitalSettings, SimulatedEvent
from sentinel.assembly import context_decoder, detectors, online_model, sources
from sentinel.core.batch import Provenance, batch_of
from sentinel.core.closing import Closing
from sentinel.core.common import Common
from sentinel.core.context import Judgement
from sentinel.core.errors import RejectedError
from sentinel.core.pipeline import Pipeline
from sentinel.core.shard import Shard
from sentinel.store.client import connect
from sentinel.store.writer import Writer
from streams.assessor import Assessor
from streams.bus import Bus, consumer, producer, started
from streams.closings import Closings
from streams.feedback import learnt_of
from streams.normaliser import IntakeLimits, IntakeParts, Normaliser
from streams.share import AssessorLimits, AssessorParts
from streams.sources.contract import Decoded
from streams.tail import tail
from streams.topics import Layout, Topic, Topics, declare
from streams.verdicts import Told
from streams.wire import unpack

TENANT = "chu"
SOURCE = "fhir_auditevent"
PER_DAY = 5.0
KEY = b"of the tests"
AT_ONCE = 20_000  # events that the truth is made of at once: their facts are held in memory
LIMITS = AssessorLimits(checkpoint_seconds=1.0, retry_seconds=0.2, session_ms=6_000)


def layout(prefix: str, partitions: int = 3) -> Topics:
    """The topics of a test."""
    return declare(Layout((SOURCE,), prefix, partitions=partitions, replication=1))


def common() -> Common:
    return Common(online_model(), PER_DAY)


def shard(common: Common) -> Shard:
    return Shard(TENANT, detectors(), common)


@cache
def simulated(count: int, staff: int = 60, days: int = 7) -> tuple[list[tuple[str, bytes]], list[SimulatedEvent]]:
    """A small hospital's context by key, and its first events."""
    made = Hospital(HospitalSettings(seed=3, staff=staff, days=days, start=date(2026, 3, 2)))
    context = [(key_of(resource), resource) for resource in chain.from_iterable(made.context().values())]
    return context, list(islice(made.events(), count))


def hospital(count: int, staff: int = 60, days: int = 7) -> tuple[list[tuple[str, bytes]], list[bytes]]:
    """The same, of the events their bytes."""
    context, events = simulated(count, staff, days)
    return context, [event.resource for event in events]


class Head(msgspec.Struct):
    """What names a resource."""

    resourceType: str  # noqa: N815
    id: str


def key_of(resource: bytes) -> str:
    head = msgspec.json.decode(resource, type=Head)
    return f"{head.resourceType}/{head.id}"


class Store:
    """The store as a worker opens it."""

    def __init__(self, dsn: str, lane: str) -> None:
        self._connections = connect(dsn)
        self.writer = Writer(self._connections.writer, lane)

    def close(self) -> None:
        """Close the client."""
        self._connections.close()


def parts(bus: Bus, topics: Topics, store: str, limits: AssessorLimits, build_shard: Callable[[Common], Shard]) -> AssessorParts:
    """What an assessor is made of."""
    return AssessorParts(
        bus, topics, TENANT, common, build_shard, Closing.unpack, context_decoder(), partial(Store, store), KEY, limits
    )


def worker(
    bus: Bus, topics: Topics, store: str, limits: AssessorLimits = LIMITS, build_shard: Callable[[Common], Shard] = shard
) -> tuple[Normaliser, Assessor]:
    """Both sides."""
    intake = IntakeParts(bus, topics, TENANT, {SOURCE: sources()[SOURCE]}, IntakeLimits(session_ms=6_000))
    return Normaliser(intake), Assessor(parts(bus, topics, store, limits, build_shard))


async def send(
    bus: Bus, topics: Topics, context: Iterable[tuple[str, bytes]], events: Iterable[bytes], a_second: int = 0
) -> None:
    """Send the context, then the events to the partitions of intake in turn, as many a second; 0: at once."""
    topic = topics.intake[SOURCE]
    async with started(bus, producer(bus)) as out:
        for key, resource in context:
            await out.send(topics.context.name, resource, key=key.encode())
        await out.flush()
        for n, event in enumerate(events):
            await out.send(topic.name, event, partition=n % topic.partitions)
            if a_second and n % 200 == 199:
                await asyncio.sleep(200 / a_second)
        await out.flush()


async def judge(bus: Bus, topics: Topics, events: Iterable[bytes]) -> None:
    """Say of everybody who acts in some events that an alert was justified; then of every third that it was not said."""
    actors = sorted({row.actor_id for row in sources()[SOURCE].decode(list(events)).rows})
    names = tuple(detector.name for detector in detectors())
    at = datetime(2026, 3, 3, tzinfo=UTC)
    async with started(bus, producer(bus)) as out:
        for n, actor in enumerate(actors):
            told = Told(f"alert{n}", actor, names, (), Judgement.JUSTIFIED, at)
            await out.send(topics.feedback.name, msgspec.json.encode(told), key=told.alert.encode())
        for n in range(0, len(actors), 3):
            await out.send(topics.feedback.name, None, key=f"alert{n}".encode())
        await out.send(topics.feedback.name, b"no verdict", key=b"alert0")
        await out.flush()


@dataclass
class Truth:
    """What one undisturbed pipeline makes of the topics: each event's place with what was concluded, each alert as it stands."""

    rows: dict[tuple[Any, ...], tuple[Any, ...]] = field(default_factory=dict)
    alerts: dict[str, str] = field(default_factory=dict)

    def assess(self, pipeline: Pipeline, some: list[tuple[int, str, int, int, bytes]], decoded: Decoded, without: str) -> None:
        """Take in what a pipeline makes of records with their places."""
        places = [some[at][:4] for at in decoded.records]
        where = Provenance(
            SOURCE,
            np.array([ms * 1_000 for ms, *_ in places]),
            np.array([p for _, _, p, _ in places]),
            np.array([offset for *_, offset in places]),
            np.array(list(_ordinals(decoded.records))),
        )
        batch = batch_of(TENANT, decoded.rows, where)
        processed = pipeline.process(batch.take([at for at, id_ in enumerate(batch.id) if id_ != without]))
        self.alerts.update((alert.id, alert.to_json()) for alert in processed.alerts)
        kept, assessment = processed.kept, processed.assessment
        for at in range(len(kept)):
            place = (kept.source[at], int(kept.partition[at]), int(kept.offset[at]), int(kept.ordinal[at]))
            self.rows[place] = (kept.key[at].hex(), assessment.explained_by[at], list(assessment.detectors.get(at, ())))


async def truth(bus: Bus, topics: Topics, without: str = "-", *, judged: bool = True) -> Truth:
    """Read intake, context and verdicts to their ends, and take them in the one order through one pipeline, `without` one id.

    A record that became visible only after its partition was told silent has the time that was told.
    """
    told = await _told(bus, topics)
    found = await _everything(bus, [topics.intake[SOURCE], topics.context, *([topics.feedback] if judged else [])])
    records = sorted(((told.get(one[1:4], one[0]), *one[1:]) for one in found), key=lambda one: one[:4])
    pipeline = Pipeline(TENANT, detectors(), online_model(), PER_DAY)
    decode, decode_context, made = sources()[SOURCE].decode, context_decoder(), Truth()
    for topic, run in groupby(records, key=lambda one: one[1]):
        if topic == topics.context.name:
            for *_, raw, _ in run:
                with suppress(RejectedError, TypeError):  # what cannot be read, and what was deleted
                    pipeline.know(decode_context(raw))
            continue
        if topic == topics.feedback.name:
            pipeline.know(chain.from_iterable(learnt_of(key, raw) for *_, raw, key in run))
            continue
        while some := [one[:5] for one in islice(run, AT_ONCE)]:
            made.assess(pipeline, some, decode([raw for *_, raw in some]), without)
    return made


async def _told(bus: Bus, topics: Topics) -> dict[tuple[str, int, int], int]:
    """Return the time (ms) of each record of intake as far as its readers have told it, however often they did."""
    times: dict[tuple[str, int, int], int] = {}
    async for record in _records(bus, [topics.events]):
        for one in unpack(record.value, record.headers):
            for row in one.rows:
                place = (one.topic, one.partition, row.offset)
                first = times.setdefault(place, row.append_ms)
                again = (record.partition, record.offset, one.first, one.after, one.read_until)
                assert first == row.append_ms, f"{place} told at {first}, then at {row.append_ms} by {again}"
    return times


def _ordinals(records: list[int]) -> Iterator[int]:
    for _, run in groupby(records):
        yield from range(len(list(run)))


async def _everything(bus: Bus, topics: list[Topic]) -> list[tuple[int, str, int, int, bytes, bytes]]:
    return [(one.timestamp, one.topic, one.partition, one.offset, one.value, one.key) async for one in _records(bus, topics)]


async def _records(bus: Bus, topics: list[Topic]) -> AsyncIterator[Any]:
    from aiokafka import TopicPartition

    async with started(bus, consumer(bus)) as back:
        every = [TopicPartition(topic.name, p) for topic in topics for p in range(topic.partitions)]
        back.assign(every)
        ends = await back.end_offsets(every)
        while any([await back.position(where) < end for where, end in ends.items()]):
            for some in (await back.getmany(timeout_ms=200)).values():
                for one in some:
                    yield one


def stored(store: str) -> tuple[list[tuple[Any, ...]], dict[str, str]]:
    """Return the rows of a store by place, doubles twice; and its alerts as they stand."""
    connections = connect(store)
    columns = "source, partition, offset, ordinal, lower(hex(key)), explained_by, detectors"
    rows = connections.writer.query(f"SELECT {columns} FROM access").result_rows
    alerts = connections.writer.query("SELECT id, body FROM alert FINAL").result_rows
    connections.close()
    return sorted(map(tuple, rows), key=lambda row: row[:4]), dict(alerts)


def same(store: str, expected: Truth) -> None:
    """Assert that a store holds the truth: nothing lost, nothing twice, the same conclusions and alerts."""
    rows, alerts = stored(store)
    assert len(rows) == len({row[:4] for row in rows}), "a row twice"
    assert {row[:4]: row[4:] for row in rows} == expected.rows
    assert alerts == expected.alerts


async def becomes_same(store: str, expected: Truth, seconds: float) -> None:
    """Wait until a store holds the truth; it never holds more, nor anything twice."""
    for _ in range(int(seconds / 0.5)):
        rows, alerts = stored(store)
        assert {row[:4] for row in rows} <= expected.rows.keys()
        assert len(rows) == len({row[:4] for row in rows}), "a row twice"
        if len(rows) == len(expected.rows) and alerts == expected.alerts:
            break
        await asyncio.sleep(0.5)
    same(store, expected)


async def damage(bus: Bus, topics: Topics, partition: int, states: int) -> None:
    """Let the newest checkpoints of a partition, as many as told, be other than they were kept."""
    async with started(bus, producer(bus)) as out, tail(bus, topics.closings.name) as told:
        closings = Closings(told, out, topics.events.partitions, Closing.unpack)
        await closings.read_to_end()
        newest = sorted(closings.manifests(partition).items(), reverse=True)
        assert len(newest) == 2
        for _, manifest in newest[:states]:
            await closings.keep(msgspec.structs.replace(manifest, mac=bytes(32)))


async def _main(servers: str, prefix: str, store: str, partitions: str) -> None:
    sides = worker(Bus(servers), layout(prefix, int(partitions)), store)
    for side in sides:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: [side.stop() for side in sides])
    await asyncio.gather(*(side.run() for side in sides))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(_main(*sys.argv[1:]))
