"""The distributed runtime beside other ways to read the same topic: events a CPU-second of one worker, and how late alerts are.

Broker, store and worker share the machine. Only the worker's CPU counts: from raw records in `intake` to rows handed to the
store and alerts in their topic.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from rich.console import Console
from rich.table import Table

from deploy.bench import inputs
from deploy.bench.inputs import OWN, Input
from deploy.bench.process import ROOT, MeasurementError, Ran, module, run, sentinel
from deploy.bench.report import MIB, WIDTH, Row
from deploy.kafka.broker import Broker

QUIX: Final = ("quixstreams==3.28.1", "orjson==3.11.4")
PARTITIONS: Final = 2  # of the topics: a hospital of 400 staff gives an hour's closing little to divide
BUDGET: Final = "4"
WAIT_SECONDS: Final = 120.0
INTAKE: Final = f"intake.{OWN}"
HISTORY_SHARE: Final = 0.9  # of the events come before the ones whose alerts are timed


@dataclass(slots=True)
class BusBench:
    """One run in `folder`."""

    folder: Path
    given: Input
    console: Console
    rows: dict[str, Row] = field(default_factory=dict)
    latency: dict[str, float] = field(default_factory=dict)

    def run(self) -> None:
        """Measure everything."""
        scratch = self.folder / "bus"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        with Broker(scratch / "kafka") as broker:
            self._others(broker.address, scratch)
        self._worker(scratch / "throughput")

    def _others(self, address: str, scratch: Path) -> None:
        sent = run(module("yardsticks", "produce", address, str(self.given.file(OWN)))).output.strip()
        quix = _quix(self.folder)
        commands = {
            "aiokafka getmany + orjson": module("others", "getmany", address, sent),
            "a Faust agent, a record at a time": module("others", "faust_agent", address, sent, str(scratch / "faust")),
            "Quix Streams": [str(quix), "-m", "deploy.bench.others", "quix", address, sent],
        }
        for name, command in commands.items():
            self._say(name)
            ran = run(command)
            self.rows[name] = _row(ran, int(ran.output.split()[-1]))

    def _worker(self, scratch: Path) -> None:
        """Let one worker take all that is there, and look how late its alerts are at half of that speed."""
        run([sys.executable, "-c", "from sentinel import assembly; assembly.prepare()"])  # compiles, once a version
        for name, part, events in (
            ("sentinel worker, start", "head", inputs.HEAD_EVENTS),
            ("sentinel worker", "all", self.given.events),
        ):
            with Site(scratch, self.given) as site:
                site.produce(self.given.file(OWN, part))
                self._say(name)
                ran = site.worker(events)
                self.rows[name] = _row(ran, events)
        rate = self.given.events / (ran.seconds - self.rows["sentinel worker, start"].seconds) / 2
        with Site(scratch, self.given) as site:
            self._say(f"how late alerts are at {rate:,.0f} events a second")
            self.latency = site.latency(self.given.file(OWN), rate)

    def _say(self, doing: str) -> None:
        self.console.print(f"… {doing}", highlight=False)

    def show(self) -> None:
        """Print the table."""
        table = Table("", "events", "CPU s", "events/CPU s", "÷ getmany", "peak MiB", title="events a CPU-second of the reader")
        fastest = next(iter(self.rows.values())).per_cpu_second
        for name, row in self.rows.items():
            share, mib = row.per_cpu_second / fastest, row.peak_rss_bytes // MIB
            table.add_row(name, f"{row.events:,}", f"{row.cpu_seconds:.2f}", f"{row.per_cpu_second:,}", f"{share:.3f}", str(mib))
        self.console.print(table)
        if (steady := self.rows["sentinel worker"].steady(self.rows["sentinel worker, start"])) is not None:
            self.console.print(f"sentinel worker beyond its start: {steady:,} events a CPU-second", highlight=False)
        self.console.print(f"from event to alert: {json.dumps(self.latency)}", highlight=False)


class Site:
    """A broker, a store in a process of its own, and the topics; the context is told before all events."""

    def __init__(self, folder: Path, given: Input) -> None:
        self._folder, self._given = folder, given
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self._broker = self._closing.enter_context(Broker(self._folder / "kafka"))
        port = self._closing.enter_context(_front(self._folder / "store"))
        self._environment = {
            "SENTINEL_KAFKA_SERVERS": self._broker.address,
            "SENTINEL_KAFKA_PROTOCOL": "PLAINTEXT",
            "SENTINEL_KAFKA_REPLICATION": "1",
            "SENTINEL_KAFKA_PARTITIONS": str(PARTITIONS),
            "SENTINEL_KAFKA_STATE_KEY": "of the benchmark",
            "SENTINEL_STORE": f"clickhouse://sentinel:let%20me%20in@127.0.0.1:{port}/default",
            "SENTINEL_BUDGET": BUDGET,
        }
        run(sentinel("topics", "create"), self._environment)
        asyncio.run(_tell_context(self._broker.address, self._given.context))
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def produce(self, file: Path, rate: float = 0.0) -> None:
        """Send each line as a record, at `rate` a second; 0: at once."""
        asyncio.run(_produce(self._broker.address, file, rate))

    def worker(self, events: int) -> Ran:
        """Run a worker until so many events are stored, and return what it cost."""
        with self._running() as process:
            started = time.monotonic()
            self._until_stored(events)
            seconds = time.monotonic() - started
            process.send_signal(signal.SIGTERM)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        return Ran("", usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, seconds)

    def latency(self, file: Path, rate: float) -> dict[str, float]:
        """Feed a worker that is up to date; return percentiles (seconds) of how long after its last event an alert is told."""
        with self._running() as process:
            self.produce(file, rate)
            self._until_stored(self._given.events)
            process.send_signal(signal.SIGTERM)
            process.wait(WAIT_SECONDS)
        return asyncio.run(_lateness(self._broker.address))

    @contextmanager
    def _running(self) -> Iterator[subprocess.Popen[bytes]]:
        with (self._folder / "worker.log").open("wb") as log:
            process = subprocess.Popen(
                sentinel("worker"),
                cwd=ROOT,
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            try:
                yield process
            finally:
                if process.returncode is None:
                    process.kill()
                    process.wait()

    def _until_stored(self, events: int) -> None:
        until = time.monotonic() + WAIT_SECONDS
        while _stored(self._environment["SENTINEL_STORE"]) < events:
            if time.monotonic() > until:
                tail = (self._folder / "worker.log").read_text("utf-8", "replace")[-2_000:]
                raise MeasurementError(f"the worker is not done in time:\n{tail}")
            time.sleep(0.5)


@contextmanager
def _front(folder: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "deploy.store_front", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def _quix(folder: Path) -> Path:
    """Return the interpreter of an environment with Quix Streams, made on first use: its pins are not ours."""
    python = folder / "quix" / "bin" / "python"
    if not python.exists():
        run([sys.executable, "-m", "venv", str(folder / "quix")])
        run([str(python), "-m", "pip", "install", "--quiet", *QUIX])
    return python


def _row(ran: Ran, events: int) -> Row:
    return Row(events, round(ran.cpu_seconds, 3), ran.peak_rss_bytes, round(ran.seconds, 3))


async def _tell_context(address: str, folder: Path) -> None:
    from aiokafka import AIOKafkaProducer  # noqa: PLC0415

    from streams.context.folder import files  # noqa: PLC0415

    async with AIOKafkaProducer(bootstrap_servers=address, linger_ms=20, max_batch_size=1 << 20) as producer:
        for file in files(folder):
            for line in file.read_bytes().splitlines():
                resource = json.loads(line)
                await producer.send("context", line, key=f"{resource['resourceType']}/{resource['id']}".encode())


async def _produce(address: str, file: Path, rate: float) -> None:
    """Send lines in their order, each to the partition after the last one's, so that all are as far."""
    from aiokafka import AIOKafkaProducer  # noqa: PLC0415

    async with AIOKafkaProducer(bootstrap_servers=address, linger_ms=20, max_batch_size=1 << 18) as producer:
        started = time.monotonic()
        with file.open("rb") as lines:
            for number, line in enumerate(lines):
                await producer.send(INTAKE, line.rstrip(b"\n"), partition=number % PARTITIONS)
                if rate and number % 200 == 0 and (early := number / rate - (time.monotonic() - started)) > 0:
                    await asyncio.sleep(early)


def _stored(dsn: str) -> int:
    """Return how many events the store has; none before the worker made its tables."""
    from sentinel.store.client import connect  # noqa: PLC0415

    connections = connect(dsn)
    try:
        if "access" not in str(connections.writer.command("SHOW TABLES")):
            return 0
        return int(str(connections.writer.command("SELECT count() FROM access")))
    finally:
        connections.close()


async def _lateness(address: str) -> dict[str, float]:
    """Return percentiles of the time between the last event of an alert's version and its record in `alerts`."""
    from aiokafka import AIOKafkaConsumer  # noqa: PLC0415

    appended: dict[str, int] = {}
    late: list[float] = []
    consumer = AIOKafkaConsumer(INTAKE, bootstrap_servers=address, auto_offset_reset="earliest")
    async with consumer:
        while found := await consumer.getmany(timeout_ms=3_000):
            appended |= {json.loads(r.value)["id"]: r.timestamp for records in found.values() for r in records}
    consumer = AIOKafkaConsumer("alerts", bootstrap_servers=address, auto_offset_reset="earliest")
    async with consumer:
        while found := await consumer.getmany(timeout_ms=3_000):
            for record in (r for records in found.values() for r in records):
                times = [appended[id_] for id_ in json.loads(record.value)["event_ids"] if id_ in appended]
                late.append((record.timestamp - max(times)) / 1_000)
    late.sort()
    return {"alerts": len(late)} | {
        f"p{p}": round(late[min(len(late) - 1, len(late) * p // 100)], 3) for p in (50, 90, 99) if late
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m deploy.bench.bus", description=__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench")
    given = parser.parse_args(arguments)
    folder = given.folder.absolute()
    want = inputs.wanted(given.events)
    if inputs.cached(folder, want) is None:
        run(module("inputs", str(folder), json.dumps({field_: getattr(want, field_) for field_ in want.__slots__})))
    found = inputs.cached(folder, want)
    assert found is not None
    bench = BusBench(folder, found, Console(width=WIDTH))
    bench.run()
    bench.show()


if __name__ == "__main__":
    main()
