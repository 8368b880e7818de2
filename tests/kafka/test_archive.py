"""The archive of a worker: every record of intake as it came, whatever the intake side handed over and when."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel import assembly
from sentinel.settings import Settings
from sentinel.store.client import connect
from streams.archive import Archive
from streams.bus import Bus, admin, consumer, started
from streams.normaliser import IntakeParts, Normaliser
from streams.sharing import Shared
from streams.topic_admin import create
from streams.topics import Layout, Topics, declare
from tests.kafka import intake_feeding as feeding
from tests.kafka.intake_feeding import JSON, SOURCES, an_event, running
from tests.store.served import migrated

RECORDS = [an_event(n) if n % 10 else b"garbage %d" % n for n in range(300)]


@pytest.fixture
def own(bus: Bus, prefix: str) -> Topics:
    """This test's topics."""
    declared = declare(Layout(("fhir_auditevent", JSON), prefix, partitions=2, replication=1))
    asyncio.run(create(bus, declared))
    return declared


async def send(bus: Bus, own: Topics) -> None:
    for topic in own.intake.values():
        await feeding.send(bus, topic.name, RECORDS, 2)


async def until_kept(store: str, rows: int) -> None:
    """Wait until so many records are in the store, each once."""
    connections = connect(store)
    try:
        async with asyncio.timeout(60):
            asked = "SELECT uniqExact(source, partition, offset, raw) FROM raw_record"
            while int(str(connections.writer.command(asked))) < rows:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    finally:
        connections.close()


async def lag(bus: Bus, topics: Topics, group: str) -> int:
    """Return how many records of intake a group has not committed."""
    from aiokafka import TopicPartition

    every = [TopicPartition(topic.name, p) for topic in topics.intake.values() for p in range(topic.partitions)]
    async with started(bus, admin(bus)) as kafka, started(bus, consumer(bus)) as asking:
        ends = await asking.end_offsets(every)
        kept = await kafka.list_consumer_group_offsets(topics.group(group), partitions=every)
    return sum(ends[where] - max(0, kept[where].offset) for where in every)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    """An empty store that several share."""
    front = subprocess.Popen(
        [sys.executable, "-m", "deploy.store_front", str(tmp_path / "store")], stdout=subprocess.PIPE, text=True
    )
    yield migrated(front)
    front.kill()
    front.communicate()


def parts_of(bus: Bus, own: Topics) -> IntakeParts:
    return IntakeParts(bus, own, "chu", SOURCES)


def an_archive(bus: Bus, own: Topics, shared: Shared, store: str) -> Archive:
    return Archive(parts_of(bus, own), shared, lambda: assembly.Store(Settings.read(store=store)))


@pytest.mark.parametrize("bytes_max", [32 << 20, 1_000], ids=["handed over", "too much to hand over"])
def test_it_has_every_record_as_it_came(bus: Bus, own: Topics, store: str, bytes_max: int) -> None:
    """Garbage too, from all formats and partitions, also what the intake side had no room to hand over."""

    async def run() -> None:
        shared = Shared(bytes_max)
        async with running(Normaliser(parts_of(bus, own), shared), an_archive(bus, own, shared, store)):
            await send(bus, own)
            await until_kept(store, 600)
            await send(bus, own)
            await until_kept(store, 1_200)

    asyncio.run(run())
    assert asyncio.run(lag(bus, own, "archive")) == 0


def test_it_makes_up_for_what_went_by(bus: Bus, own: Topics, store: str) -> None:
    """What was read and committed by an intake side that had no archive, with nothing new to come."""

    async def pass_by() -> None:
        async with running(Normaliser(parts_of(bus, own))):
            await send(bus, own)
            while await lag(bus, own, "intake"):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def run() -> None:
        shared = Shared()
        async with running(Normaliser(parts_of(bus, own), shared), an_archive(bus, own, shared, store)):
            await until_kept(store, 600)
            await send(bus, own)
            await until_kept(store, 1_200)

    asyncio.run(pass_by())
    asyncio.run(run())
    assert asyncio.run(lag(bus, own, "archive")) == 0
