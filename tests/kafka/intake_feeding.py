"""What the tests of the intake side send, and what they read back."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sentinel.core.event import AHEAD_MAX_US, HOUR_US, EventRow
from streams.bus import Bus, consumer, producer, started
from streams.sources import sentinel_json
from streams.sources.contract import Source
from streams.topics import Topics
from streams.wire import Slice, partition_of, unpack

JSON, OTHER = "sentinel_json", "other_json"
SOURCES = {JSON: sentinel_json.SOURCE, OTHER: Source(OTHER, "The same by another name", sentinel_json.SOURCE.decode)}
Place = tuple[int, str, int, int, int]
"""Of a row in the order of all: append time, topic, partition, offset, ordinal."""


def an_event(n: int, actor: str = "", minute: int = 0) -> bytes:
    """Return an event of sentinel_json, the `n`th."""
    hour, minute = divmod(minute, 60)
    told = {
        "id": f"e{n}",
        "occurred_at": f"2026-03-{2 + hour // 24:02}T{hour % 24:02}:{minute:02}:00Z",
        "action": "read",
        "actor_id": actor or f"actor-{n % 50}",
        "patient_id": f"p{n}",
    }
    return json.dumps(told).encode()


async def send(bus: Bus, topic: str, records: Sequence[bytes | None], partitions: int, seconds: float = 0) -> None:
    """Send records to a topic's partitions in turn, over as many seconds."""
    async with started(bus, producer(bus)) as out:
        sent = []
        for n, raw in enumerate(records):
            sent.append(await out.send(topic, raw, key=b"any", partition=n % partitions))
            if seconds and n % 100 == 99:
                await asyncio.sleep(100 * seconds / len(records))
        await asyncio.gather(*sent)


@dataclass
class Shard:
    """One partition of `events` as its reader has it: every row once, and how far each partition of intake is read."""

    rows: dict[Place, EventRow] = field(default_factory=dict)
    rises: set[Place] = field(default_factory=set)
    next: dict[tuple[str, int], int] = field(default_factory=dict)
    until: dict[tuple[str, int], int] = field(default_factory=dict)
    came: int = 0  # rows, those that came again counted again

    def take(self, one: Slice) -> None:
        """Take what is new of a slice; what is not must be as it was."""
        where = (one.topic, one.partition)
        assert one.first <= self.next.setdefault(where, one.first) or one.first == one.after, "a gap"
        self.came += len(one.rows)
        for row in one.rows:
            place = (row.append_ms, *where, row.offset, row.ordinal)
            assert row.append_ms >= self.until.get(where, 0) or row.offset < self.next[where], "a row before what was told"
            if row.offset < self.next[where]:
                assert self.rows[place] == row.event, "the same offset with another time or content"
            self.rows[place] = row.event
        self.rises.update((rise.append_ms, *where, rise.offset, rise.hour) for rise in one.hours)
        self.next[where] = max(self.next[where], one.after)
        self.until[where] = max(self.until.get(where, 0), one.read_until)

    @property
    def hours(self) -> list[int]:
        """The hours in the order in which all intake came to them."""
        reached: list[int] = []
        for *_, hour in sorted(self.rises):
            reached += [hour] if not reached or hour > reached[-1] else []
        return reached


async def shards(bus: Bus, topics: Topics, rows: int, read_until: int = 0, seconds: float = 60) -> list[Shard]:
    """Read `events` from its beginning until as many `rows` are there, and intake is told to be read beyond them (or a time)."""
    known = {(topic.name, p) for topic in topics.intake.values() for p in range(topic.partitions)}
    until = time.monotonic() + seconds
    async for found in _reading(bus, topics):
        if _are_complete(found, rows, known, read_until):
            return found
        assert time.monotonic() < until, f"{sum(len(shard.rows) for shard in found)} of {rows} rows"
    raise AssertionError


async def told_so_far(bus: Bus, topics: Topics, seconds: float = 1.0) -> list[Shard]:
    """Return what a reader has who began so long ago."""
    until = time.monotonic() + seconds
    async for found in _reading(bus, topics):
        if time.monotonic() > until:
            return found
    raise AssertionError


async def _reading(bus: Bus, topics: Topics) -> AsyncIterator[list[Shard]]:
    from aiokafka import TopicPartition

    name, n = topics.events.name, topics.events.partitions
    found = [Shard() for _ in range(n)]
    async with started(bus, consumer(bus)) as back:
        back.assign([TopicPartition(name, p) for p in range(n)])
        while True:
            for where, records in (await back.getmany(timeout_ms=200)).items():
                for record in records:
                    for one in unpack(record.value, record.headers):
                        found[where.partition].take(one)
            yield found


def _are_complete(found: Sequence[Shard], rows: int, known: set[tuple[str, int]], read_until: int) -> bool:
    if sum(len(shard.rows) for shard in found) < rows:
        return False
    latest = max([read_until, *(place[0] for shard in found for place in shard.rows)])
    return all(shard.until.keys() == known and min(shard.until.values()) > latest for shard in found)


@dataclass
class Expected:
    """What an undisturbed reading of the intake topics makes of them, in one go."""

    rows: list[dict[Place, EventRow]]
    hours: list[int]
    refused: list[tuple[str, int, int]]


async def expected(bus: Bus, topics: Topics, records: int) -> Expected:
    """Read all of intake, `records` in all, and decode it."""
    from aiokafka import TopicPartition

    every = [TopicPartition(topic.name, p) for topic in topics.intake.values() for p in range(topic.partitions)]
    raws: dict[tuple[int, str, int, int], bytes] = {}
    async with started(bus, consumer(bus)) as back:
        back.assign(every)
        while len(raws) < records:
            for where, some in (await back.getmany(timeout_ms=200)).items():
                raws.update({(one.timestamp, where.topic, where.partition, one.offset): one.value for one in some})
    return _decoded(topics, raws)


def _decoded(topics: Topics, raws: dict[tuple[int, str, int, int], bytes]) -> Expected:
    n = topics.events.partitions
    made = Expected([{} for _ in range(n)], [], [])
    for place in sorted(raws):
        decoded = sentinel_json.SOURCE.decode([raws[place] or b""])
        made.refused += [place[1:]] * len(decoded.rejections)
        for ordinal, event in enumerate(decoded.rows):
            made.rows[partition_of(event.actor_id, n)][*place, ordinal] = event
            hour = min(event.occurred_at, place[0] * 1_000 + AHEAD_MAX_US) // HOUR_US
            if not made.hours or hour > made.hours[-1]:
                made.hours.append(hour)
    return made


async def refused(bus: Bus, topics: Topics, count: int, seconds: float = 30) -> dict[str, dict[str, str]]:
    """Return the dead letters by key once there are as many: their headers, and the bytes under `raw`."""
    from aiokafka import TopicPartition

    found: dict[str, dict[str, str]] = {}
    until = time.monotonic() + seconds
    async with started(bus, consumer(bus)) as back:
        back.assign([TopicPartition(topics.rejected.name, p) for p in range(topics.rejected.partitions)])
        while len(found) < count and time.monotonic() < until:
            for some in (await back.getmany(timeout_ms=200)).values():
                for one in some:
                    found[one.key.decode()] = {name: value.decode() for name, value in one.headers} | {
                        "raw": one.value.decode("latin-1")
                    }
    return found


@asynccontextmanager
async def running(*services: object) -> AsyncIterator[None]:
    """Run services of the worker; at the end they stop in order, and what failed in them fails the test."""
    tasks = [asyncio.create_task(service.run()) for service in services]
    try:
        yield
    finally:
        for service in services:
            service.stop()
        await asyncio.wait_for(asyncio.gather(*tasks), 30)
