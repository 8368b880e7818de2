"""The embedded service: HTTP and listeners in this process, the worker in another, a log on disk between them."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pickle
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sentinel.core.errors import RefusedToStartError
from sentinel.web.ports import OutputVitals, Vitals, WorkerState
from streams.channel import Answered, Checkpointed, FromWorker, Progress, Ready, Refused, ServiceEnd, Stop, Wake, framed
from streams.dead_letters import DeadLetters, Status
from streams.faults import report
from streams.intake_log import IntakeLog, LogBounds
from streams.listeners.receiving import Listener
from streams.parts import Order, Work, WorkerLimits
from streams.questions import RemoteQuestions
from streams.record import DeadLetter, LogRecord, Mark, MarkKind

LOCK: Final = "service.lock"
BOOT: Final = "import sys; sys.path[:] = {path!r}; from streams.worker import boot; boot({descriptor})"
KILL_SECONDS: Final = 15.0  # beyond what the worker was given to stop
WAKE_SECONDS: Final = 0.01  # appends that follow each other so closely wake the worker once
WELL_SECONDS: Final = 60.0  # a worker that lived so long did not fail at its start
RESTART_SECONDS: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)  # waits between starts that got nowhere; then the service gives up


class SystemClock:
    """The machine's clock: the only place the service reads it."""

    def now_us(self) -> int:
        """Return µs since 1970 UTC."""
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic()


@dataclass(frozen=True, slots=True)
class EmbeddedConfig:
    """Where the service keeps its files and listens, and within which bounds. `checkpoint_key`: of the checkpoints' MAC."""

    folder: Path
    host: str = "127.0.0.1"
    port: int = 8000
    checkpoint_key: bytes = field(default=b"", repr=False)
    log: LogBounds = field(default_factory=LogBounds)
    worker: WorkerLimits = field(default_factory=WorkerLimits)
    dead_letter_days: int = 90
    ask_seconds: float = 12.0
    stop_seconds: float = 20.0
    house_seconds: float = 5.0
    connections_max: int = 1_000


class Intake:
    """`sentinel.web.ports.Intake` on the log and the dead letters."""

    def __init__(self, log: IntakeLog, dead: DeadLetters, wake: Callable[[], None]) -> None:
        self._log, self._dead, self._wake = log, dead, wake

    async def append(self, records: Sequence[LogRecord], marks: Sequence[Mark] = ()) -> Sequence[int]:
        """Return the positions once they are on disk."""
        positions = await asyncio.wrap_future(self._log.append(records, marks))
        self._wake()
        return positions

    async def reject(self, letters: Sequence[DeadLetter]) -> Sequence[str]:
        """Return the letters' ids once they are on disk."""
        return await asyncio.to_thread(self._dead.put, letters)

    def answer(self, name: str) -> Mark | None:
        """Return what was answered to a request before."""
        return self._log.marks.one(MarkKind.ANSWER, name)


class Changes:
    """`sentinel.web.ports.Changes`: turned by the worker's word."""

    def __init__(self) -> None:
        self._turned = asyncio.Event()
        self._open = True

    async def wait(self) -> bool:
        """Return True when alerts may have been written since the last call, False when the service stops."""
        await self._turned.wait()
        self._turned.clear()
        return self._open

    def turn(self) -> None:
        """Say that alerts were written."""
        self._turned.set()

    def close(self) -> None:
        """Say that no more will come."""
        self._open = False
        self._turned.set()


class Service:
    """What the web sees of the service, and the supervision of its worker."""

    def __init__(self, config: EmbeddedConfig, parts: Work, clock: SystemClock) -> None:
        self._config, self._parts, self._clock = config, parts, clock
        self._log = IntakeLog(config.folder, config.log)
        self._dead = DeadLetters(config.folder, config.worker.dead_letter_bytes_max)
        self.intake = Intake(self._log, self._dead, self._wake_soon)
        self.marks = self._log.marks
        self.questions = RemoteQuestions(config.ask_seconds)
        self.changes = Changes()
        self.changes_to_tell = Changes()  # the same, for the outputs: each listener has its own
        self.outputs: tuple[OutputVitals, ...] = ()
        self.ready = asyncio.Event()
        self.received: Counter[tuple[str, str, str]] = Counter()  # by listener, source and verdict
        self._channel: ServiceEnd | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._state: WorkerState = "starting"
        self._progress = Progress(0, 0, 0, 0, 0, is_failing=False, wrote_alerts=False)
        self._restarts = 0
        self._letters = 0
        self._oldest = 0
        self._stopping = False
        self._wakes = False

    def vitals(self) -> Vitals:
        """Return how the service goes."""
        size, progress = self._log.size, self._progress
        return Vitals(
            worker=self._state,
            log_records=size.records,
            log_bytes=size.bytes,
            log_bytes_max=self._config.log.bytes_max,
            log_position=size.last,
            processed_position=progress.position,
            events=progress.events,
            duplicates=progress.duplicates,
            alerts=progress.alerts,
            rejected=progress.rejected,
            worker_restarts=self._restarts,
            dead_letters=self._letters,
            outputs=self.outputs,
        )

    async def supervise(self) -> None:
        """Run the worker, and run it again when it is lost, until `stop`.

        Raises:
            RefusedToStartError: the worker cannot run as configured, or is lost again and again without getting on.
        """
        fruitless = 0
        while not self._stopping:
            position, started = self._progress.position, self._clock.monotonic()
            self._oldest = 0  # which checkpoint is restored is not known yet: nothing may be dropped
            self._log.trim(0, 0)
            process, pipe = self._spawn()
            await self._converse(pipe)
            await asyncio.to_thread(process.wait)
            if self._stopping:
                return
            got_on = self._progress.position > position or self._clock.monotonic() - started > WELL_SECONDS
            fruitless = 0 if got_on else fruitless + 1
            if fruitless > len(RESTART_SECONDS):
                raise RefusedToStartError("the worker is lost again and again; see the log")
            report("worker-lost", exit_code=process.returncode)
            self._state, self._restarts = "lost", self._restarts + 1
            await asyncio.sleep(RESTART_SECONDS[max(0, fruitless - 1)])

    async def stop(self) -> None:
        """Close the log for what comes, and let the worker process what is in it and checkpoint."""
        self._stopping = True
        await asyncio.to_thread(self._log.close)
        if self._channel is not None:
            self._channel.send(Stop(self._config.stop_seconds))

    def close(self) -> None:
        """Close the files; a worker that did not end by itself is killed: what it had not kept is in the log."""
        self._dead.close()
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    async def keep_house(self) -> None:
        """Drop from time to time what is kept no longer."""
        while not self._stopping:
            try:
                self._letters = (await asyncio.to_thread(self._dead.counts))[Status.REJECTED]
                await self._trim()
            except sqlite3.Error as error:
                report("not-trimmed", error)
            await asyncio.sleep(self._config.house_seconds)

    async def _trim(self) -> None:
        now_us = self._clock.now_us()
        await asyncio.to_thread(self._dead.purge, now_us - self._config.dead_letter_days * 86_400_000_000)
        before_us = now_us - self._config.log.retention_seconds * 1_000_000
        while self._oldest and not self._stopping and await asyncio.wrap_future(self._log.trim(self._oldest, before_us)):
            pass

    def _spawn(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        """Start a worker. From the main thread alone: the kernel ends it with the thread that started it."""
        config = self._config
        order = Order(config.folder, config.checkpoint_key, self._parts, config.worker, self._clock, os.getpid())
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-c", BOOT.format(path=sys.path, descriptor=theirs.fileno())]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])  # noqa: S603
        with suppress(OSError):  # gone already: supervised as any worker that is lost
            ours.sendall(framed(pickle.dumps(order)))
        self._process = process
        return process, ours

    async def _converse(self, pipe: socket.socket) -> None:
        self._channel = await ServiceEnd.open(pipe)
        if self._stopping:
            self._channel.send(Stop(self._config.stop_seconds))
        try:
            while (message := await self._channel.receive()) is not None:
                self._take(message, self._channel)
        finally:
            self.questions.disconnect()
            self._channel.close()
            self._channel = None

    def _take(self, message: FromWorker, channel: ServiceEnd) -> None:
        match message:
            case Answered():
                self.questions.take(message)
            case Progress():
                self._progress = message
                self._state = "failing" if message.is_failing else "ready"
                if message.wrote_alerts:
                    self.changes.turn()
                    self.changes_to_tell.turn()
            case Checkpointed():
                self._oldest = message.oldest
            case Ready():
                self._state = "ready"
                self.questions.connect(channel)
                self.ready.set()
            case Refused():
                raise RefusedToStartError(message.message)

    def _wake_soon(self) -> None:
        if not self._wakes:
            self._wakes = True
            asyncio.get_running_loop().call_later(WAKE_SECONDS, self._wake)

    def _wake(self) -> None:
        self._wakes = False
        if self._channel is not None:
            self._channel.send(Wake())


def no_listeners(_service: Service) -> Sequence[Listener]:
    """Return no way in but HTTP."""
    return ()


def nowhere(_service: Service) -> AbstractAsyncContextManager[None]:
    """Tell nobody."""
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Edges:
    """What connects a service: its ASGI application, the ways in besides it, and what tells alerts to the outside meanwhile."""

    make_app: Callable[[Service], Any]
    make_listeners: Callable[[Service], Sequence[Listener]] = no_listeners
    deliver: Callable[[Service], AbstractAsyncContextManager[None]] = nowhere


def serve(config: EmbeddedConfig, parts: Work, edges: Edges, clock: SystemClock, on_ready: Callable[[str], None]) -> None:
    """Run the service until SIGINT or SIGTERM, then end it in order.

    `on_ready` is told the address once records are taken, processed and can be asked for.

    Raises:
        RefusedToStartError: the folder is in use, a port is taken, or the worker or a listener cannot run as configured.
    """
    config.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with alone(config.folder), _listening(config.host, config.port) as listener:
        asyncio.run(_run(config, parts, edges, clock, on_ready, listener))


async def _run(
    config: EmbeddedConfig,
    parts: Work,
    edges: Edges,
    clock: SystemClock,
    on_ready: Callable[[str], None],
    listener: socket.socket,
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    service = Service(config, parts, clock)
    listeners = await _made(edges.make_listeners, service)
    worker = asyncio.create_task(service.supervise())
    await asyncio.sleep(0)  # the worker starts while this process imports and makes the application
    server = _server(config, edges.make_app(service))
    web = asyncio.create_task(server.serve(sockets=[listener]))
    house = asyncio.create_task(service.keep_house())
    announce = asyncio.create_task(_announce(service, on_ready, config.host, listener))
    for one in listeners:
        await one.start()
    ends = [asyncio.create_task(stop.wait()), worker, web, house]
    async with edges.deliver(service):
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    announce.cancel()
    service.changes.close()
    server.should_exit = True
    await asyncio.gather(web, *(one.stop() for one in listeners))
    await service.stop()
    house.cancel()
    try:
        await asyncio.wait_for(worker, config.stop_seconds + KILL_SECONDS)
    except TimeoutError:
        report("worker-killed")
    finally:
        service.close()


async def _made(make_listeners: Callable[[Service], Sequence[Listener]], service: Service) -> Sequence[Listener]:
    try:
        return make_listeners(service)
    except RefusedToStartError:
        await service.stop()
        service.close()
        raise


async def _announce(service: Service, on_ready: Callable[[str], None], host: str, listener: socket.socket) -> None:
    await service.ready.wait()
    name = f"[{host}]" if ":" in host else host
    on_ready(f"http://{name}:{listener.getsockname()[1]}")


def _server(config: EmbeddedConfig, app: Any) -> Any:
    """Return the HTTP server, which leaves signals to the service."""
    import uvicorn  # noqa: PLC0415 - after the worker was started

    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,  # paths name patients
            lifespan="off",
            server_header=False,
            limit_concurrency=config.connections_max,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=5,
        )
    )
    server.capture_signals = nullcontext  # type: ignore[method-assign,assignment]
    return server


@contextmanager
def alone(folder: Path, lock: str = LOCK, who: str = "another Sentinel") -> Iterator[None]:
    """Hold the folder for this process, among those that ask for the same lock.

    Raises:
        RefusedToStartError: another of them, which the message calls `who`, holds it.
    """
    with (folder / lock).open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RefusedToStartError(f"{who} uses this folder") from None
        yield


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:  # named, or asyncio leaves Nagle's delay on
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError:
            raise RefusedToStartError(f"cannot listen on {host}, port {port}") from None
        listener.listen(1_024)
        yield listener
