"""What workers set aside in Kafka, driven again after a fix: once, whatever is cut short, and what cannot be read stays."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sentinel import assembly
from sentinel.assembly import context_decoder
from sentinel.core.errors import RejectionCode
from sentinel.settings import Settings
from streams import rejected_topic
from streams.bus import Bus, consumer, producer, started
from streams.dead_letters import Redriven, Status
from streams.reading import RECORD_BYTES_MAX, Refused
from streams.record import DeadLetter, Kind, LogRecord
from streams.redriving import RejectedTopic
from streams.topic_admin import create
from streams.topics import Layout, Topic, Topics, declare
from tests.kafka import intake_feeding as feeding
from tests.kafka.intake_feeding import JSON, SOURCES, an_event

TENANT = "chu"
SECRET = b"PATIENT-NOT-TO-BE-TOLD"
MAPPING = """mapping: tried
title: A log
format: csv
csv: {columns: [when, what, who]}
fields: {occurred_at: when, action: what, actor_id: who}
tests:
  - record: 2026-03-02 09:00:00,read,ann
    events: [{occurred_at: "2026-03-02T08:00:00Z", action: read, actor_id: ann}]
"""


@pytest.fixture
def own(bus: Bus, prefix: str) -> Topics:
    """Topics of this test."""
    declared = declare(Layout((JSON,), prefix, partitions=3, replication=1))
    asyncio.run(create(bus, declared))
    return declared


@pytest.fixture
def box(bus: Bus, own: Topics) -> RejectedTopic:
    """The letters of this test."""
    return RejectedTopic(bus, own, TENANT, SOURCES, context_decoder())


def refused(raw: bytes, source: str = JSON, key: str = "", **more: Any) -> Refused:
    """A letter about a record of intake, of the context or of a verdict."""
    kind = Kind.CONTEXT if source == "fhir" else Kind.EVENT
    letter = DeadLetter(LogRecord(TENANT, kind, source, raw, 0, key), RejectionCode.UNPARSEABLE)
    return Refused(more.pop("topic", "intake"), 0, more.pop("offset", 0), replace(letter, **more))


def put(bus: Bus, topics: Topics, *letters: Refused) -> None:
    async def send() -> None:
        async with started(bus, producer(bus)) as out:
            await rejected_topic.send(out, topics.rejected.name, letters)

    asyncio.run(send())


def lying(bus: Bus, topic: Topic) -> list[tuple[bytes | None, bytes | None]]:
    """Return key and value of all records of a topic."""

    async def read() -> list[tuple[bytes | None, bytes | None]]:
        from aiokafka import TopicPartition

        found = []
        async with started(bus, consumer(bus)) as back:
            back.assign([TopicPartition(topic.name, partition) for partition in range(topic.partitions)])
            ends = await back.end_offsets(back.assignment())
            while any([await back.position(where) < end for where, end in ends.items()]):
                for some in (await back.getmany(timeout_ms=100)).values():
                    found += [(one.key, one.value) for one in some]
        return found

    return asyncio.run(read())


def test_what_can_be_read_now_goes_back_to_where_it_came_from(bus: Bus, own: Topics, box: RejectedTopic) -> None:
    """Events, context and verdicts, these with their keys; what cannot be read stays, and a second time nothing is left to do."""
    verdict = (
        b'{"alert": "a1", "actor": "nurse", "detectors": [], "patients": [], "verdict": "unclear", "at": "2026-03-02T10:00:00Z"}'
    )
    patient = b'{"resourceType": "Patient", "id": "p1"}'
    letters = [
        *map(refused, (an_event(1), an_event(2), SECRET)),
        refused(verdict, "feedback", "a1"),
        refused(patient, "fhir", "Patient/p1"),
    ]
    put(bus, own, *letters, letters[0])
    assert {one.letter.record.source for one in box.list()} == {JSON, "feedback", "fhir"}
    assert box.redrive([]) == Redriven(4, 1)
    assert sorted(lying(bus, own.intake[JSON])) == [(None, an_event(1)), (None, an_event(2))]
    assert lying(bus, own.context) == [(b"Patient/p1", patient)]
    assert lying(bus, own.feedback) == [(b"a1", verdict)]
    assert [one.id for one in box.list()] == [letters[2].letter.id]
    assert box.redrive([]) == Redriven(0, 1)
    assert len(lying(bus, own.intake[JSON])) == 2


def test_one_is_shown_and_driven_by_its_id(bus: Bus, own: Topics, box: RejectedTopic) -> None:
    """With its bytes, whatever became of it; refused once more afterwards, it waits again."""
    one, other = refused(an_event(1)), refused(an_event(2))
    put(bus, own, one, other)
    assert box.redrive([one.letter.id]) == Redriven(1, 0)
    shown = box.show(one.letter.id)
    assert shown is not None
    assert (shown.status, shown.letter.record.raw, shown.letter.code) == (Status.REDRIVEN, an_event(1), RejectionCode.UNPARSEABLE)
    assert [waiting.id for waiting in box.list(source=JSON)] == [other.letter.id]
    put(bus, own, one)
    assert len(box.list(source=JSON)) == 2
    assert box.show("unheard-of") is None


def test_what_was_cut_short_is_sent_again_and_known_by_its_id(bus: Bus, own: Topics, box: RejectedTopic) -> None:
    """Between sending and saying so: the event comes twice, with the id by which it is kept once."""
    one = refused(an_event(1))
    put(bus, own, one)
    asyncio.run(feeding.send(bus, own.intake[JSON].name, [an_event(1)], 1))  # as far as it came
    assert box.redrive([]) == Redriven(1, 0)
    assert [json.loads(raw or b"")["id"] for _, raw in lying(bus, own.intake[JSON])] == ["e1", "e1"]


def test_an_event_on_which_the_core_failed_is_read_again_from_intake(bus: Bus, own: Topics, box: RejectedTopic) -> None:
    """Its letter has what was made of it, which no source reads."""
    intake = own.intake[JSON]
    asyncio.run(feeding.send(bus, intake.name, [an_event(n) for n in range(3)], 1))
    put(bus, own, refused(b'{"id":"e2","occurred_at":1}', topic=intake.name, offset=2, detail=rejected_topic.FAILED))
    assert box.redrive([]) == Redriven(1, 0)
    assert [raw for _, raw in lying(bus, intake)].count(an_event(2)) == 2


def test_a_record_of_which_not_all_is_kept_is_not_driven(bus: Bus, own: Topics, box: RejectedTopic) -> None:
    """Half a record may read as a whole one."""
    padded = an_event(1).ljust(RECORD_BYTES_MAX)
    put(bus, own, refused(padded, code=RejectionCode.TOO_LARGE))
    assert box.redrive([]) == Redriven(0, 1)


def test_a_format_that_a_mapping_describes_is_read_again_by_it(bus: Bus, prefix: str, tmp_path: Path) -> None:
    """The mapping that settings name, not only formats that are programmed."""
    (tmp_path / "tried.yaml").write_text(MAPPING)
    kafka = {"kafka_servers": bus.servers, "kafka_protocol": "PLAINTEXT", "kafka_prefix": prefix, "kafka_replication": 1}
    settings = Settings(tenant=TENANT, mappings=(str(tmp_path),), sources=("tried",), kafka_partitions=1, **kafka)
    declared, record = assembly.topics(settings), b"2026-03-02 09:00:00,read,ann"
    asyncio.run(create(bus, declared))
    put(bus, declared, refused(record, "tried"))
    assert assembly.rejected_topic(settings).redrive([]) == Redriven(1, 0)
    assert lying(bus, declared.intake["tried"]) == [(None, record)]


def test_the_commands_say_what_waits_and_never_what_it_says(bus: Bus, own: Topics, prefix: str, tmp_path: Path) -> None:
    """`sentinel rejected list`, `show` and `redrive` with `--kafka`."""
    put(bus, own, refused(an_event(1)), refused(SECRET))
    told = {"SERVERS": bus.servers, "PROTOCOL": "PLAINTEXT", "PREFIX": prefix, "PARTITIONS": "3", "REPLICATION": "1"}
    environment = os.environ | {f"SENTINEL_KAFKA_{name}": value for name, value in told.items()}

    def run(*command: str) -> str:
        program = "from sentinel.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", program, "rejected", *command, "--kafka"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=Path(__file__).parents[2],
        )
        assert done.returncode == 0, done.stderr
        assert SECRET.decode() not in done.stdout + done.stderr
        return done.stdout

    ids = [one["id"] for one in json.loads(run("list", "--json"))["rejected"]]
    assert len(ids) == 2
    assert "unparseable" in run("show", ids[0])
    assert json.loads(run("redrive", "--json")) == {"moved": 1, "refused": 1}
