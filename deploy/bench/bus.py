"""The distributed runtime beside other ways to read the same topic: events a CPU-second of one worker, and how late alerts are.

Broker, store and worker share the machine. Only the worker's CPU counts: from raw records in `intake` to rows handed to the
store and alerts in their topic. Two shapes of feed: a backfill, in which many hours end each second, and one as in life.
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
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final, Self

from rich.console import Console
from rich.table import Table

from deploy.bench import inputs, live
from deploy.bench.inputs import HEAD_EVENTS, OWN, Input
from deploy.bench.process import ROOT, MeasurementError, Ran, module, run, sentinel
from deploy.bench.report import MIB, WIDTH, Row
from deploy.kafka.broker import Broker

QUIX: Final = ("quixstreams==3.28.1", "orjson==3.11.4")
PARTITIONS: Final = 2  # of the topics: a hospital of 400 staff gives an hour's closing little to divide
BUDGET: Final = 4  # alerts a day and hospital
LIVE_RATE: Final = 30_000.0  # events a second of those that lie ready
LIVE_ROUNDS: Final = 3  # a worker runs for weeks: what its start costs should not weigh as much as its work
WAIT_SECONDS: Final = 300.0
HOUR: Final = 3_600.0
INTAKE: Final = f"intake.{OWN}"
YARDSTICK: Final = "aiokafka getmany + orjson"
SHAPES: Final = ("live", "backfill")


@dataclass(frozen=True, slots=True)
class Feed:
    """Events to send, and the alerts a day that are wanted of them. `rate`: live ones are told a moment that moves so fast.

    `rounds`: how many days people live one after the other, each as the first, with other events.
    """

    given: Input
    budget: int
    rate: float = 0.0
    rounds: int = 1

    @property
    def events(self) -> int:
        """How many there are."""
        return self.given.events * self.rounds

    def lines(self, count: int | None = None) -> Iterator[bytes]:
        """Yield the first `count` lines, as they are sent; of a live feed, the hour turns in its middle."""
        now, half = time.time(), self.events / 2
        for number, line in enumerate(islice(self._lines(), count)):
            told = (now // HOUR + 1) * HOUR + (number - half) / self.rate if self.rate else 0.0
            yield (live.stamped(line, told) if self.rate else line).rstrip(b"\n")

    def _lines(self) -> Iterator[bytes]:
        for turn in range(self.rounds):
            with self.given.file(OWN).open("rb") as lines:
                yield from (live.of_turn(line, turn) for line in lines)


@dataclass(slots=True)
class BusBench:
    """One run in `folder`, of the shapes told. `lateness`: by shape, the rate of the feed and percentiles in seconds.

    `late_rate`: events a second at which it is measured; 0: half of what the same run has just shown.
    """

    folder: Path
    given: Input
    console: Console
    shapes: Sequence[str] = SHAPES
    rows: dict[str, Row] = field(default_factory=dict)
    lateness: dict[str, dict[str, float]] = field(default_factory=dict)
    late_rate: float = 0.0

    def run(self, with_others: bool = True) -> None:
        """Measure everything."""
        scratch = self.folder / "bus"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        if with_others:
            with Broker(scratch / "kafka") as broker:
                self._others(broker.address, scratch)
        run([sys.executable, "-c", "from sentinel import assembly; assembly.prepare()"])  # compiles, once a version
        for shape in self.shapes:
            self._worker(shape, scratch)

    def _others(self, address: str, scratch: Path) -> None:
        sent = run(module("yardsticks", "produce", address, str(self.given.file(OWN)))).output.strip()
        quix = _quix(self.folder)
        commands = {
            YARDSTICK: module("others", "getmany", address, sent),
            "a Faust agent, a record at a time": module("others", "faust_agent", address, sent, str(scratch / "faust")),
            "Quix Streams": [str(quix), "-m", "deploy.bench.others", "quix", address, sent],
        }
        for name, command in commands.items():
            self._say(name)
            ran = run(command)
            self.rows[name] = _row(ran, int(ran.output.split()[-1]))

    def _worker(self, shape: str, scratch: Path) -> None:
        """Let one worker take all that is there, and look how late its alerts are at half of that speed."""
        feed = self._feed(shape, scratch)
        for name, events in ((f"{_named(shape)}, start", HEAD_EVENTS), (_named(shape), feed.events)):
            with Site(scratch / "site", feed) as site:
                asyncio.run(_produce(site.address, feed.lines(events)))
                self._say(name)
                self.rows[name] = _row(site.worker(events), events)
        start, whole = self.rows[f"{_named(shape)}, start"], self.rows[_named(shape)]
        rate = self.late_rate or (whole.events - start.events) / (whole.seconds - start.seconds) / 2
        with Site(scratch / "site", replace(feed, rate=rate, rounds=1) if feed.rate else feed) as site:
            self._say(f"how late alerts are at {rate:,.0f} events a second, {shape}")
            self.lateness[shape] = {"rate": round(rate)} | site.lateness(rate)

    def _feed(self, shape: str, scratch: Path) -> Feed:
        if shape == "backfill":
            return Feed(self.given, BUDGET)
        self._say("a live feed")
        made = live.make(self.given, scratch / "live", datetime.now(UTC).date())
        return Feed(made.given, BUDGET * made.hospitals, LIVE_RATE, LIVE_ROUNDS)

    def _say(self, doing: str) -> None:
        self.console.print(f"… {doing}", highlight=False)

    def show(self) -> None:
        """Print the table."""
        table = Table("", "events", "CPU s", "events/CPU s", "÷ getmany", "peak MiB", title="events a CPU-second of the reader")
        yardstick = self.rows.get(YARDSTICK)
        for name, row in self.rows.items():
            share = f"{row.per_cpu_second / yardstick.per_cpu_second:.3f}" if yardstick else ""
            told = (f"{row.events:,}", f"{row.cpu_seconds:.2f}", f"{row.per_cpu_second:,}", share, str(row.peak_rss_bytes // MIB))
            table.add_row(name, *told)
        self.console.print(table)
        for shape in self.shapes:
            steady = self.rows[_named(shape)].steady(self.rows[f"{_named(shape)}, start"])
            self.console.print(f"{_named(shape)}, beyond its start: {steady or 0:,} events a CPU-second", highlight=False)
            self.console.print(f"from event to alert, {shape}: {json.dumps(self.lateness[shape])}", highlight=False)


def _named(shape: str) -> str:
    return f"sentinel worker, {shape}"


class Site:
    """A broker, a store in a process of its own, and the topics; the context is told before all events."""

    def __init__(self, folder: Path, feed: Feed) -> None:
        self._folder, self._feed = folder, feed
        self._closing = ExitStack()

    @property
    def address(self) -> str:
        """Where the broker is."""
        return self._broker.address

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
            "SENTINEL_BUDGET": str(self._feed.budget),
        }
        run(sentinel("topics", "create"), self._environment)
        asyncio.run(_tell_context(self.address, self._feed.given.context))
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

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

    def lateness(self, rate: float) -> dict[str, float]:
        """Feed a worker that is up to date; return percentiles (seconds) of how long after its last event an alert is told.

        And what the worker did with a CPU-second meanwhile.
        """
        lines = self._feed.lines()
        with self._running() as process:
            asyncio.run(_produce(self.address, islice(lines, HEAD_EVENTS)))
            self._until_stored(HEAD_EVENTS)
            began, used = time.time(), _cpu_seconds(process.pid)
            asyncio.run(_produce(self.address, lines, rate))
            self._until_stored(self._feed.events)
            used = _cpu_seconds(process.pid) - used
            process.send_signal(signal.SIGTERM)
            process.wait(WAIT_SECONDS)
        return {"events/CPU s": round((self._feed.events - HEAD_EVENTS) / used)} | asyncio.run(
            _lateness(self.address, int(began * 1_000))
        )

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


def _cpu_seconds(process: int) -> float:
    """Return what a running process has used, user and system."""
    user, system = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


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


async def _produce(address: str, lines: Iterable[bytes], rate: float = 0.0) -> None:
    """Send lines as records at `rate` a second, 0: at once; to the partitions in turn, so that all are as far."""
    from aiokafka import AIOKafkaProducer  # noqa: PLC0415

    async with AIOKafkaProducer(bootstrap_servers=address, linger_ms=20, max_batch_size=1 << 18) as producer:
        started = time.monotonic()
        for number, line in enumerate(lines):
            await producer.send(INTAKE, line, partition=number % PARTITIONS)
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


async def _lateness(address: str, began_ms: int) -> dict[str, float]:
    """Return percentiles of the time between the last event of an alert's version, of those since then, and its record."""
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
                last = max(appended[id_] for id_ in json.loads(record.value)["event_ids"] if id_ in appended)
                if last >= began_ms:
                    late.append((record.timestamp - last) / 1_000)
    late.sort()
    return {"alerts": len(late)} | {
        f"p{p}": round(late[min(len(late) - 1, len(late) * p // 100)], 3) for p in (50, 90, 99) if late
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m deploy.bench.bus", description=__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench")
    parser.add_argument("--shape", choices=SHAPES, action="append", help="of the feed; both, unless told")
    parser.add_argument("--late-rate", type=float, default=0.0, help="events a second to measure lateness at")
    parser.add_argument("--without-others", action="store_true", help="only the worker")
    given = parser.parse_args(arguments)
    folder = given.folder.absolute()
    want = inputs.wanted(given.events)
    if inputs.cached(folder, want) is None:
        run(module("inputs", str(folder), json.dumps({field_: getattr(want, field_) for field_ in want.__slots__})))
    found = inputs.cached(folder, want)
    assert found is not None
    bench = BusBench(folder, found, Console(width=WIDTH), given.shape or SHAPES, late_rate=given.late_rate)
    bench.run(not given.without_others)
    bench.show()


if __name__ == "__main__":
    main()
