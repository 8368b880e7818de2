"""What docs/kafka.md tells integrators to run works as it stands there, as the user with the rights told there."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import TopicPartition

from deploy.kafka.broker import Broker, libraries
from streams.bus import Bus, consumer, started
from streams.sources.sentinel_json import SOURCE
from streams.topics import Topics
from tests.kafka.certificates import Authority
from tests.kafka.conftest import PASSWORD, ROOT, program

Run = Callable[..., list[bytes]]


def block(language: str) -> str:
    """Return the page's only block in a language."""
    (text,) = re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs/kafka.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return text


@pytest.fixture
def run(broker: Broker, topics: Topics, bus: Bus, secure: Bus, authority: Authority, tmp_path: Path) -> Run:
    """Runs a command in a folder with `ca.pem` and files of the page's blocks; returns what came into the intake."""
    lab, mutual = authority.sign("client", "lab"), broker.address_of("SSL")
    for file, name in ((authority.file, "ca.pem"), (lab.certificate, "lab.pem"), (lab.key, "lab.key")):
        shutil.copy(file, tmp_path / name)
    partition = TopicPartition(topics.intake["sentinel_json"].name, 0)

    async def end() -> int:
        async with started(bus, consumer(bus)) as back:
            return (await back.end_offsets([partition]))[partition]

    async def since(offset: int) -> list[bytes]:
        count = await end() - offset
        async with started(bus, consumer(bus)) as back:
            back.assign([partition])
            back.seek(partition, offset)
            return [(await asyncio.wait_for(back.getone(), 10)).value for _ in range(count)]

    def run_in_folder(*command: str | Path, **files: str) -> list[bytes]:
        for name, text in files.items():
            told = text.replace("kafka.example.org:9093", secure.servers).replace("kafka.example.org:9094", mutual)
            (tmp_path / name.replace("_", ".")).write_text(told)
        before = asyncio.run(end())
        environment = os.environ | {"KAFKA_PASSWORD": PASSWORD}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        return asyncio.run(since(before))

    return run_in_folder


def is_taken(records: list[bytes], count: int) -> bool:
    """Say whether there are so many records and Sentinel can read each."""
    decoded = SOURCE.decode(records)
    return not decoded.rejections and len(decoded.rows) == count


def test_python(run: Run) -> None:
    """A thousand events arrive."""
    assert is_taken(run(sys.executable, "send.py", send_py=block("python")), 1000)


def test_kcat(run: Run) -> None:
    """Each line of the file arrives as a record."""
    program("kcat")
    line = '{"id": "k-%d", "occurred_at": "2026-03-02T14:05:00Z", "action": "read", "actor_id": "a", "patient_id": "p"}\n'
    events = "".join(line % n for n in range(20))
    assert is_taken(run("sh", "-euc", block("sh"), kcat_conf=block("ini"), events_ndjson=events), 20)


def test_java(run: Run) -> None:
    """It compiles, and its event arrives."""
    program("javac", "default-jdk-headless")
    assert is_taken(run("java", "-cp", f"{libraries()}/*", "Send.java", Send_java=block("java")), 1)
