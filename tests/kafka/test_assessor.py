"""The assessing side against a real broker and a served store: what one undisturbed pipeline concludes, whatever happens."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sentinel.assembly import detectors
from sentinel.core.shard import Shard, Work
from sentinel.store.client import connect
from streams.bus import Bus
from streams.topic_admin import create
from streams.topics import Topics
from tests.kafka import assessing
from tests.kafka import intake_feeding as feeding
from tests.kafka.assessing import TENANT, hospital
from tests.kafka.gate import Gate
from tests.kafka.intake_feeding import running
from tests.store.served import migrated

ROOT = Path(__file__).parents[2]
BAD = "4aea347d-bb5e-48b3-00b3-e7bf52ff5e02"  # one of the first events of the small hospital


@pytest.fixture
def own(bus: Bus, prefix: str) -> Topics:
    """Topics of this test."""
    declared = assessing.layout(prefix)
    asyncio.run(create(bus, declared))
    return declared


@pytest.fixture
def run() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a program in a process of its own, ended at the latest with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*command: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *map(str, command)], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def store(tmp_path: Path, run: Callable[..., subprocess.Popen[str]]) -> str:
    """An empty store that several processes share."""
    return migrated(run(ROOT / "tests/store/serving.py", tmp_path / "store"))


async def asked(store: str, question: str) -> int:
    """Return the store's answer, a number."""
    connections = connect(store)
    [[answer]] = connections.writer.query(question).result_rows
    connections.close()
    return int(answer)


async def until(store: str, question: str, seconds: float = 60) -> None:
    """Wait until the store's answer is yes."""
    async with asyncio.timeout(seconds):
        while not await asked(store, question):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.2)


def test_one_worker_concludes_what_one_pipeline_does(bus: Bus, own: Topics, store: str) -> None:
    """Partitions of people, each hour closed by all of them: every event is kept once with the same conclusions and alerts."""
    context, events = hospital(6_000)

    async def run() -> None:
        async with running(*assessing.worker(bus, own, store)):
            await assessing.send(bus, own, context, events)
            await assessing.becomes_same(store, await assessing.truth(bus, own), 60)

    asyncio.run(run())


def test_verdicts_weigh_what_comes_after_them(bus: Bus, own: Topics, store: str) -> None:
    """Each at its place in the one order, and taken back at its place: what one pipeline concludes, and not without them."""
    context, events = hospital(6_000)

    async def run() -> None:
        async with running(*assessing.worker(bus, own, store)):
            await assessing.send(bus, own, context, events[:3_000])
            await assessing.judge(bus, own, events)
            await assessing.send(bus, own, [], events[3_000:])
            expected = await assessing.truth(bus, own)
            await assessing.becomes_same(store, expected, 60)
        assert expected.alerts != (await assessing.truth(bus, own, judged=False)).alerts

    asyncio.run(run())


def test_workers_that_come_leave_and_are_killed_conclude_the_same(
    bus: Bus, own: Topics, store: str, run: Callable[..., subprocess.Popen[str]]
) -> None:
    """Partitions move, states are restored, what was decided twice is kept once: no event lost, none twice, the same alerts."""
    context, events = hospital(12_000)
    prefix = own.events.name.removesuffix("events")
    started: list[subprocess.Popen[str]] = []

    def start() -> None:
        started.append(run(ROOT / "tests/kafka/assessing.py", bus.servers, prefix, store, own.events.partitions))

    async def disturb() -> None:
        start()
        start()
        await asyncio.sleep(9)
        started[0].kill()
        start()
        await asyncio.sleep(8)
        started[1].terminate()
        await asyncio.sleep(5)
        start()
        started[2].kill()

    async def feed() -> None:
        sending = asyncio.create_task(assessing.send(bus, own, context, events, a_second=600))
        judging = asyncio.create_task(assessing.judge(bus, own, events))
        await disturb()
        await asyncio.gather(judging, sending)
        await assessing.becomes_same(store, await assessing.truth(bus, own), 90)

    asyncio.run(feed())
    assert [process.poll() for process in started[:3]] == [-signal.SIGKILL, 0, -signal.SIGKILL]
    assert started[3].poll() is None


def test_a_worker_that_was_taken_for_dead_and_goes_on_stores_nothing_twice(
    bus: Bus, own: Topics, store: str, run: Callable[..., subprocess.Popen[str]]
) -> None:
    """Stopped with events in hand, it goes on after its partitions moved to the other: what it holds is the other's to keep."""
    context, events = hospital(9_000)
    prefix = own.events.name.removesuffix("events")

    async def feed() -> None:
        workers = []
        for n in (1, 2):
            workers.append(run(ROOT / "tests/kafka/assessing.py", bus.servers, prefix, store, own.events.partitions))
            await until(store, f"SELECT uniqExact(owner) >= {n} FROM claim")
        sending = asyncio.create_task(assessing.send(bus, own, context, events, a_second=500))
        for worker in workers:
            before = await asked(store, "SELECT max(epoch) FROM claim")
            await asyncio.sleep(2)
            worker.send_signal(signal.SIGSTOP)
            await until(store, f"SELECT max(epoch) > {before} FROM claim")
            worker.send_signal(signal.SIGCONT)
            await asyncio.sleep(2)
        await sending
        await assessing.becomes_same(store, await assessing.truth(bus, own), 90)
        assert [worker.poll() for worker in workers] == [None, None]

    asyncio.run(feed())


def test_a_store_that_refuses_is_waited_for(bus: Bus, own: Topics, store: str) -> None:
    """What cannot be kept waits within bounds, and nothing is lost or doubled."""
    context, events = hospital(6_000)
    limits = replace(assessing.LIMITS, held_rows=600, pending_rows=300, flush_rows=300, batch_rows=100)

    async def run() -> None:
        with Gate(store) as gate:
            normaliser, assessor = assessing.worker(bus, own, gate.store, limits)
            async with running(normaliser, assessor):
                await assessing.send(bus, own, context, events[:3_000])
                await asyncio.sleep(2)
                gate.is_open = False
                await assessing.send(bus, own, [], events[3_000:])
                await asyncio.sleep(4)
                decided = assessor.done.events
                await asyncio.sleep(2)
                assert assessor.done.events == decided < len(events)
                gate.is_open = True
                await assessing.becomes_same(store, await assessing.truth(bus, own), 60)

    asyncio.run(run())


def test_who_gives_up_while_the_store_holds_an_insert_leaves_nothing_behind(bus: Bus, own: Topics, store: str) -> None:
    """It waits for that insert, for as long as it takes and no longer; what it was about to store then, it does not."""
    context, events = hospital(3_000)
    limits = replace(assessing.LIMITS, flush_rows=500, batch_rows=100, revoke_seconds=0.5)

    async def run() -> None:
        with Gate(store) as gate:
            normaliser, assessor = assessing.worker(bus, own, gate.store, limits)
            async with running(normaliser), assessor.session() as session:
                await assessing.send(bus, own, context, events)
                while assessor.done.events < 500:
                    await session.step()
                gate.is_quick.clear()
                while not gate.has_held.is_set():
                    await session.step()
                with pytest.raises(TimeoutError):
                    await session.give_up()
                leaving = asyncio.create_task(session.close())
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(leaving), 0.5)
                gate.is_quick.set()
                await asyncio.wait_for(leaving, 20)
                kept = assessing.stored(store)
                assert kept[0]
                await asyncio.sleep(1)
                assert assessing.stored(store) == kept
                session.given = None

    asyncio.run(run())


@pytest.mark.parametrize("damaged", [1, 2])
def test_a_damaged_checkpoint_is_not_used(bus: Bus, own: Topics, store: str, damaged: int) -> None:
    """The one before takes its place; without any, all is rebuilt from what is in Kafka. Either way the end is the same."""
    context, events = hospital(4_000)
    limits = replace(assessing.LIMITS, checkpoint_seconds=0.2)

    async def run() -> None:
        normaliser, assessor = assessing.worker(bus, own, store, limits)
        async with running(normaliser, assessor):
            await assessing.send(bus, own, context, events[:3_000])
            await assessing.becomes_same(store, await assessing.truth(bus, own), 60)
        await assessing.damage(bus, own, partition=1, states=damaged)
        normaliser, assessor = assessing.worker(bus, own, store)
        async with running(normaliser, assessor):
            await assessing.send(bus, own, [], events[3_000:])
            whole = await assessing.truth(bus, own)
            await assessing.becomes_same(store, whole, 60)
        assert (assessor.done.events == len(whole.rows)) is (damaged == 2)

    asyncio.run(run())


def test_a_resource_that_cannot_be_read_is_told_of(bus: Bus, own: Topics, store: str) -> None:
    """The others are known; it lies in `rejected` with its reason and place."""
    context, events = hospital(500)
    bad = [("Patient/1", b'{"resourceType": "Patient", "id": 1}'), ("Patient/2", None)]

    async def run() -> None:
        async with running(*assessing.worker(bus, own, store)):
            await assessing.send(bus, own, [*bad, *context], events)
            await assessing.becomes_same(store, await assessing.truth(bus, own), 60)
            refused = await feeding.refused(bus, own, 1)
        [told] = [one for one in refused.values() if one["offset"] == "0"]
        assert (told["code"], told["pointer"], told["topic"]) == ("wrong-type", "/id", own.context.name)

    asyncio.run(run())


class Brittle(Shard):
    """A core with a fault: it fails on one event, after it has begun to take it in."""

    def assess(self, work: Work, start: int, stop: int) -> None:
        """Fail on the events of one person at one moment."""
        super().assess(work, start, stop)
        if BAD in work.batch.id:
            raise ValueError("this event's content")


def test_an_event_on_which_the_core_fails_is_set_aside(bus: Bus, own: Topics, store: str) -> None:
    """State goes back to where it was, the record is left out and told of, and all others are assessed as ever."""
    context, events = hospital(1_000)

    async def run() -> None:
        normaliser, assessor = assessing.worker(bus, own, store, build_shard=lambda common: Brittle(TENANT, detectors(), common))
        async with running(normaliser, assessor):
            await assessing.send(bus, own, context, events)
            expected = await assessing.truth(bus, own, without=BAD)
            await assessing.becomes_same(store, expected, 60)
            refused = [one for one in (await feeding.refused(bus, own, 1)).values() if BAD in one["raw"]]
        assert {one["detail"] for one in refused} == {"processing failed on this record"}

    asyncio.run(run())
