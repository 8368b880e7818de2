"""What Faust does on a real broker that would lose or repeat records; `streams/feedback.py` reads in the way that does not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import faust
import pytest

from streams.bus import Bus, admin, producer, started
from streams.topic_admin import create
from streams.topics import Topic

COMMIT_SECONDS = 0.1
Body = Callable[[Any], AsyncIterator[None]]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


async def committed(bus: Bus, name: str, body: Body, records: int = 3, until: int | None = None) -> int:
    """Let an agent with this body read `records` records of a new topic; return the offset its group has committed after.

    Waits until it is `until` (or a moment, where that is None).
    """
    from aiokafka import TopicPartition

    await create(bus, [Topic(name, "records of a test", "none", 1, 1, days=1)])
    async with started(bus, producer(bus)) as out:
        for n in range(records):
            await out.send_and_wait(name, str(n).encode())
    app = faust.App(
        name,
        broker=f"kafka://{bus.servers}",
        store="memory://",
        topic_disable_leader=True,
        web_enabled=False,
        stream_wait_empty=False,  # with True, an event that nobody acknowledges keeps Faust from ever stopping
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=COMMIT_SECONDS,
        loop=asyncio.get_running_loop(),
    )
    app.agent(app.topic(name, value_serializer="raw"), name="reads")(body)
    await app.start()
    try:
        where = TopicPartition(name, 0)
        async with started(bus, admin(bus)) as kafka:
            found = -1
            for _ in range(60 if until is not None else 20):
                found = (await kafka.list_consumer_group_offsets(name, partitions=[where]))[where].offset
                if found == until:
                    break
                await asyncio.sleep(0.1)
        return found
    finally:
        await app.stop()


def test_take_acknowledges_what_failed(bus: Bus, prefix: str) -> None:
    """`take` acknowledges in a `finally`: the batch whose effect failed is committed, and lost."""

    async def body(stream: Any) -> AsyncIterator[None]:
        async for _ in stream.take(3, within=0.2):
            raise RuntimeError("the effect failed")
            yield

    assert asyncio.run(committed(bus, f"{prefix}take", body, until=3)) == 3


def test_noack_take_leaves_what_failed(bus: Bus, prefix: str) -> None:
    """`noack_take` commits nothing that was not acknowledged: after a restart it comes again."""

    async def body(stream: Any) -> AsyncIterator[None]:
        async for _ in stream.noack_take(3, within=0.2):
            raise RuntimeError("the effect failed")
            yield

    assert asyncio.run(committed(bus, f"{prefix}noack", body)) <= 0


def test_acknowledging_after_the_effect_commits_it(bus: Bus, prefix: str) -> None:
    """Event by event without automatic acknowledgement: what is acknowledged after its effect is committed."""

    async def body(stream: Any) -> AsyncIterator[None]:
        async for event in stream.noack().events():
            event.ack()
            yield

    assert asyncio.run(committed(bus, f"{prefix}after", body, until=3)) == 3


def skipping(*skipped: int) -> Body:
    """Return an agent's body that acknowledges all but some offsets; before the first of them it waits for a commit."""

    async def body(stream: Any) -> AsyncIterator[None]:
        async for event in stream.noack().events():
            if event.message.offset == skipped[0]:
                await asyncio.sleep(5 * COMMIT_SECONDS)
            if event.message.offset not in skipped:
                event.ack()
            yield

    return body


def test_what_is_never_acknowledged_is_lost_or_holds_up_all_behind_it(bus: Bus, prefix: str) -> None:
    """One record alone is passed over, two together stop all commits for good: so each is acknowledged, once dead-lettered."""
    assert asyncio.run(committed(bus, f"{prefix}first", skipping(0), records=3, until=3)) == 3
    assert asyncio.run(committed(bus, f"{prefix}one", skipping(3), records=6, until=6)) == 6
    assert asyncio.run(committed(bus, f"{prefix}two", skipping(3, 4), records=6)) == 3
