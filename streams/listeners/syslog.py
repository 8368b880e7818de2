"""Syslog over TLS (RFC 5425), TCP (RFC 6587) and UDP (RFC 5426): messages to the sources that the settings name."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Any, Final

from streams.faults import report
from streams.listeners.document import Rule, Syslog
from streams.listeners.framing import Framer, Message
from streams.listeners.port import STOP_SECONDS, Door, StreamPort, bound
from streams.listeners.receiving import Received, Receiver
from streams.listeners.syslog_header import Header, read_header

DATAGRAM_BYTES_MAX: Final = 65_535
DATAGRAMS_MAX: Final = 1_000  # taken at once
DATAGRAM_BUFFER_BYTES: Final = 8 << 20
RXQ_OVFL: Final = 40  # Linux' SO_RXQ_OVFL: how many datagrams the kernel dropped, told beside the next one
UNMATCHED: Final = "unmatched"
LOST: Final = "lost"


class Routes:
    """Says which source reads a message."""

    def __init__(self, settings: Syslog) -> None:
        default = [Rule(source=settings.source, whole=settings.whole)] if settings.source else []
        self._rules = [*settings.rules, *default]

    def of(self, message: Message) -> Received | None:
        """Return the record for the source that reads a message; None: nobody does."""
        header = read_header(message.raw)
        rule = next((rule for rule in self._rules if _matches(rule, header)), None)
        return None if rule is None else Received(rule.source, message.raw if rule.whole else header.body, message.is_cut)


def _matches(rule: Rule, header: Header) -> bool:
    told = ((header.app_name, rule.app_name), (header.msgid, rule.msgid), (header.host, rule.host))
    return all(pattern == "*" or fnmatchcase(name, pattern) for name, pattern in told)


class _Inlet:
    """What both kinds of ports do with messages."""

    def __init__(self, settings: Syslog, receiver: Receiver) -> None:
        self._settings, self._receiver, self._routes = settings, receiver, Routes(settings)
        self.door = Door(settings, receiver)

    async def take(self, messages: Sequence[Message]) -> None:
        """Return once all are durable."""
        records = [record for message in messages if (record := self._routes.of(message)) is not None]
        if len(records) < len(messages):
            self._receiver.count(self._settings.name, UNMATCHED, len(messages) - len(records))
        await self._receiver.take(self._settings.name, records)

    def lost(self, datagrams: int) -> None:
        """Count what the kernel dropped."""
        self._receiver.count(self._settings.name, LOST, datagrams)


class StreamListener(StreamPort):
    """A port for TLS or TCP. While there is no room nothing more is read: senders wait, and keep what they could not send."""

    def __init__(self, settings: Syslog, receiver: Receiver) -> None:
        """Take the port.

        Raises:
            RefusedToStartError: the port or a certificate cannot be had.
        """
        super().__init__(settings, receiver)
        self._syslog, self._inlet = settings, _Inlet(settings, receiver)

    async def converse(self, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        """Take what one sender sends."""
        framer = Framer(self._syslog.framing, self._syslog.message_bytes_max)
        while not framer.is_broken and (piece := await self.read(reader)):
            await self._inlet.take(framer.feed(piece))
        await self._inlet.take(framer.end())
        if framer.is_broken:
            report("syslog-not-framed", listener=self._syslog.name)


class DatagramListener:
    """A port for UDP, which may lose: on the way, and here while there is no room. What is lost here is counted."""

    def __init__(self, settings: Syslog, receiver: Receiver) -> None:
        """Take the port.

        Raises:
            RefusedToStartError: the port cannot be had.
        """
        self._settings, self._inlet = settings, _Inlet(settings, receiver)
        self._socket = bound(settings, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, DATAGRAM_BUFFER_BYTES)
        self._socket.setsockopt(socket.SOL_SOCKET, RXQ_OVFL, 1)
        self._lost = 0
        self._task: asyncio.Task[None] | None = None
        self._taking: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop reading, take what has arrived, and close."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                if self._taking is not None:
                    await self._taking
                while messages := self._arrived():
                    await self._keep(messages)
        self._socket.close()

    async def _run(self) -> None:
        while True:
            await _readable(self._socket)
            self._taking = asyncio.ensure_future(self._keep(self._arrived()))
            await asyncio.shield(self._taking)  # what was read is kept, even when we stop meanwhile

    async def _keep(self, messages: Sequence[Message]) -> None:
        try:
            await self._inlet.take(messages)
        except Exception as error:  # noqa: BLE001 - whatever it is, its message may quote a record
            report("syslog-failed", error, listener=self._settings.name)

    def _arrived(self) -> list[Message]:
        messages = []
        for _ in range(DATAGRAMS_MAX):
            try:
                raw, told, _, sender = self._socket.recvmsg(DATAGRAM_BYTES_MAX, socket.CMSG_SPACE(4))
            except OSError:
                break
            self._count_lost(told)
            if raw.strip(b"\r\n\0") and self._inlet.door.admits(sender[0]):
                bytes_max = self._settings.message_bytes_max
                messages.append(Message(raw[:bytes_max].rstrip(b"\r\n\0"), is_cut=len(raw) > bytes_max))
        return messages

    def _count_lost(self, told: Sequence[tuple[int, int, bytes]]) -> None:
        for _, kind, value in told:
            if kind == RXQ_OVFL:
                total = int.from_bytes(value[:4], "little")
                self._inlet.lost((total - self._lost) & 0xFFFFFFFF)
                self._lost = total


async def _readable(sock: socket.socket) -> None:
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sock, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(sock)


def listener(settings: Syslog, receiver: Receiver) -> StreamListener | DatagramListener:
    """Return the listener of one port.

    Raises:
        RefusedToStartError: the port or a certificate cannot be had.
    """
    make: Callable[[Syslog, Receiver], Any] = DatagramListener if settings.transport == "udp" else StreamListener
    made: StreamListener | DatagramListener = make(settings, receiver)
    return made
