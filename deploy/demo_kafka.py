"""The demonstration through the real thing: a broker, a simulated hospital that produces to it, two workers, the console."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from deploy.kafka.broker import ROOT, Broker, libraries
from sentinel import assembly
from sentinel.demo import BUDGET, Story, tell
from sentinel.settings import Settings
from streams.bus import producer

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

    from models.hospital import SimulatedEvent
    from streams.topics import Topics

PARTITIONS: Final = 4
WORKERS: Final = 2
STOP_SECONDS: Final = 40.0
HOUR_US: Final = 3_600_000_000
SENTINEL: Final = str(Path(sys.executable).with_name("sentinel"))


@dataclass(frozen=True, slots=True)
class OverKafka:
    """As a patient-record system produces: keyed, so that each person's events keep their order."""

    runner: asyncio.Runner
    out: AIOKafkaProducer
    topics: Topics

    def tell_context(self, resources: Sequence[bytes]) -> None:
        """Produce FHIR resources, each under its type and id."""
        self._send(self.topics.context.name, [(_key(json.loads(resource)), resource) for resource in resources])

    def tell_events(self, events: Sequence[SimulatedEvent]) -> None:
        """Produce AuditEvents, each hour's once those of the hour before are acknowledged, as they would come."""
        for _, hour in groupby(events, key=lambda event: event.occurred_at_us // HOUR_US):
            self._send(self.topics.intake["fhir_auditevent"].name, [(_actor(event.resource), event.resource) for event in hour])

    def _send(self, topic: str, records: Sequence[tuple[str, bytes]]) -> None:
        async def send() -> None:
            await asyncio.gather(*[await self.out.send(topic, value, key=key.encode()) for key, value in records])

        self.runner.run(send())


def _key(resource: Mapping[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def _actor(event: bytes) -> str:
    agents = json.loads(event)["agent"]
    return json.dumps(next((agent for agent in agents if agent.get("requestor")), agents[0]).get("who"))


def feed(folder: Path, seed: int, fast: bool) -> None:
    """Be the hospital's systems until the story ends or this process is stopped; the next start goes on."""
    settings = Settings.read()
    file, today = folder / "demo.json", datetime.now(tz=ZoneInfo(settings.timezone)).date()
    kafka = assembly.bus(settings)
    with asyncio.Runner() as runner:

        async def connect() -> AIOKafkaProducer:
            out = producer(kafka)
            await out.start()
            return out

        out = runner.run(connect())
        try:
            tell(OverKafka(runner, out, assembly.topics(settings)), Story.at(file, today, seed), file, fast)
        finally:
            runner.run(out.stop())


@contextmanager
def running(*command: str, environment: Mapping[str, str], out: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run a program in a group of its own, so that Ctrl-C reaches it when its turn has come; at the end SIGTERM stops it."""
    process = subprocess.Popen(
        command, env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


@contextmanager
def broker_in(folder: Path) -> Iterator[Broker]:
    """Run the broker. It does not hear Ctrl-C: it is stopped last."""
    libraries()
    heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Broker(folder, {"auto.create.topics.enable": "false"}) as broker:
        signal.signal(signal.SIGINT, heard)
        yield broker


def secret(file: Path) -> str:
    """Return what is kept in `file`, made at the first start."""
    if not file.exists():
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
            out.write(secrets.token_urlsafe(32))
    return file.read_text()


def demonstrate(folder: Path, port: int, seed: int, fast: bool) -> None:
    """Start all of it, keep the workers running, and stop it in order when told to."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    password = secret(folder / "store.key")
    with ExitStack() as closing:
        broker = closing.enter_context(broker_in(folder / "kafka"))
        environment = dict(os.environ) | {
            "SENTINEL_FRONT_PASSWORD": password,
            "SENTINEL_SOURCES": '["fhir_auditevent"]',
            "SENTINEL_KAFKA_SERVERS": broker.address,
            "SENTINEL_KAFKA_PROTOCOL": "PLAINTEXT",
            "SENTINEL_KAFKA_PARTITIONS": str(PARTITIONS),
            "SENTINEL_KAFKA_REPLICATION": "1",
            "SENTINEL_KAFKA_STATE_KEY": secret(folder / "state.key"),
            "SENTINEL_BUDGET": str(BUDGET),
        }
        start = partial(running, environment=environment)
        front = closing.enter_context(
            start(sys.executable, "-m", "deploy.store_front", str(folder / "store"), out=subprocess.PIPE)
        )
        environment["SENTINEL_STORE"] = f"clickhouse://sentinel:{password}@127.0.0.1:{_first_line(front)}/default"
        del environment["SENTINEL_FRONT_PASSWORD"]
        subprocess.run([SENTINEL, "topics", "create"], env=environment, check=True, stdout=subprocess.DEVNULL)
        workers = [closing.enter_context(start(SENTINEL, "worker")) for _ in range(WORKERS)]
        closing.enter_context(start(SENTINEL, "gateway", "--data", str(folder / "gateway"), "--port", str(port)))
        told = ["--data", str(folder), "--seed", str(seed), *(["--fast"] if fast else [])]
        closing.enter_context(start(sys.executable, "-m", "deploy.demo_kafka", "--feed", *told))
        while True:
            time.sleep(1)
            for at, worker in enumerate(workers):
                if worker.poll() is not None:
                    workers[at] = closing.enter_context(start(SENTINEL, "worker"))


def _first_line(process: subprocess.Popen[str]) -> str:
    line = process.stdout.readline().strip() if process.stdout else ""
    if not line:
        raise RuntimeError("the store does not start")
    return line


def main() -> None:
    """Run the demonstration, or its hospital."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--data", type=Path, default=Path("var/demo-kafka"), help="folder; a second start goes on from it")
    asked.add_argument("--port", type=int, default=8000, help="TCP port of the console")
    asked.add_argument("--seed", type=int, default=7, help="which hospital")
    asked.add_argument("--fast", action="store_true", help="a month as fast as it goes")
    asked.add_argument("--feed", action="store_true", help=argparse.SUPPRESS)
    told = asked.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        if told.feed:
            feed(told.data.absolute(), told.seed, told.fast)
        else:
            demonstrate(told.data.absolute(), told.port, told.seed, told.fast)


if __name__ == "__main__":
    main()
