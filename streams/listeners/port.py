"""A port of TCP or TLS that senders connect to: who may come, and a way out that loses nothing that has arrived."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, Protocol

from sentinel.core.errors import RefusedToStartError
from streams.faults import report
from streams.listeners.document import Port

PIECE_BYTES: Final = 128 << 10
HANDSHAKE_SECONDS: Final = 10.0
STOP_SECONDS: Final = 5.0
QUIET_SECONDS: Final = 0.1  # on the way out: what has arrived is read until nothing comes for so long
REFUSED: Final = "sender-refused"


class Counts(Protocol):
    """Counts what no record was made of."""

    def count(self, listener: str, verdict: str, records: int = 1) -> None:
        """Count so many of a verdict."""
        ...


class Door:
    """Says who may come, and counts who may not."""

    def __init__(self, settings: Port, counts: Counts) -> None:
        self._settings, self._counts = settings, counts

    def admits(self, address: str) -> bool:
        """Tell whether a sender may come from there."""
        networks = self._settings.networks
        is_admitted = not networks or _is_within(address, networks)
        if not is_admitted:
            self.refused()
        return is_admitted

    def knows(self, writer: asyncio.StreamWriter) -> bool:
        """Tell whether a sender's certificate is among those named, where any are."""
        clients = self._settings.clients
        is_known = not clients or bool(_names(writer) & {_spelt(name) for name in clients})
        if not is_known:
            self.refused()
        return is_known

    def refused(self) -> None:
        """Count a sender that may not come."""
        self._counts.count(self._settings.name, REFUSED)


class StreamPort(ABC):
    """Serves each connection by `converse`, as many at once as the settings allow."""

    def __init__(self, settings: Port, counts: Counts) -> None:
        """Take the port.

        Raises:
            RefusedToStartError: the port or a certificate cannot be had.
        """
        self._settings, self._door = settings, Door(settings, counts)
        self._tls = _tls(settings) if settings.transport == "tls" else None
        self._socket = bound(settings, socket.SOCK_STREAM)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    @abstractmethod
    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take what one sender sends, until `read` gives nothing more."""

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

    async def read(self, reader: asyncio.StreamReader) -> bytes:
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

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            if self._is_admitted(writer):
                await self.converse(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):  # the sender went, or took too long when we stop
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, its message may quote a record
            report("connection-failed", error, listener=self._settings.name)
        finally:
            self._open.remove(task)
            writer.close()

    def _is_admitted(self, writer: asyncio.StreamWriter) -> bool:
        if len(self._open) > self._settings.connections_max:
            self._door.refused()
            return False
        _find_out_when_gone(writer.get_extra_info("socket"))
        sender = writer.get_extra_info("peername")  # None: gone already
        return bool(sender) and self._door.admits(sender[0]) and self._door.knows(writer)


def _find_out_when_gone(sock: socket.socket) -> None:
    """Let a connection whose sender vanished break after two minutes, rather than stay open for hours."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 6)):
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


def bound(settings: Port, kind: socket.SocketKind) -> socket.socket:
    """Return a socket on a port.

    Raises:
        RefusedToStartError: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(kind is socket.SOCK_STREAM))
    try:
        sock.bind((settings.host, settings.port))
    except OSError:
        sock.close()
        raise RefusedToStartError(f"listeners: {settings.name}: cannot listen on {settings.host}, {settings.port}") from None
    return sock


def _tls(settings: Port) -> ssl.SSLContext:
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
