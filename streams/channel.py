"""How the service's two processes talk: framed messages over a socket pair that only they hold."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from typing import Any, Final

import msgspec

_LENGTH: Final = struct.Struct(">I")


class Ask(msgspec.Struct, tag=True):
    """To the worker: one of the store's questions. The answer bears the same `id`."""

    id: int
    question: str
    args: list[Any]
    kwargs: dict[str, Any]


class Wake(msgspec.Struct, tag=True):
    """To the worker: there is more in the log."""


class Stop(msgspec.Struct, tag=True):
    """To the worker: process what is in the log, for at most so many seconds, then checkpoint and end."""

    seconds: float


class Ready(msgspec.Struct, tag=True):
    """From the worker: the store is open and the state restored; questions are answered."""


class Refused(msgspec.Struct, tag=True):
    """From the worker: it cannot run as configured; the message is for the operator."""

    message: str


class Progress(msgspec.Struct, tag=True):
    """From the worker: how far it is in the log, and how much it did since its start.

    `is_failing`: the store refuses what is written. `wrote_alerts`: some became readable since the last time.
    """

    position: int
    events: int
    duplicates: int
    alerts: int
    rejected: int
    is_failing: bool
    wrote_alerts: bool


class Checkpointed(msgspec.Struct, tag=True):
    """From the worker: the log up to `oldest` is behind every checkpoint that may be restored."""

    oldest: int


class Answered(msgspec.Struct, tag=True):
    """From the worker: an answer; `error` empty, `argument` (a cursor that is none) or `failed`."""

    id: int
    answer: Any = None
    error: str = ""


ToWorker = Ask | Wake | Stop
FromWorker = Ready | Refused | Progress | Checkpointed | Answered

_to_worker: Final[msgspec.msgpack.Decoder[ToWorker]] = msgspec.msgpack.Decoder(ToWorker)
_from_worker: Final[msgspec.msgpack.Decoder[FromWorker]] = msgspec.msgpack.Decoder(FromWorker)


class WorkerEnd:
    """The worker's end: blocking; any thread may send, one receives."""

    def __init__(self, pipe: socket.socket) -> None:
        self._pipe = pipe
        self._file = pipe.makefile("rb")
        self._sending = threading.Lock()

    def send(self, message: FromWorker) -> None:
        """Send, waiting until the message is taken over."""
        frame = _framed(message)
        with self._sending:
            self._pipe.sendall(frame)

    def receive(self) -> ToWorker | None:
        """Return the next message; None when the other process is gone."""
        body = self.receive_order()
        return _to_worker.decode(body) if body else None

    def receive_order(self) -> bytes:
        """Return the next frame as it is, which the first one is; empty when the other process is gone."""
        head = self._file.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            return b""
        (length,) = _LENGTH.unpack(head)
        body = self._file.read(length)
        return body if len(body) == length else b""


class ServiceEnd:
    """The service's end: asyncio."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, pipe: socket.socket) -> ServiceEnd:
        """Take over one socket of the pair."""
        pipe.setblocking(False)
        return cls(*await asyncio.open_unix_connection(sock=pipe))

    def send(self, message: ToWorker) -> None:
        """Send without waiting; nothing happens when the worker is gone."""
        if not self._writer.is_closing():
            self._writer.write(_framed(message))

    async def receive(self) -> FromWorker | None:
        """Return the next message; None when the worker is gone."""
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            return _from_worker.decode(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    def close(self) -> None:
        """Close the socket: the worker takes it as this process's end."""
        self._writer.close()


def _framed(message: msgspec.Struct) -> bytes:
    return framed(msgspec.msgpack.encode(message))


def framed(body: bytes) -> bytes:
    """Return `body` behind its length."""
    return _LENGTH.pack(len(body)) + body
