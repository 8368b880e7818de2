"""The gateway as it is deployed: HTTP in, Kafka's topics behind it, the store that workers share, alerts to the outside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sentinel.store.client import connect
from sentinel.store.writer import Writer
from streams.bus import Bus, consumer, started
from streams.topic_admin import create
from streams.topics import Layout, Topic, Topics, declare
from tests.kafka.intake_feeding import JSON, an_event
from tests.outputs.receiving import an_alert, eventually, receiver
from tests.store.served import migrated

ROOT = Path(__file__).parents[2]
SENTINEL = str(Path(sys.executable).with_name("sentinel"))
OUTPUTS = "webhook: [{{name: soc, url: '{url}', secrets: [env:SOC], allow_plain: true, allow_networks: [127.0.0.0/8]}}]"
SECRET = "whsec_" + "c2VjcmV0" * 4


class Gateway:
    """One gateway on a folder; may be started again, in another environment too."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **more: str) -> None:
        """Start it, in an environment changed by `more`."""
        command = [SENTINEL, "gateway", "--data", str(self.folder), "--port", str(self.port)]
        with (self.folder.parent / "gateway.txt").open("ab") as said:
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment | more, stdout=said, stderr=said)
        eventually(lambda: self.process.poll() is not None or self.health("worker") in ("ready", "failing"), 60)
        assert self.process.poll() is None, self.said()

    def health(self, name: str) -> object:
        """Return what `/readyz` tells; None: nobody listens."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).json().get(name)
        except httpx.TransportError:
            return None

    def post(self, path: str, body: bytes, kind: str = "application/json") -> httpx.Response:
        """Send a body, which has to be taken."""
        answer = httpx.post(self.url + path, content=body, headers={"Content-Type": kind}, timeout=30)
        assert answer.status_code < 300, answer.text
        return answer

    def post_events(self, numbers: range) -> None:
        """Send events over HTTP."""
        self.post(f"/v1/events?source={JSON}", b"\n".join(map(an_event, numbers)), "application/x-ndjson")

    def said(self) -> str:
        """Return what its processes wrote."""
        return (self.folder.parent / "gateway.txt").read_text()

    def end(self, number: int = signal.SIGTERM) -> int:
        """Stop or kill it; return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)


@pytest.fixture
def own(bus: Bus, prefix: str) -> Topics:
    """This test's topics, as the settings below declare them."""
    declared = declare(Layout(("fhir_auditevent", JSON), prefix, partitions=2, replication=1))
    asyncio.run(create(bus, declared))
    return declared


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    """A store that several processes share."""
    command = [sys.executable, "-m", "deploy.store_front", str(tmp_path / "store")]
    front = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    yield migrated(front)
    front.kill()
    front.communicate()


@pytest.fixture
def gateway(bus: Bus, prefix: str, store: str, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway, not started; it is killed at the latest with the test."""
    told = {"SERVERS": bus.servers, "PROTOCOL": "PLAINTEXT", "PREFIX": prefix, "PARTITIONS": "2", "REPLICATION": "1"}
    environment = dict(os.environ) | {f"SENTINEL_KAFKA_{name}": value for name, value in told.items()}
    environment |= {"SENTINEL_STORE": store, "SENTINEL_SOURCES": f'["fhir_auditevent", "{JSON}"]', "SOC": SECRET}
    made = Gateway(tmp_path / "gateway", environment)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.end(signal.SIGKILL)


def records(bus: Bus, topic: Topic) -> list[tuple[bytes | None, bytes | None]]:
    """Return the key and the value of all that a topic holds."""

    async def read() -> list[tuple[bytes | None, bytes | None]]:
        from aiokafka import TopicPartition

        every = [TopicPartition(topic.name, partition) for partition in range(topic.partitions)]
        async with started(bus, consumer(bus)) as reader:
            reader.assign(every)
            ends, found = await reader.end_offsets(every), []
            while any([await reader.position(where) < ends[where] for where in every]):
                for some in (await reader.getmany(timeout_ms=200)).values():
                    found += [(record.key, record.value) for record in some]
            return found

    return asyncio.run(read())


def test_what_comes_in_goes_to_the_topics(gateway: Gateway, own: Topics, bus: Bus, store: str) -> None:
    """Events by source, context by type and id, verdicts by alert; a killed gateway goes on, and loses nothing."""
    gateway.start()
    gateway.post_events(range(1_200))
    unit = {"resourceType": "Organization", "id": "u1", "name": "Cardiology"}
    gateway.post("/fhir/Organization", json.dumps(unit).encode(), "application/fhir+json")
    gateway.end(signal.SIGKILL)
    gateway.start()
    gateway.post_events(range(1_200, 2_000))
    eventually(lambda: {value for _, value in records(bus, own.intake[JSON])} == set(map(an_event, range(2_000))), 60)
    assert {key for key, _ in records(bus, own.intake[JSON])} == {None}
    eventually(lambda: {key for key, _ in records(bus, own.context)} == {b"Organization/u1"})
    alert = an_alert()
    connections = connect(store)
    writer = Writer(connections.writer)
    writer.write_alerts([alert])
    writer.flush()
    connections.close()
    gateway.post(f"/v1/alerts/{alert.id}/verdict", b'{"verdict": "misuse", "by": "dpo"}')
    eventually(lambda: [key for key, _ in records(bus, own.feedback)] == [alert.id.encode()])
    assert gateway.end() == 0
    before = len(records(bus, own.intake[JSON]))
    gateway.start()
    eventually(lambda: gateway.health("lag_records") == 0)
    assert gateway.end() == 0
    assert len(records(bus, own.intake[JSON])) == before, "what was kept as sent is not sent again"


def test_kafka_may_be_away(gateway: Gateway, own: Topics, bus: Bus) -> None:
    """What comes in is taken and kept meanwhile, `/readyz` says that it goes no further, and a restart sends it."""
    gateway.start(SENTINEL_KAFKA_SERVERS="127.0.0.1:1")
    gateway.post_events(range(100))
    eventually(lambda: gateway.health("worker") == "failing")
    assert "nobody listens" in gateway.said()
    assert gateway.end() == 0
    assert records(bus, own.intake[JSON]) == []
    gateway.start()
    eventually(lambda: len(records(bus, own.intake[JSON])) == 100)
    assert gateway.health("worker") == "ready"


def test_alerts_of_workers_are_told_to_the_outside(gateway: Gateway, own: Topics, store: str, tmp_path: Path) -> None:
    """The gateway follows the store that workers write to, and tells its outputs."""
    with receiver() as soc:
        (tmp_path / "outputs.yaml").write_text(OUTPUTS.format(url=soc.url))
        gateway.start(SENTINEL_OUTPUTS=str(tmp_path / "outputs.yaml"))
        connections = connect(store)
        writer = Writer(connections.writer)
        versions = iter(range(1, 1_000))

        def write() -> int:  # what is there before the outputs begin is not told
            writer.write_alerts([an_alert(version=next(versions))])
            writer.flush()
            return len(soc.posts)

        eventually(lambda: write() > 1)
        connections.close()
    told = [post.json["data"]["version"] for post in soc.posts]
    assert told == sorted(set(told))


def test_it_refuses_what_it_cannot_work_with(gateway: Gateway) -> None:
    """Topics that are not there, a store of one process alone: told in a line, exit code 2."""
    for more, why in (({}, "sentinel topics create"), ({"SENTINEL_STORE": "chdb://memory"}, "SENTINEL_STORE=")):
        command = [SENTINEL, "gateway", "--data", str(gateway.folder), "--port", "0"]
        refused = subprocess.run(command, cwd=ROOT, env=gateway.environment | more, capture_output=True, text=True, check=False)
        assert refused.returncode == 2, refused.stderr
        assert why in (refused.stdout + refused.stderr).replace("\n", " ")
