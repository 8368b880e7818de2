"""What a sender is told when the brokers do not answer: within bounds, and in words."""

from __future__ import annotations

import asyncio
import gc
import time
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.kafka.broker import Broker
from streams.bus import Bus, consumer, producer, started
from streams.topic_admin import create
from streams.topics import Topic

BOUND = 2.0


def test_what_is_not_acknowledged_in_time_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The idempotent producer too says so, once; it stops within the same bounds, and a new one sends once the broker is back."""
    from aiokafka.errors import KafkaTimeoutError

    topic = Topic("records", "records of a test", "none", 1, 1, days=1)

    async def send(bus: Bus, broker: Broker) -> float:
        async with started(bus, producer(bus)) as out:
            await out.send_and_wait(topic.name, b"before")
            await asyncio.to_thread(broker.stop)
            begun = time.monotonic()
            sent = [await out.send(topic.name, b"meanwhile") for _ in range(3)]
            with pytest.raises(KafkaTimeoutError):
                await sent[0]
            with pytest.raises(KafkaTimeoutError):
                await out.send_and_wait(topic.name, b"after a refusal")
        return time.monotonic() - begun

    async def again(bus: Bus) -> set[bytes]:
        async with started(bus, producer(bus)) as out, started(bus, consumer(bus, topic.name)) as back:
            await out.send_and_wait(topic.name, b"after")
            found: set[bytes] = set()
            while b"after" not in found:
                found |= {one.value for some in (await back.getmany(timeout_ms=200)).values() for one in some}
            return found

    with Broker(tmp_path / "kafka", {"auto.create.topics.enable": "false"}) as broker:
        bus = Bus(broker.address)
        asyncio.run(create(bus, [topic]))
        hasty = replace(bus, request_timeout_ms=int(BOUND * 1_000))
        assert asyncio.run(send(hasty, broker)) < 30 * BOUND
        gc.collect()
        assert not [record for record in caplog.records if record.name == "asyncio"]
        broker.start()
        assert asyncio.run(again(bus)) == {b"before", b"after"}
