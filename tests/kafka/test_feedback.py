"""Verdicts through the Faust application on a real broker: kept after their effect, refused with a reason, never in the way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import faust
import pytest

from sentinel.core.errors import RejectedError
from streams.bus import Bus, admin, producer, started
from streams.faust_worker import WorkerParts, create
from streams.feedback import verdict_of
from streams.topic_admin import create as create_topics
from streams.topics import Layout, Topics, declare
from tests.kafka import intake_feeding as feeding

GOOD = {
    "actor": "nurse",
    "detectors": ["vip_record"],
    "patients": ["p1"],
    "verdict": "justified",
    "at": "2026-03-02T10:00:00Z",
    "by": "dpo",
    "reason": "on call",
}


def good(alert: str, **changed: Any) -> bytes:
    """Return a verdict on an alert, as a producer writes it."""
    return json.dumps({"alert": alert, **GOOD, **changed}).encode()


def kept(alert: str, **changed: Any) -> dict[str, Any]:
    """Return the verdict as the table has it."""
    return json.loads(good(alert, **changed))


@pytest.fixture
def own(bus: Bus, prefix: str) -> Topics:
    """This test's topics."""
    declared = declare(Layout(("sentinel_json",), prefix, partitions=2, replication=1))
    asyncio.run(create_topics(bus, declared))
    return declared


@asynccontextmanager
async def worker(bus: Bus, topics: Topics) -> AsyncIterator[faust.App]:
    """Run the application in this event loop."""
    app = create(WorkerParts(bus, topics, "chu"))
    app.loop = asyncio.get_running_loop()
    await app.start()
    try:
        yield app
    finally:
        await app.stop()


async def settled(bus: Bus, app: faust.App, topics: Topics, offset: int) -> dict[str, Any]:
    """Return the table once the group has committed `offset`."""
    from aiokafka import TopicPartition

    where = TopicPartition(topics.feedback.name, 0)
    async with started(bus, admin(bus)) as kafka:
        for _ in range(100):
            found = await kafka.list_consumer_group_offsets(app.conf.id, partitions=[where])
            if found[where].offset == offset:
                break
            await asyncio.sleep(0.1)
    assert found[where].offset == offset
    return dict(app.tables[f"{topics.feedback.name}-last"])


async def tell(bus: Bus, topics: Topics, *records: tuple[str, bytes | None]) -> None:
    async with started(bus, producer(bus)) as out:
        for key, value in records:
            await out.send_and_wait(topics.feedback.name, value, key=key.encode())


def test_the_last_verdict_counts_and_survives_a_restart(bus: Bus, own: Topics) -> None:
    """A later one replaces it, one without value withdraws it; the next worker has the table back."""

    async def run() -> None:
        async with worker(bus, own) as app:
            await tell(bus, own, ("a1", good("a1")), ("a2", good("a2")))
            await tell(bus, own, ("a1", good("a1", verdict="misuse")), ("a2", None))
            assert await settled(bus, app, own, 4) == {"a1": kept("a1", verdict="misuse")}
        async with worker(bus, own) as app:
            await tell(bus, own, ("a3", good("a3")))
            assert await settled(bus, app, own, 5) == {"a1": kept("a1", verdict="misuse"), "a3": kept("a3")}

    asyncio.run(run())


def test_one_that_cannot_be_read_is_set_aside_and_stops_nothing(bus: Bus, own: Topics) -> None:
    """It goes to the dead letters with its bytes and place; those around it are kept, and all are committed."""
    bad = good("a2", verdict="who knows")

    async def run() -> dict[str, dict[str, str]]:
        async with worker(bus, own) as app:
            await tell(bus, own, ("a1", good("a1")), ("a2", bad), ("", good("a3")), ("a4", b"{"), ("a5", good("a5")))
            assert (await settled(bus, app, own, 5)).keys() == {"a1", "a5"}
        return await feeding.refused(bus, own, 3)

    refused = {int(letter["offset"]): letter for letter in asyncio.run(run()).values()}
    assert {offset: letter["code"] for offset, letter in refused.items()} == {
        1: "bad-value",
        2: "missing-field",
        3: "unparseable",
    }
    assert refused[1]["raw"].encode() == bad
    assert refused[1]["topic"] == own.feedback.name


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        (None, b"{}", "missing-field"),
        (b"x" * 65, b"{}", "missing-field"),
        (b"a\n1", b"{}", "missing-field"),
        (b"a1", b"\xff", "unparseable"),
        (b"a1", good("a1", more=1), "bad-value"),
        (b"a1", good("a1", at="2026-03-02T10:00:00"), "bad-value"),
        (b"a1", good("a1", reason="n" * 4_001), "bad-value"),
        (b"a1", good("a2"), "bad-value"),
    ],
)
def test_what_is_no_verdict_is_told_by_code(key: bytes | None, value: bytes, code: str) -> None:
    """And never quoted."""
    with pytest.raises(RejectedError) as caught:
        verdict_of(key, value)
    assert caught.value.code == code
    assert "who knows" not in str(caught.value)
