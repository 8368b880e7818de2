"""A worker as it is deployed: a process of its own against a real broker and a store that several share."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sentinel.store.client import connect
from streams.bus import Bus
from streams.faust_worker import WorkerParts
from streams.faust_worker import create as create_app
from streams.normaliser import IntakeParts
from streams.running import Hearing, is_away, watch
from streams.topic_admin import create
from streams.topics import Layout, Topics, declare
from tests.kafka import intake_feeding as feeding
from tests.kafka.acls import allow
from tests.kafka.conftest import PASSWORD
from tests.kafka.intake_feeding import JSON, SOURCES, an_event
from tests.store.served import dsn_of

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SECRET = "PATIENT-NOT-TO-BE-TOLD"
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def own(bus: Bus, prefix: str) -> Topics:
    """This test's topics, as the settings below declare them."""
    declared = declare(Layout(("fhir_auditevent", JSON), prefix, partitions=2, replication=1))
    asyncio.run(create(bus, declared))
    return declared


@pytest.fixture
def start(bus: Bus, prefix: str) -> Iterator[Start]:
    """Start a program with the settings of a worker; it is ended at the latest with the test."""
    started: list[subprocess.Popen[str]] = []
    told = {
        "SERVERS": bus.servers,
        "PROTOCOL": "PLAINTEXT",
        "PREFIX": prefix,
        "PARTITIONS": "2",
        "REPLICATION": "1",
        "STATE_KEY": "k" * 32,
    }
    environment = dict(os.environ) | {f"SENTINEL_KAFKA_{name}": value for name, value in told.items()}
    environment["SENTINEL_SOURCES"] = f'["fhir_auditevent", "{JSON}"]'

    def run(*command: str, **more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment | more, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def store(start: Start, tmp_path: Path) -> str:
    """A store that several processes share."""
    return dsn_of(start(sys.executable, "-m", "deploy.store_front", str(tmp_path / "store")))


def count(store: str, question: str) -> int:
    """Return a number out of the store; 0 while there is none."""
    connections = connect(store)
    try:
        [[found]] = connections.writer.query(question).result_rows
    except Exception:  # noqa: BLE001 - the schema is not there yet
        return 0
    finally:
        connections.close()
    return int(found)


def wait_for(what: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.2)


@pytest.mark.parametrize(
    "command", [("sentinel", "worker"), ("faust", "-A", "streams.app", "worker", "--without-web", "-l", "warn")]
)
def test_both_ways_of_starting_it(start: Start, store: str, own: Topics, bus: Bus, command: tuple[str, ...]) -> None:
    """Events from intake are in the store with their raw bytes; SIGTERM ends it in order, all of it committed."""
    worker = start(str(BIN / command[0]), *command[1:], SENTINEL_STORE=store)
    asyncio.run(feeding.send(bus, own.intake[JSON].name, [*(an_event(n) for n in range(500)), SECRET.encode()], 2))
    wait_for(lambda: count(store, "SELECT count() FROM access") == 500)
    wait_for(lambda: count(store, "SELECT uniqExact(partition, offset) FROM raw_record") == 501)
    worker.send_signal(signal.SIGTERM)
    said, _ = worker.communicate(timeout=30)
    assert worker.returncode == 0, said
    assert SECRET not in said
    assert command[0] != "sentinel" or not said, "nothing went wrong, so there is nothing to say"
    assert asyncio.run(lags(bus, own)) == {"intake": 0, "archive": 0}


async def lags(bus: Bus, topics: Topics) -> dict[str, int]:
    """Return how many records of intake the groups have not committed."""
    from aiokafka import TopicPartition

    from streams.bus import admin, consumer, started

    every = [TopicPartition(topic.name, p) for topic in topics.intake.values() for p in range(topic.partitions)]
    parts = IntakeParts(bus, topics, "chu", SOURCES)
    async with started(bus, admin(bus)) as kafka, started(bus, consumer(bus)) as asking:
        ends = await asking.end_offsets(every)
        found = {}
        for part in ("intake", "archive"):
            kept = await kafka.list_consumer_group_offsets(parts.topics.group(part), partitions=every)
            found[part] = sum(ends[where] - max(0, kept[where].offset) for where in every)
    return found


def test_it_refuses_what_it_cannot_work_with(start: Start, prefix: str) -> None:
    """Topics that are not there, a store of one process alone, no key: told in a line, exit code 2."""
    somewhere = "clickhouse://127.0.0.1:1/default"
    for more, why in (
        ({"SENTINEL_STORE": somewhere}, "sentinel topics create"),
        ({"SENTINEL_STORE": "chdb://memory"}, "SENTINEL_STORE="),
        ({"SENTINEL_STORE": somewhere, "SENTINEL_KAFKA_PROTOCOL": "SASL_SSL"}, "user and a password"),
    ):
        refused = start(str(BIN / "sentinel"), "worker", **more)
        said, _ = refused.communicate(timeout=60)
        assert refused.returncode == 2, said
        assert why in said.replace("\n", " ")


class Part:
    """A part of a worker that fails, or hangs."""

    def __init__(self, error: Exception | None = None) -> None:
        self.moved_at = time.monotonic()
        self._error = error

    async def run(self) -> None:
        """Fail."""
        if self._error:
            raise self._error

    def stop(self) -> None:
        """Nothing is in hand."""


class Moving(Part):
    """A part that gets further all the time."""

    moved_at = property(lambda _: time.monotonic(), lambda *_: None)  # type: ignore[assignment]


def test_a_part_that_does_not_move_ends_the_process() -> None:
    """With code 1, once; not one that moves, whose watch is called off, or whose broker is away."""
    ended: list[str] = []
    stuck, over = Part(), Part()
    watch(over, lambda: False, 0.3, lambda _: ended.append("over"))()
    calls = [
        watch(Moving(), lambda: False, 0.3, lambda _: ended.append("moving")),
        watch(Part(), lambda: True, 0.3, lambda _: ended.append("waiting")),
        watch(stuck, lambda: False, 0.3, lambda code: ended.append(f"stuck: {code}")),
    ]
    wait_for(lambda: bool(ended))
    time.sleep(1)
    for call_off in calls:
        call_off()
    assert ended == ["stuck: 1"]


def test_brokers_that_cannot_be_reached_are_away(bus: Bus) -> None:
    """Those that let us in are not."""
    assert not is_away(bus)
    assert is_away(Bus("127.0.0.1:1"))


def test_who_reads_hears_of_every_partition_even_when_nothing_comes(bus: Bus, own: Topics) -> None:
    """A partition that is paused is not waited for; one that is read is heard of, records or none."""
    from aiokafka import TopicPartition

    from streams.bus import consumer, started

    async def run() -> None:
        async with started(bus, consumer(bus)) as reader:
            one, other = (TopicPartition(own.events.name, partition) for partition in range(2))
            reader.assign([one, other])
            hearing = Hearing([reader])
            hearing.since(0.0)
            await reader.getmany(timeout_ms=1_500)
            assert hearing.since(100.0) == 100.0
            assert hearing.since(200.0) == 100.0, "nobody asked meanwhile"
            reader.pause(one, other)
            assert hearing.since(300.0) == 300.0

    asyncio.run(run())


def test_a_part_that_fails_ends_the_worker_without_quoting_why(bus: Bus, own: Topics, start: Start) -> None:
    """Exit code 1: whoever supervises it starts it again."""
    worker = start(
        sys.executable, "-m", "tests.kafka.failing_worker", bus.servers, own.events.name.removesuffix("events"), SECRET
    )
    said, _ = worker.communicate(timeout=60)
    assert worker.returncode == 1, said
    assert "worker-part-failed" in said
    assert SECRET not in said


def test_faust_comes_in_by_sasl_and_tls_too(secure: Bus, bus: Bus, own: Topics, prefix: str) -> None:
    """With the user, password and authority of the same settings; a wrong password keeps it out, and is not told."""
    group = f"sentinel-{own.events.name}.faust"
    both = "--operation Read --operation Write"
    lines = [
        f"--add --allow-principal User:dpi {both} --topic {own.feedback.name} --topic {own.rejected.name}",
        f"--add --allow-principal User:dpi {both} --topic {own.verdicts.name}",
        f"--add --allow-principal User:dpi --operation Read --group {group}",
    ]

    async def run() -> None:
        await allow(bus, lines)
        app = create_app(WorkerParts(secure, own, "chu"))
        app.loop = asyncio.get_running_loop()
        await app.start()
        try:
            verdict = {"alert": "any", "actor": "nurse", "detectors": [], "patients": [], "verdict": "unclear"}
            told = json.dumps(verdict | {"at": "2026-03-02T10:00:00Z"}).encode()
            await feeding.send(bus, own.feedback.name, [told], 1)
            table = app.tables[f"{own.feedback.name}-last"]
            for _ in range(100):
                if dict(table):
                    break
                await asyncio.sleep(0.1)
            assert table["any"]["verdict"] == "unclear"
        finally:
            await app.stop()

    asyncio.run(run())
    assert PASSWORD not in repr(create_app(WorkerParts(secure, own, "chu")).conf.broker_credentials)


def test_without_kafka_s_libraries_it_says_what_to_install(tmp_path: Path) -> None:
    """The extra is named whole, and the exit code is that of a refusal."""
    (tmp_path / "faust").mkdir()
    (tmp_path / "faust" / "__init__.py").write_text("raise ModuleNotFoundError(name='faust')")
    program = "from sentinel.cli import main; main()"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))}
    done = subprocess.run(
        [sys.executable, "-c", program, "worker"], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "sentinel-access[kafka]" in "".join(done.stderr.split())
