"""Between the two processes: questions find their answers, whatever the order, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from sentinel.web.ports import UnavailableError
from streams.channel import Answered, Ask, Progress, Ready, ServiceEnd, Stop, Wake, WorkerEnd
from streams.questions import RemoteQuestions


class Echo(threading.Thread):
    """A worker's end that answers questions with themselves, every two in reverse; `alert` never, `counts` badly."""

    def __init__(self, pipe: socket.socket) -> None:
        super().__init__(daemon=True)
        self.channel = WorkerEnd(pipe)
        self.start()

    def run(self) -> None:
        """Answer until the other end is gone."""
        held: list[Answered] = []
        while (message := self.channel.receive()) is not None:
            if not isinstance(message, Ask) or message.question == "alert":
                continue
            error = {"counts": "failed", "alerts": "argument"}.get(message.question, "")
            held.append(Answered(message.id, [message.question, message.args, message.kwargs], error))
            if len(held) == 2 or error:
                for answered in reversed(held):
                    self.channel.send(answered)
                held.clear()


async def connected(seconds: float) -> tuple[RemoteQuestions, ServiceEnd, asyncio.Task[None]]:
    ours, theirs = socket.socketpair()
    Echo(theirs)
    channel = await ServiceEnd.open(ours)
    questions = RemoteQuestions(seconds)
    questions.connect(channel)

    async def listen() -> None:
        while (message := await channel.receive()) is not None:
            if isinstance(message, Answered):
                questions.take(message)
        questions.disconnect()

    return questions, channel, asyncio.create_task(listen())


def test_answers_find_their_questions_in_any_order():
    """Many at once, answered the other way round."""

    async def run() -> None:
        questions, channel, listening = await connected(5)
        told = await asyncio.gather(*(questions.evidence("t", f"é{n}") for n in range(20)))
        assert told == [["evidence", ["t", f"é{n}"], {}] for n in range(20)]
        channel.close()
        await listening

    asyncio.run(run())


def test_nobody_waits_for_ever():
    """An answer that does not come in time, fails, or is to a bad argument becomes an error; the next question works."""

    async def run() -> None:
        questions, channel, listening = await connected(0.1)
        with pytest.raises(UnavailableError):
            await questions.alert("t", "x")
        with pytest.raises(UnavailableError):
            await questions.counts("t", since=None, until=None)
        with pytest.raises(ValueError, match="none"):
            await ask_alerts(questions)
        assert len(await asyncio.gather(questions.evidence("t", "a"), questions.evidence("t", "b"))) == 2
        channel.close()
        await listening
        with pytest.raises(UnavailableError):
            await questions.evidence("t", "c")

    asyncio.run(run())


async def ask_alerts(questions: RemoteQuestions):
    nothing = dict.fromkeys(("since", "until", "severity", "detector", "actor", "patient"))
    return await questions.alerts("t", **nothing, min_priority=0.0, order="time", limit=1, before="bad")


def test_what_waits_fails_when_the_worker_is_lost():
    """At once, rather than after the time limit."""

    async def run() -> None:
        questions, channel, listening = await connected(60)
        asking = asyncio.create_task(questions.alert("t", "x"))
        await asyncio.sleep(0.01)
        channel.close()
        with pytest.raises(UnavailableError):
            await asking
        await listening

    asyncio.run(run())


def test_messages_arrive_whole_however_large():
    """Both ways, in order; the end of one side is told to the other."""

    async def run() -> None:
        ours, theirs = socket.socketpair()
        service, worker = await ServiceEnd.open(ours), WorkerEnd(theirs)
        large = Answered(1, ["x" * 3_000_000, None, 1.5, {"a": [1]}])
        sent = [Ready(), large, Progress(1, 2, 3, 4, 5, is_failing=False, wrote_alerts=True)]
        sending = asyncio.create_task(asyncio.to_thread(lambda: [worker.send(message) for message in sent]))
        assert [await service.receive() for _ in sent] == sent
        await sending
        service.send(Wake())
        service.send(Stop(2.0))
        assert [await asyncio.to_thread(worker.receive) for _ in range(2)] == [Wake(), Stop(2.0)]
        service.close()
        assert await asyncio.to_thread(worker.receive) is None

    asyncio.run(run())
