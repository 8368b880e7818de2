"""The intake side against a real broker: all that was sent arrives once, in one order, whatever happens to who reads it."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from sentinel.core.errors import RefusedToStartError
from streams.bus import Bus, consumer, started
from streams.normaliser import IntakeLimits, IntakeParts, Normaliser
from streams.topic_admin import create
from streams.topics import Layout, Topic, Topics, declare
from tests.kafka import intake_feeding as feeding
from tests.kafka.intake_feeding import JSON, OTHER, SOURCES, an_event, running

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

ROOT = Path(__file__).parents[2]


@pytest.fixture
def own(bus: Bus, prefix: str) -> Topics:
    """Topics of this test: two formats, three partitions each."""
    declared = declare(Layout(sorted(SOURCES), prefix, partitions=3, replication=1))
    asyncio.run(create(bus, declared))
    return declared


class SendersTime(Topic):
    """A topic as somebody makes it who knows nothing of this."""

    @property
    def configs(self) -> dict[str, str]:
        """Kafka's settings."""
        return super().configs | {"message.timestamp.type": "CreateTime"}


def parts(bus: Bus, topics: Topics, **limits: float) -> IntakeParts:
    return IntakeParts(bus, topics, "chu", SOURCES, IntakeLimits(**limits))


async def are_as_expected(bus: Bus, topics: Topics, found: list[feeding.Shard], records: int) -> feeding.Expected:
    """Hold what shards got against an undisturbed decode of the same topics: rows, times, order, and the hours they tell."""
    expected = await feeding.expected(bus, topics, records)
    assert [shard.rows for shard in found] == expected.rows
    assert {tuple(shard.hours) for shard in found} == {tuple(expected.hours)}
    return expected


def test_rows_reach_their_people_s_partition_in_the_order_of_intake(bus: Bus, own: Topics) -> None:
    """Two formats over all partitions: each shard gets just its rows, each once, and knows how far all intake is read."""
    topic, other = (own.intake[name].name for name in (JSON, OTHER))
    records = [an_event(n, minute=n // 10) for n in range(2_000)]

    async def run() -> None:
        async with running(Normaliser(parts(bus, own))):
            await feeding.send(bus, topic, records[:1_000], 3)
            await feeding.send(bus, other, records[1_000:], 3)
            found = await feeding.shards(bus, own, 2_000)
        await are_as_expected(bus, own, found, 2_000)

    asyncio.run(run())


def test_what_cannot_be_read_is_set_aside(bus: Bus, own: Topics) -> None:
    """One in a hundred is garbage: the others arrive, and each of those lies in `rejected` with its reason, place and bytes."""
    garbage = [b"", b"{", b"\xff\xfe", b'{"id": "secret"}', b"[]", an_event(1) + b"x", b"x" * 300_000, None]
    records = [garbage[n // 100 % len(garbage)] if n % 100 == 7 else an_event(n) for n in range(3_000)]

    async def run() -> None:
        async with running(Normaliser(parts(bus, own))):
            await feeding.send(bus, own.intake[JSON].name, records, 3)
            found = await feeding.shards(bus, own, 2_970)
            expected = await are_as_expected(bus, own, found, 3_000)
            refused = await feeding.refused(bus, own, 7)
        places = {(letter["topic"], int(letter["partition"]), int(letter["offset"])) for letter in refused.values()}
        assert places <= set(expected.refused)
        assert len(expected.refused) == 30
        assert {letter["raw"].encode("latin-1") for letter in refused.values()} == {raw or b"" for raw in garbage}
        assert {letter["code"] for letter in refused.values()} == {
            "unparseable",
            "not-utf8",
            "missing-field",
            "wrong-type",
            "too-large",
        }
        assert {letter["source"] for letter in refused.values()} == {JSON}

    asyncio.run(run())


def test_a_silent_intake_is_told_to_be_read_up_to_now(bus: Bus, own: Topics) -> None:
    """Nothing was ever sent: every shard learns all the same that nothing came up to the brokers' time, again and again."""

    async def run() -> None:
        async with running(Normaliser(parts(bus, own))):
            first = await feeding.shards(bus, own, 0, read_until=1)
            later = max(shard.until[place] for shard in first for place in shard.until) + 1_000
            await feeding.shards(bus, own, 0, read_until=later)

    asyncio.run(run())


def test_intake_with_its_senders_time_is_refused(bus: Bus, own: Topics) -> None:
    """Their clocks would put records in order: the worker does not start on that, and says what to look at."""

    async def run() -> None:
        wrong = replace(own.intake[JSON], name=own.intake[JSON].name + ".wrong")
        await create(bus, [SendersTime(**{name: getattr(wrong, name) for name in wrong.__slots__})])
        topics = replace(own, intake={JSON: wrong})
        await feeding.send(bus, wrong.name, [an_event(1)], 3)
        await asyncio.wait_for(Normaliser(parts(bus, topics)).run(), 20)

    with pytest.raises(RefusedToStartError, match="LogAppendTime"):
        asyncio.run(run())


def test_none_is_read_far_ahead_of_the_slowest(bus: Bus, own: Topics) -> None:
    """Partitions whose reader does not get on hold the others back, which bounds what waits in order; then all goes on."""
    topic, ahead_ms = own.intake[JSON].name, 300

    async def run() -> None:
        intake = parts(bus, own, ahead_ms=ahead_ms, poll_records=20)
        async with running(Normaliser(intake)):
            begun = await feeding.shards(bus, own, 0, read_until=1)
            async with started(
                bus, consumer(bus, *(one.name for one in own.intake.values()), group=intake.topics.group("intake"))
            ) as idle:
                while not idle.assignment():  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                sending = asyncio.create_task(feeding.send(bus, topic, [an_event(n) for n in range(1_000)], 3, seconds=3))
                slowest = await asyncio.wait_for(_gets_on_until_a_row_is_told(bus, own, idle), 60)
                await sending
                held = await feeding.told_so_far(bus, own)
                read = [place for shard in held for place in shard.rows]
                assert slowest >= min(begun[0].until.values())
                assert len(read) < 500
                assert max(place[0] for place in read) < slowest + ahead_ms + 500
            await feeding.shards(bus, own, 1_000)

    asyncio.run(run())


async def _gets_on_until_a_row_is_told(bus: Bus, own: Topics, idle: AIOKafkaConsumer) -> int:
    """Keep for a reader how far it is, the time of now and no record, until others told a row; return that time (ms)."""
    while True:
        now_ms = time.time_ns() // 1_000_000
        await idle.commit({where: (await idle.position(where), str(now_ms)) for where in idle.assignment()})
        if any(shard.rows for shard in await feeding.told_so_far(bus, own, seconds=0.2)):
            return now_ms


class SlowAssignor(RoundRobinPartitionAssignor):
    """Takes its time to divide partitions among members, once it was told to."""

    seconds = 0.0

    @classmethod
    def assign(cls, cluster: object, members: object) -> object:
        """Return who gets what."""
        time.sleep(cls.seconds)
        return super().assign(cluster, members)


def test_nothing_is_told_while_a_group_comes_together(bus: Bus, own: Topics) -> None:
    """What is read then may be another's already, and would come again: each row comes once."""
    topic, group = own.intake[JSON].name, own.group("intake")
    strategy = (SlowAssignor,)

    async def lead(is_leading: threading.Event, is_over: threading.Event) -> None:
        async with started(bus, consumer(bus, topic, group=group, partition_assignment_strategy=strategy)) as leader:
            while not leader.assignment():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            is_leading.set()
            await asyncio.to_thread(is_over.wait)

    async def run(is_leading: threading.Event, is_over: threading.Event) -> None:
        await asyncio.to_thread(is_leading.wait)
        await feeding.send(bus, topic, [an_event(n) for n in range(6_000)], 3)
        async with running(Normaliser(parts(bus, own, poll_records=5))):  # always has more at hand
            while not any(shard.rows for shard in await feeding.told_so_far(bus, own, 0.2)):
                pass
            SlowAssignor.seconds = 2.0
            async with started(bus, consumer(bus, topic, group=group)):  # one more: the group comes together anew
                SlowAssignor.seconds = 0.0
                is_over.set()
        async with running(Normaliser(parts(bus, own))):
            found = await feeding.shards(bus, own, 6_000)
        assert sum(shard.came for shard in found) == 6_000
        await are_as_expected(bus, own, found, 6_000)

    is_leading, is_over = threading.Event(), threading.Event()
    leader = threading.Thread(target=lambda: asyncio.run(lead(is_leading, is_over)))
    leader.start()
    try:
        asyncio.run(run(is_leading, is_over))
    finally:
        is_over.set()
        leader.join()


def test_who_was_taken_for_dead_tells_nothing(bus: Bus, own: Topics, prefix: str) -> None:
    """A worker that stands still for longer than the group waits: of what came meanwhile it tells nothing when it goes on."""
    topic = own.intake[JSON].name
    command = [sys.executable, "-m", "tests.kafka.intake_process", bus.servers, prefix, "3"]

    async def run(stopped: subprocess.Popen[bytes]) -> None:
        await feeding.shards(bus, own, 0, read_until=1)
        stopped.send_signal(signal.SIGSTOP)
        await asyncio.sleep(1)  # what it was just being sent holds nothing of what follows
        async with running(Normaliser(parts(bus, own))):
            await feeding.send(bus, topic, [an_event(n) for n in range(600)], 3, seconds=1)
            await feeding.shards(bus, own, 600)
            stopped.send_signal(signal.SIGCONT)
            await asyncio.sleep(2)
            found = await feeding.shards(bus, own, 600)
        assert sum(shard.came for shard in found) == 600

    stopped = subprocess.Popen(command, cwd=ROOT)
    try:
        asyncio.run(run(stopped))
    finally:
        stopped.kill()
        stopped.wait()


def test_workers_come_go_and_are_killed(bus: Bus, own: Topics, prefix: str) -> None:
    """While records stream in: what shards get is, doubles dropped, just what an undisturbed reading of intake gives."""
    topic, other = (own.intake[name].name for name in (JSON, OTHER))
    records = [an_event(n, minute=n // 10) for n in range(12_000)]
    chance = random.Random(7)

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.kafka.intake_process", bus.servers, prefix, "3"]
        return subprocess.Popen(command, cwd=ROOT)

    async def disturb(workers: list[subprocess.Popen[bytes]]) -> None:
        for number, end in enumerate((signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)):
            await asyncio.sleep(chance.uniform(2, 4))
            workers.append(start())
            workers[number].send_signal(end)

    async def run(workers: list[subprocess.Popen[bytes]]) -> None:
        feeds = [feeding.send(bus, topic, records[::2], 3, seconds=10), feeding.send(bus, other, records[1::2], 3, seconds=10)]
        await asyncio.gather(disturb(workers), *feeds)
        found = await feeding.shards(bus, own, 12_000, seconds=60)
        await are_as_expected(bus, own, found, 12_000)

    workers = [start(), start()]
    try:
        asyncio.run(run(workers))
        workers[-1].terminate()
        assert workers[-1].wait(20) == 0
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
