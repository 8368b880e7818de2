"""What the soak runs on: a site of real worker processes, a paced feed, and the report its figures go to."""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sentinel.assembly import sources
from sentinel.core.errors import RefusedToStartError
from sentinel.store.client import connect
from streams.bus import Bus, admin, consumer, producer, started
from streams.normaliser import IntakeParts
from streams.topic_admin import create
from streams.topics import Layout, Topic, declare
from tests.kafka.assessing import PER_DAY, TENANT, Truth
from tests.store.served import migrated

ROOT = Path(__file__).parents[2]
SENTINEL = Path(sys.executable).with_name("sentinel")
IS_FULL = bool(os.environ.get("SENTINEL_SOAK"))
REPORT = ROOT / "var/soak" / ("report.json" if IS_FULL else "scaled.json")
PARTITIONS = 3
GROUP = 50  # events sent and acknowledged together
ROUND = ("joined", "joined", "left", "killed", *(["stopped"] if IS_FULL else []))
STOPPED_SECONDS = 14.0  # longer than the group waits for a worker
STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Scale:
    """How long the runs are. Times in seconds; `staff` and `days` make a hospital of at least as many `events`."""

    events: int
    staff: int
    days: int
    a_second: int
    pause: tuple[float, float]
    broker_down: float
    store_refused: float
    fed: int  # events a second while broker or store are away
    warm_up: float
    records: int  # among which there is garbage
    strayed: int  # events that come twice, in another order, or late
    patients: int  # whose reports are compared
    settle: float


SMALL = Scale(9_000, 60, 14, 600, (2, 5), 5, 5, 200, 3, 2_000, 1_500, 40, 90)
FULL = Scale(500_000, 400, 60, 1_000, (5, 15), 120, 600, 300, 60, 100_000, 100_000, 400, 900)
SCALE = FULL if IS_FULL else SMALL


class Site:
    """One site: its topics, a store that several processes share, and the programs that run there, ended with it."""

    def __init__(self, bus: Bus, prefix: str, folder: Path) -> None:
        self.bus, self._folder = bus, folder
        self.topics = declare(Layout(sorted(sources()), prefix, PARTITIONS, replication=1))
        told = {
            "KAFKA_SERVERS": bus.servers,
            "KAFKA_PROTOCOL": "PLAINTEXT",
            "KAFKA_PREFIX": prefix,
            "KAFKA_PARTITIONS": str(PARTITIONS),
            "KAFKA_REPLICATION": "1",
            "KAFKA_STATE_KEY": "k" * 32,
            "TENANT": TENANT,
            "BUDGET": str(PER_DAY),
        }
        self._environment = {"PYTHONPATH": str(ROOT)} | os.environ | {f"SENTINEL_{name}": value for name, value in told.items()}
        self._started: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        asyncio.run(create(self.bus, self.topics))
        self.store = self.open_store("store")
        self._connections = connect(self.store)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connections.close()
        for process in reversed(self._started):
            process.kill()
            process.communicate()

    def open_store(self, name: str) -> str:
        """Start one more store, and return its DSN."""
        front = self._run(sys.executable, "-m", "deploy.store_front", str(self._folder / name), out=subprocess.PIPE)
        return migrated(front)

    def start(self, store: str = "") -> subprocess.Popen[str]:
        """Start a worker; `store`: the way it takes to the store."""
        with (self._folder / f"worker-{len(self._started)}.log").open("w") as log:
            return self._run(str(SENTINEL), "worker", out=log.fileno(), SENTINEL_STORE=store or self.store)

    def command(self, *arguments: str) -> str:
        """Run one of Sentinel's commands to its end, and return what it says."""
        command = [str(SENTINEL), *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self._environment, check=True, capture_output=True, text=True, timeout=120
        ).stdout

    def _run(self, *command: str, out: int, **more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command, cwd=ROOT, env=self._environment | more, stdout=out, stderr=None if out < 0 else out, text=True
        )
        self._started.append(process)
        return process

    async def ask(self, question: str) -> list[tuple[Any, ...]]:
        """Ask the store."""
        answer = await asyncio.to_thread(self._connections.writer.query, question)
        return [tuple(row) for row in answer.result_rows]

    async def rows(self) -> int:
        """Return how many rows are stored."""
        [(count,)] = await self.ask("SELECT count() FROM access")
        return int(count)

    async def until_rows(self, count: int, seconds: float = SCALE.settle) -> float:
        """Wait until as many rows are stored; return how long (s) that took."""
        begun = time.monotonic()
        while (rows := await self.rows()) < count:
            assert time.monotonic() - begun < seconds, f"{rows} of {count} rows"
            await asyncio.sleep(0.2)
        return time.monotonic() - begun

    async def until_settled(self, expected: Truth) -> None:
        """Wait until the store can hold the truth, or does not get there."""
        until = time.monotonic() + SCALE.settle
        while time.monotonic() < until:
            alerts = dict(await self.ask("SELECT id, body FROM alert FINAL"))
            if await self.rows() >= len(expected.rows) and alerts == expected.alerts:
                return
            await asyncio.sleep(1)

    async def until_read(self, seconds: float = SCALE.settle) -> float:
        """Wait until every group has committed all that there is now; return how long (s) that took."""
        from aiokafka import TopicPartition

        begun, parts = time.monotonic(), IntakeParts(self.bus, self.topics, TENANT, {})
        intake = [TopicPartition(topic.name, p) for topic in self.topics.intake.values() for p in range(topic.partitions)]
        events = [TopicPartition(self.topics.events.name, p) for p in range(self.topics.events.partitions)]
        read = {parts.topics.group("intake"): intake, parts.topics.group("archive"): intake, parts.topics.group("assess"): events}
        async with started(self.bus, admin(self.bus)) as kafka, started(self.bus, consumer(self.bus)) as asking:
            ends = await asking.end_offsets([*intake, *events])
            while lags := [
                lag for group, of in read.items() for lag in await _lags(kafka, group, {one: ends[one] for one in of})
            ]:
                assert time.monotonic() - begun < seconds, lags
                await asyncio.sleep(0.2)
        return time.monotonic() - begun


async def _lags(kafka: Any, group: str, ends: dict[Any, int]) -> list[tuple[str, str, int, int]]:
    """Return where a group has not committed up to an end: how far it has, beside how far it is."""
    from aiokafka.errors import GroupCoordinatorNotAvailableError

    try:
        kept = await kafka.list_consumer_group_offsets(group, partitions=list(ends))
    except GroupCoordinatorNotAvailableError:  # no group ever met on this broker
        kept = {}
    read = {where: max(0, kept[where].offset) if where in kept else 0 for where in ends}
    return [(group, str(where), read[where], end) for where, end in ends.items() if read[where] < end]


@asynccontextmanager
async def in_background(work: Any) -> AsyncIterator[asyncio.Task[Any]]:
    """Let something go on meanwhile; what is not over at the end is called off."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


class Feed:
    """A sender, as integrators are: `a_second` events to the partitions of a topic in turn, what was refused again.

    `sent`: how many are acknowledged; `refusals`: how often some were not; `longest`: seconds to know one or the other.
    """

    def __init__(self, bus: Bus, topic: Topic, a_second: int) -> None:
        self._bus, self._topic, self._a_second = bus, topic, a_second
        self.sent = self.refusals = 0
        self.longest = 0.0

    async def send(self, events: Sequence[bytes]) -> None:
        """Send all; after a refusal by a new connection."""
        from aiokafka.errors import KafkaError

        begun = time.monotonic()
        while self.sent < len(events):
            asked = time.monotonic()
            try:
                async with started(self._bus, producer(self._bus)) as out:
                    while self.sent < len(events):
                        await asyncio.sleep(max(0.0, begun + self.sent / self._a_second - time.monotonic()))
                        asked = time.monotonic()
                        await self._send_some(out, events[self.sent : self.sent + GROUP])
                        self.longest = max(self.longest, time.monotonic() - asked)
            except (KafkaError, RefusedToStartError):
                self.refusals += 1
                self.longest = max(self.longest, time.monotonic() - asked)
                await asyncio.sleep(1)

    async def _send_some(self, out: Any, events: Sequence[bytes]) -> None:
        places = [(self.sent + n) % self._topic.partitions for n in range(len(events))]
        sent = [await out.send(self._topic.name, event, partition=p) for event, p in zip(events, places, strict=True)]
        await asyncio.gather(*sent)
        self.sent += len(events)


class Fleet:
    """Workers that come, leave, are killed, or stopped for a while.

    `acts`: how often each happened; `left`: those that were asked to go.
    """

    def __init__(self, site: Site, workers: int) -> None:
        self._site = site
        self._working = [site.start() for _ in range(workers)]
        self.acts: Counter[str] = Counter()
        self.left: list[subprocess.Popen[str]] = []

    async def disturb(self, chance: random.Random, until: asyncio.Task[None]) -> None:
        """Let one come, leave, be killed or stopped again and again."""
        acts = _acts(chance)
        while not until.done():
            await asyncio.wait([until], timeout=chance.uniform(*SCALE.pause))
            self._mend()
            self._act(next(acts), chance)

    def _act(self, act: str, chance: random.Random) -> None:
        self.acts[act] += 1
        if act == "joined":
            self._working.append(self._site.start())
            return
        if act == "stopped":
            stopped = chance.choice(self._working)
            stopped.send_signal(signal.SIGSTOP)
            asyncio.get_running_loop().call_later(STOPPED_SECONDS, stopped.send_signal, signal.SIGCONT)
            return
        worker = self._working.pop(chance.randrange(len(self._working)))
        worker.send_signal(signal.SIGKILL if act == "killed" else signal.SIGTERM)
        if act == "left":
            self.left.append(worker)

    def _mend(self) -> None:
        """Start anew what ended by itself, as a supervisor would."""
        for at, worker in enumerate(self._working):
            if worker.poll() is not None:
                self.acts[f"ended with {worker.returncode}"] += 1
                self._working[at] = self._site.start()


def _acts(chance: random.Random) -> Iterator[str]:
    """Yield what happens: after each round there are as many workers as before, and never none."""
    while True:
        yield from chance.sample(ROUND, len(ROUND))


class Kept:
    """A worker that is started again a second after it ends. `ends`: when it did (monotonic seconds), and its exit code."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.ends: list[tuple[float, int]] = []

    async def keep(self) -> None:
        """Let it run for ever."""
        while True:
            worker = self._site.start()
            while worker.poll() is None:  # noqa: ASYNC110 - a thread that waits would outlast the loop
                await asyncio.sleep(0.1)
            self.ends.append((time.monotonic(), worker.returncode))
            await asyncio.sleep(1)


@asynccontextmanager
async def memory_of(pid: int) -> AsyncIterator[list[int]]:
    """Gather the resident memory (bytes) of a process, four times a second."""
    found = [_resident(pid)]

    async def watch() -> None:
        while True:
            await asyncio.sleep(0.25)
            found.append(_resident(pid))

    async with in_background(watch()):
        yield found


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def tell(run: str, **figures: Any) -> None:
    """Put the figures of a run into the report."""
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    told = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    told[run] = {name: round(value, 2) if isinstance(value, float) else value for name, value in figures.items()}
    REPORT.write_text(json.dumps(told, indent=2) + "\n")
    print(run, told[run])
