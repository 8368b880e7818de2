"""The topics are made as declared, held against it, and told of in the docs."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from deploy.kafka.broker import Broker
from sentinel.cli import app
from sentinel.core.errors import RefusedToStartError, SentinelError
from streams.bus import Bus, admin, consumer, producer, started
from streams.topic_admin import State, check, create
from streams.topics import CHECKPOINT_BYTES_MAX, MESSAGE_BYTES_MAX, Layout, Topic, declare
from tests.kafka.conftest import ROOT

PAGE = (ROOT / "docs/kafka.md").read_text("utf-8")
CREATED, RIGHT = {State.CREATED}, {State.RIGHT}


def small(prefix: str, **more: object) -> Layout:
    """A layout that one broker can hold."""
    return Layout(("sentinel_json", "fhir_auditevent"), prefix, **{"partitions": 2, "replication": 1, **more})


def states(findings: object) -> set[State]:
    return {finding.state for finding in findings}


def test_topics_are_made_once(bus: Bus, prefix: str) -> None:
    """Missing, then created, then right; a second time nothing is made."""
    topics = declare(small(prefix))
    assert states(asyncio.run(check(bus, topics))) == {State.MISSING}
    assert states(asyncio.run(create(bus, topics))) == CREATED
    assert states(asyncio.run(check(bus, topics))) == RIGHT
    assert states(asyncio.run(create(bus, topics))) == RIGHT


def test_what_is_missing_is_made_and_the_rest_left_alone(bus: Bus, prefix: str) -> None:
    """A format enabled later gets its topic; one that differs is told and stays as it is."""
    asyncio.run(create(bus, declare(small(prefix, partitions=1))))
    wanted = declare(replace(small(prefix), sources=("sentinel_json", "fhir_auditevent", "later")))
    findings = {finding.topic.removeprefix(prefix): finding for finding in asyncio.run(create(bus, wanted))}
    assert findings["intake.later"].state is State.CREATED
    assert findings["alerts"].state is State.RIGHT
    assert findings["events"].state is State.DIFFERENT
    assert [(d.what, d.declared, d.found) for d in findings["events"].differences] == [("partitions", "2", "1")]


def test_every_setting_is_compared(bus: Bus, prefix: str) -> None:
    """What was changed by hand is named as Kafka names it, with what is declared and what is found."""
    made = declare(small(prefix)).alerts
    asyncio.run(create(bus, [made]))
    wanted = replace(made, days=31, compacted=False, message_bytes_max=5 << 20, replication=3)
    (finding,) = asyncio.run(check(bus, [wanted]))
    told = {difference.what: (difference.declared, difference.found) for difference in finding.differences}
    assert told == {
        "replication.factor": ("3", "1"),
        "retention.ms": (str(31 * 86_400_000), str(30 * 86_400_000)),
        "cleanup.policy": ("delete", "compact,delete"),
        "max.message.bytes": (str(5 << 20), str(4 << 20)),
        "min.insync.replicas": ("2", "1"),
    }


def test_more_copies_than_there_are_brokers_are_refused(bus: Bus, prefix: str) -> None:
    """The topic and Kafka's reason are told."""
    with pytest.raises(SentinelError, match=r"does not make topic .*events: InvalidReplicationFactor"):
        asyncio.run(create(bus, [declare(small(prefix, replication=3)).events]))


def test_a_topic_takes_what_it_is_declared_to_take(bus: Bus, prefix: str) -> None:
    """The largest record of each goes in and comes out, by the producer and consumer as they are made."""
    topics = declare(small(prefix))
    room = 1_000  # for the key and the batch around them
    largest = {topics.rejected: MESSAGE_BYTES_MAX - room, topics.checkpoints: CHECKPOINT_BYTES_MAX - room}

    async def there_and_back(topic: Topic, size: int) -> bytes:
        async with started(bus, producer(bus, compression_type=None)) as out:
            await out.send_and_wait(topic.name, bytes(size), key=b"key", partition=0)
        async with started(bus, consumer(bus, topic.name)) as back:
            return (await asyncio.wait_for(back.getone(), 20)).value

    asyncio.run(create(bus, topics))
    for topic, size in largest.items():
        assert len(asyncio.run(there_and_back(topic, size))) == size


def test_reading_a_topic_that_is_not_there_says_what_to_do(bus: Bus, prefix: str) -> None:
    """After the time that a request may take, here a second."""

    async def enter() -> None:
        hasty = replace(bus, request_timeout_ms=1_000)
        async with started(hasty, consumer(hasty, f"{prefix}missing")):
            raise AssertionError("it was there")

    with pytest.raises(RefusedToStartError, match="`sentinel topics create`"):
        asyncio.run(enter())


def test_time_is_the_brokers(bus: Bus, prefix: str) -> None:
    """A sender whose clock says 1990 does not have its records deleted at once."""

    async def sent_in_1990() -> int:
        async with started(bus, producer(bus)) as out:
            return (await out.send_and_wait(topic.name, b"{}", timestamp_ms=631_152_000_000)).timestamp

    topic = declare(small(prefix)).intake["sentinel_json"]
    asyncio.run(create(bus, [topic]))
    assert asyncio.run(sent_in_1990()) > 1_700_000_000_000


def test_the_command_makes_and_checks(broker: Broker, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sentinel topics`, as typed: 1 while something is missing or differs, 0 once all is right; for machines and people."""
    for name, value in {"PROTOCOL": "PLAINTEXT", "REPLICATION": "1", "PARTITIONS": "1"}.items():
        monkeypatch.setenv(f"SENTINEL_KAFKA_{name}", value)
    monkeypatch.setenv("SENTINEL_KAFKA_SERVERS", f"127.0.0.1:1, {broker.address}")
    monkeypatch.setenv("SENTINEL_KAFKA_PREFIX", prefix)
    run = CliRunner().invoke
    assert run(app, ["topics", "check"]).exit_code == 1
    made = run(app, ["topics", "create", "--json"])
    assert made.exit_code == 0
    told = json.loads(made.stdout)["topics"]
    assert {topic["state"] for topic in told} == {"created"}
    assert f"{prefix}intake.fhir_auditevent" in {topic["topic"] for topic in told}
    assert run(app, ["topics", "check"]).exit_code == 0
    monkeypatch.setenv("SENTINEL_KAFKA_PARTITIONS", "2")
    differs = run(app, ["topics", "check"])
    assert differs.exit_code == 1
    assert "partitions" in differs.stdout


def test_nothing_is_made_by_looking(bus: Bus, prefix: str) -> None:
    """Checking asks for no topic by name, which a broker could take for a wish."""

    async def names() -> list[str]:
        async with started(bus, admin(bus)) as kafka:
            return await kafka.list_topics()

    asyncio.run(check(bus, declare(small(prefix))))
    assert not [name for name in asyncio.run(names()) if name.startswith(prefix)]


@pytest.mark.parametrize("bad", ["é.", "a b", "x" * 250, "/"], ids=("accent", "space", "long", "slash"))
def test_a_name_that_kafka_does_not_take_is_refused(bad: str) -> None:
    """Before anything is made."""
    with pytest.raises(RefusedToStartError, match="no name for a topic"):
        declare(small(bad))


@given(st.integers(1, 5), st.integers(1, 50))
def test_copies_are_lost_before_records_are(replication: int, partitions: int) -> None:
    """One broker may be away and records are still acknowledged; where there are three copies, two have each."""
    for topic in declare(Layout(("a",), partitions=partitions, replication=replication)):
        in_sync = int(topic.configs["min.insync.replicas"])
        assert 1 <= in_sync <= max(1, replication - 1)
        assert in_sync == 2 or replication < 3


def test_the_page_tells_of_every_topic() -> None:
    """A row each, with key, partitions, time and size as declared, and the headers of dead letters."""
    topics = declare(Layout(("source",)))
    assert re.findall(r"^\| `.* MiB \|$", PAGE, re.MULTILINE) == [row(topic) for topic in topics]
    headers = PAGE.partition("| header | |")[2].partition("###")[0]
    told = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`[^|]*) \|", headers, re.MULTILINE)))
    assert tuple(told) == topics.rejected.headers


def row(topic: Topic) -> str:
    """Return a topic's line of the table."""
    name = topic.name.replace("intake.source", "intake.<source>")
    days = [f"{topic.days} days"] if topic.days else []
    kept = ", ".join(["newest of each key"] * ("compact" in topic.cleanup) + days)
    return f"| `{name}` | {topic.holds} | {topic.key} | {topic.partitions} | {kept} | {topic.message_bytes_max >> 20} MiB |"
