"""The worker process of the embedded service: reads the log, decides, keeps, answers questions. Owner of the store."""

from __future__ import annotations

import ctypes
import fcntl
import os
import pickle
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final, TypeVar

from sentinel.core.errors import RefusedToStartError, SentinelError
from streams.channel import Answered, Ask, Checkpointed, Progress, Ready, Refused, Stop, Wake, WorkerEnd
from streams.faults import report
from streams.parts import Order, Steps, Store, Ticks, WorkerLimits

T = TypeVar("T")

LOCK: Final = "worker.lock"
LOCK_SECONDS: Final = 10.0  # the worker of a service just killed may take so long to be gone
PR_SET_PDEATHSIG: Final = 1
QUESTIONS: Final = frozenset(
    {
        "accesses_to_patient",
        "accesses_by_actor",
        "summary_of_patient",
        "hour_by_weekday",
        "alerts",
        "alerts_changed_since",
        "alert",
        "evidence",
        "counts",
    }
)


class Answering:
    """Answers questions in a few threads, each with its own client of the store."""

    def __init__(self, store: Store, channel: WorkerEnd, limits: WorkerLimits) -> None:
        self._store, self._channel = store, channel
        self._asked: queue.Queue[Ask] = queue.Queue(limits.answers_waiting_max)
        self._opening = threading.Lock()
        for number in range(limits.answering_threads):
            threading.Thread(target=self._run, name=f"answers-{number}", daemon=True).start()

    def take(self, ask: Ask) -> None:
        """Queue a question; when too many wait, answer that it failed."""
        try:
            self._asked.put_nowait(ask)
        except queue.Full:
            self._channel.send(Answered(ask.id, error="failed"))

    def _run(self) -> None:
        with self._opening:
            questions = self._store.questions()
        while True:
            ask = self._asked.get()
            answered = _answer(questions, ask)
            try:
                self._channel.send(answered)
            except OSError:
                return


def _answer(questions: object, ask: Ask) -> Answered:
    if ask.question not in QUESTIONS:
        return Answered(ask.id, error="argument")
    try:
        return Answered(ask.id, getattr(questions, ask.question)(*ask.args, **ask.kwargs))
    except ValueError:
        return Answered(ask.id, error="argument")
    except Exception as error:  # noqa: BLE001 - its message may quote what was asked
        report("question-failed", error, question=ask.question)
        return Answered(ask.id, error="failed")


class Worker:
    """The process's life: recover, work until told to stop, checkpoint."""

    def __init__(self, steps: Steps, answering: Answering, channel: WorkerEnd, ticks: Ticks, limits: WorkerLimits) -> None:
        self._steps, self._answering, self._channel = steps, answering, channel
        self._ticks, self._limits = ticks, limits
        self._woken = threading.Event()
        self._stop: Stop | None = None
        self._is_failing = False
        self._flushed = self._checkpointed = ticks.monotonic()
        self._events_checkpointed = 0
        self._told: Progress | None = None

    def run(self) -> None:
        """Work until told to stop."""
        threading.Thread(target=self._listen, name="listens", daemon=True).start()
        while self._stop is None:
            self._woken.clear()
            is_busy = not self._is_failing and self._attempt(self._steps.step)
            self._keep_when_due()
            self._tell()
            if not is_busy and self._stop is None:
                self._woken.wait(self._limits.retry_seconds if self._is_failing else self._limits.poll_seconds)
        self._finish(self._stop)

    def _finish(self, stop: Stop) -> None:
        deadline = self._ticks.monotonic() + stop.seconds
        while not self._is_failing and self._ticks.monotonic() < deadline and self._attempt(self._steps.step):
            self._keep_when_due()
        self._checkpoint()
        self._tell()

    def _keep_when_due(self) -> None:
        now, limits = self._ticks.monotonic(), self._limits
        events = self._steps.done.events - self._events_checkpointed
        if now - self._checkpointed >= limits.checkpoint_seconds or events >= limits.checkpoint_events:
            self._checkpoint()
        elif self._is_failing or self._steps.is_due(now - self._flushed):
            self._attempt(self._steps.flush)
            self._flushed = now

    def _checkpoint(self) -> None:
        oldest = self._attempt(self._steps.checkpoint)
        self._checkpointed = self._flushed = self._ticks.monotonic()
        self._events_checkpointed = self._steps.done.events
        if oldest:
            self._channel.send(Checkpointed(oldest))

    def _attempt(self, work: Callable[[], T]) -> T | None:
        """Return what `work` returns; None, and `_is_failing`, when the store or the disk does not take it."""
        try:
            result = work()
        except (SentinelError, OSError) as error:
            if not self._is_failing:
                report("worker-failing", error, code=str(getattr(error, "code", "")))
            self._is_failing = True
            return None
        self._is_failing = False
        return result

    def _tell(self) -> None:
        steps, done = self._steps, self._steps.done
        counts = (done.events, done.duplicates, done.alerts, done.rejected)
        told = Progress(steps.position, *counts, is_failing=self._is_failing, wrote_alerts=steps.wrote_alerts)
        if told != self._told:
            self._channel.send(told)
        self._told, steps.wrote_alerts = told, False

    def _listen(self) -> None:
        while (message := self._channel.receive()) is not None:
            match message:
                case Ask():
                    self._answering.take(message)
                case Stop():
                    self._stop = message
                    self._woken.set()
                case Wake():
                    self._woken.set()
        os._exit(1)  # the service is gone: what is not in a checkpoint comes again from the log


def boot(descriptor: int) -> None:
    """Run the worker in this process; the socket `descriptor` leads to the service that started it, and begins with an order."""
    channel = WorkerEnd(socket.socket(fileno=descriptor))
    order: Order = pickle.loads(channel.receive_order())  # noqa: S301 - from the service that started this process
    _die_with(order.service)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # they reach the whole group; the service says when to stop
    order.parts.prepare()
    try:
        with _locked(order.folder / LOCK):
            _work(order, channel)
    except RefusedToStartError as refused:
        channel.send(Refused(str(refused)))
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - its message and its frames may hold records
        report("worker-failed", error)
        sys.exit(1)


def _work(order: Order, channel: WorkerEnd) -> None:
    store = order.parts.open_store()
    steps = order.parts.steps(order, store)
    steps.recover()
    worker = Worker(steps, Answering(store, channel, order.limits), channel, order.ticks, order.limits)
    channel.send(Ready())
    worker.run()
    steps.close()
    store.close()


def _die_with(service: int) -> None:
    """Ask the kernel to end this process with the service, whatever ends it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != service:
        os._exit(1)


def _locked(path: Path) -> IO[bytes]:
    """Return the open lock file, held until it is closed.

    Raises:
        RefusedToStartError: another worker has held it for long.
    """
    file = path.open("wb")
    for _ in range(int(LOCK_SECONDS / 0.05)):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.05)
        else:
            return file
    raise RefusedToStartError("another worker uses this folder")
