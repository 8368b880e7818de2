"""Syslog over TLS (RFC 5425), TCP (RFC 6587) and UDP (RFC 5426): messages to the sources that the settings name."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, Final

from sentinel.core.errors import RefusedToStartError
from streams.faults import report
from streams.listeners.document import Rule, Syslog
from streams.listeners.framing import Framer, Message
from streams.listeners.receiving import Received, Receiver
from streams.listeners.syslog_header import Header, read_header

PIECE_BYTES: Final = 128 << 10
HANDSHAKE_SECONDS: Final = 10.0
STOP_SECONDS: Final = 5.0
QUIET_SECONDS: Final = 0.1  # on the way out: what has arrived is read until nothing comes for so long
DATAGRAM_BYTES_MAX: Final = 65_535
DATAGRAMS_MAX: Final = 1_000  # taken at once
DATAGRAM_BUFFER_BYTES: Final = 8 << 20
RXQ_OVFL: Final = 40  # Linux' SO_RXQ_OVFL: how many datagrams the kernel dropped, told beside the next one
UNMATCHED: Final = "unmatched"
REFUSED: Final = "sender-refused"
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
    """What both kinds of ports do with messages and senders."""

    def __init__(self, settings: Syslog, receiver: Receiver) -> None:
        self._settings, self._receiver, self._routes = settings, receiver, Routes(settings)

    async def take(self, messages: Sequence[Message]) -> None:
        """Return once all are durable."""
        records = [record for message in messages if (record := self._routes.of(message)) is not None]
        if len(records) < len(messages):
            self._receiver.count(self._settings.name, UNMATCHED, len(messages) - len(records))
        await self._receiver.take(self._settings.name, records)

    def admits(self, address: str) -> bool:
        """Tell whether a sender may come from there."""
        networks = self._settings.networks
        is_admitted = not networks or _is_within(address, networks)
        if not is_admitted:
            self.refused()
        return is_admitted

    def refused(self) -> None:
        """Count a sender that may not come."""
        self._receiver.count(self._settings.name, REFUSED)

    def lost(self, datagrams: int) -> None:
        """Count what the kernel dropped."""
        self._receiver.count(self._settings.name, LOST, datagrams)


class StreamListener:
    """A port for TLS or TCP. While there is no room nothing more is read: senders wait, and keep what they could not send."""

    def __init__(self, settings: Syslog, receiver: Receiver) -> None:
        """Take the port.

        Raises:
            RefusedToStartError: the port or a certificate cannot be had.
        """
        self._settings, self._inlet = settings, _Inlet(settings, receiver)
        self._tls = _tls(settings) if settings.transport == "tls" else None
        self._socket = _bound(settings, socket.SOCK_STREAM)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Let senders in."""
        self._server = await asyncio.start_server(
            self._serve,
            sock=self._socket,
            ssl=self._tls,
            limit=PIECE_BYTES // 2,  # half of what the reader may hold
            ssl_handshake_timeout=HANDSHAKE_SECONDS if self._tls else None,
        )

    async def stop(self) -> None:
        """Let nobody in, take what has arrived, and close."""
        if self._server is None:
            self._socket.close()
        else:
            self._server.close()
        self._stopping.set()
        if self._open:
            _, late = await asyncio.wait(self._open, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)  # so that nobody writes to a log that is closed

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            if self._is_admitted(writer):
                await self._receive(reader)
        except (OSError, EOFError, asyncio.CancelledError):  # the sender went, or took too long when we stop
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, its message may quote a record
            report("syslog-failed", error, listener=self._settings.name)
        finally:
            self._open.remove(task)
            writer.close()

    def _is_admitted(self, writer: asyncio.StreamWriter) -> bool:
        if len(self._open) > self._settings.connections_max:
            self._inlet.refused()
            return False
        _find_out_when_gone(writer.get_extra_info("socket"))
        sender = writer.get_extra_info("peername")  # None: gone already
        if not (sender and self._inlet.admits(sender[0])):
            return False
        is_known = not self._settings.clients or bool(_names(writer) & {_spelt(name) for name in self._settings.clients})
        if not is_known:
            self._inlet.refused()
        return is_known

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        framer = Framer(self._settings.framing, self._settings.message_bytes_max)
        while not framer.is_broken and (piece := await self._read(reader)):
            await self._inlet.take(framer.feed(piece))
        await self._inlet.take(framer.end())
        if framer.is_broken:
            report("syslog-not-framed", listener=self._settings.name)

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        """Return what comes next; nothing at the end, or when we are stopping and no more has arrived."""
        reading, stopping = asyncio.ensure_future(reader.read(PIECE_BYTES)), asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                await asyncio.wait({reading}, timeout=QUIET_SECONDS)
            return reading.result() if reading.done() else b""
        finally:
            reading.cancel()
            stopping.cancel()


class DatagramListener:
    """A port for UDP, which may lose: on the way, and here while there is no room. What is lost here is counted."""

    def __init__(self, settings: Syslog, receiver: Receiver) -> None:
        """Take the port.

        Raises:
            RefusedToStartError: the port cannot be had.
        """
        self._settings, self._inlet = settings, _Inlet(settings, receiver)
        self._socket = _bound(settings, socket.SOCK_DGRAM)
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
            if raw.strip(b"\r\n\0") and self._inlet.admits(sender[0]):
                bytes_max = self._settings.message_bytes_max
                messages.append(Message(raw[:bytes_max].rstrip(b"\r\n\0"), is_cut=len(raw) > bytes_max))
        return messages

    def _count_lost(self, told: Sequence[tuple[int, int, bytes]]) -> None:
        for _, kind, value in told:
            if kind == RXQ_OVFL:
                total = int.from_bytes(value[:4], "little")
                self._inlet.lost((total - self._lost) & 0xFFFFFFFF)
                self._lost = total


def _find_out_when_gone(sock: socket.socket) -> None:
    """Let a connection whose sender vanished break after two minutes, rather than stay open for hours."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 6)):
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


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


def _bound(settings: Syslog, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(kind is socket.SOCK_STREAM))
    try:
        sock.bind((settings.host, settings.port))
    except OSError:
        sock.close()
        raise RefusedToStartError(f"listeners: {settings.name}: cannot listen on {settings.host}, {settings.port}") from None
    return sock


def _tls(settings: Syslog) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 9662
    try:
        context.load_cert_chain(str(settings.certificate_file), str(settings.key_file))
        if settings.client_ca_file is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(settings.client_ca_file)
    except (OSError, ssl.SSLError) as error:
        raise RefusedToStartError(f"listeners: {settings.name}: certificates: {type(error).__name__}") from None
    return context


def _names(writer: asyncio.StreamWriter) -> set[str]:
    """Return what a sender's certificate calls it: its names, and its fingerprint."""
    told = writer.get_extra_info("peercert") or {}
    names = {value for kind, value in told.get("subjectAltName", ()) if kind in {"DNS", "URI", "email", "IP Address"}}
    names |= {value for part in told.get("subject", ()) for kind, value in part if kind == "commonName"}
    raw = writer.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
    return {_spelt(name) for name in names} | {f"sha-256:{hashlib.sha256(raw).hexdigest()}"}


def _spelt(name: str) -> str:
    """Return a name as names are compared: fingerprints may be written with colons (RFC 5425, 4.2.2)."""
    lower = name.lower()
    return "sha-256:" + lower.removeprefix("sha-256:").replace(":", "") if lower.startswith("sha-256:") else lower


def _is_within(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in network for network in networks)
