"""Closings and states in their topics: told once, found again, bounded, and never used when they are not what was kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from streams.bus import Bus, producer, started
from streams.closings import COMMON, Closed, Closings
from streams.merging import Standing
from streams.state_topic import PIECE_BYTES, State, StateTopic, packed
from streams.tail import tail
from streams.topic_admin import create
from streams.topics import Layout, Topics, declare

PARTITIONS = 2


@pytest.fixture
def own(bus: Bus, prefix: str) -> Topics:
    """Topics of this test."""
    declared = declare(Layout((), prefix, partitions=PARTITIONS, replication=1))
    asyncio.run(create(bus, declared))
    return declared


def unpack(packed: bytes) -> bytes:
    """Return what a closing of this version says."""
    if not packed.startswith(b"1:"):
        raise ValueError("another version")
    return packed


@asynccontextmanager
async def opened(bus: Bus, topics: Topics, key: bytes = b"key") -> AsyncIterator[tuple[Closings, StateTopic]]:
    async with (
        started(bus, producer(bus)) as out,
        tail(bus, topics.closings.name) as told,
        tail(bus, topics.checkpoints.name) as kept,
    ):
        closings = Closings(told, out, PARTITIONS, unpack)
        await closings.read_to_end()
        yield closings, StateTopic(kept, out, key)


def test_an_hour_is_closed_once_all_have_told(bus: Bus, own: Topics) -> None:
    """In the order of the partitions, whoever told first; and for whoever comes later, without anybody telling again."""

    async def run() -> None:
        async with opened(bus, own) as (one, _), opened(bus, own) as (other, _):
            await one.tell([Closed(7, 1, b"1:second", is_checkpoint=False)])
            assert one.of(7) is None
            await other.tell([Closed(7, 0, b"1:first", is_checkpoint=True)])
            assert other.of(7) == [b"1:first", b"1:second"]
            assert other.is_checkpoint(7)
        async with opened(bus, own) as (later, _):
            assert later.has(7, 0)
            assert later.of(7) == [b"1:first", b"1:second"]

    asyncio.run(run())


def test_closings_of_another_version_are_told_anew(bus: Bus, own: Topics) -> None:
    """They cannot be read any more, and what they add up to is computed again."""

    async def run() -> None:
        async with opened(bus, own) as (old, _):
            await old.tell([Closed(7, partition, b"0:old", is_checkpoint=False) for partition in range(PARTITIONS)])
        async with opened(bus, own) as (new, _):
            assert new.of(7) is None
            assert not new.has(7, 0)
            await new.tell([Closed(7, partition, b"1:new", is_checkpoint=False) for partition in range(PARTITIONS)])
            assert new.of(7) == [b"1:new"] * 2

    asyncio.run(run())


def test_a_state_is_found_again_whole(bus: Bus, own: Topics) -> None:
    """Large ones too, beside those of others; the older of two gives its slot to a newer one."""
    states = {
        (hour, part): State(bytes([hour]) * part, Standing(hour, 5, [("a", 0, 9)]), 3) for hour in (5, 6, 8) for part in (0, 1)
    }
    large = State(b"".join(n.to_bytes(4, "big") for n in range(PIECE_BYTES // 2)))

    async def run() -> None:
        async with opened(bus, own) as (closings, topic):
            for (hour, partition), state in states.items():
                await closings.keep(await topic.save(partition, closings.slot(partition, hour), hour, packed(state)))
            await closings.keep(await topic.save(COMMON, closings.slot(COMMON, 8), 8, packed(large)))
        async with opened(bus, own) as (closings, topic):
            assert closings.manifests(0).keys() == closings.manifests(1).keys() == {6, 8}
            for hour in (6, 8):
                assert await topic.load(closings.manifests(1)[hour]) == states[hour, 1]
            assert await topic.load(closings.manifests(COMMON)[8]) == large
            assert closings.slot(0, 8) != closings.slot(0, 9) == closings.slot(0, 6)

    asyncio.run(run())


def test_a_state_that_is_not_what_was_kept_is_none(bus: Bus, own: Topics) -> None:
    """Forged, of another hour or partition, in pieces that are gone: never used."""

    async def run() -> None:
        async with opened(bus, own) as (_, topic), opened(bus, own, key=b"another") as (_, stranger):
            manifest = await topic.save(1, 0, 7, packed(State(b"state")))
            assert await topic.load(manifest) is not None
            assert await stranger.load(manifest) is None
            for other in ({"hour": 8}, {"partition": 0}, {"mac": bytes(32)}, {"offsets": [99]}, {"offsets": []}):
                assert await topic.load(msgspec.structs.replace(manifest, **other)) is None

    asyncio.run(run())


def test_closings_that_no_checkpoint_needs_are_forgotten(bus: Bus, own: Topics) -> None:
    """Memory holds what follows the older checkpoint of everybody; what was forgotten is read again when it is needed."""

    async def run() -> None:
        async with opened(bus, own) as (closings, topic):
            for hour in range(1, 9):
                await closings.tell([Closed(hour, partition, b"1:", is_checkpoint=False) for partition in range(PARTITIONS)])
            for hour in (4, 6):
                for partition in (COMMON, 0, 1):
                    await closings.keep(await topic.save(partition, closings.slot(partition, hour), hour, packed(State(b""))))
            await closings.stand(6)
            assert [hour for hour in range(1, 9) if closings.of(hour)] == [5, 6, 7, 8]
            await closings.stand(0)
            assert [hour for hour in range(1, 9) if closings.of(hour)] == [1, 2, 3, 4, 5, 6, 7, 8]

    asyncio.run(run())
