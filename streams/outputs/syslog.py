"""Syslog over TLS or TCP: one message an alert, its length told before it (RFC 5424, RFC 5425, RFC 6587 3.4.1)."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Annotated, Final

import msgspec
from pydantic import Field, model_validator

from sentinel.core.alert import Severity, rfc3339
from streams.outputs.contract import NotTakenError, Output, Section, Telling, Tools, Trouble, format_of
from streams.outputs.trust import Trust

SEVERITIES: Final = {Severity.LOW: 5, Severity.MEDIUM: 4, Severity.HIGH: 3, Severity.CRITICAL: 2}  # RFC 5424, table 2
CLOSE_SECONDS: Final = 2.0  # for the receiver to close its side, once it has read all
READ_BYTES: Final = 65_536
Name = Annotated[str, Field(min_length=1, max_length=48, pattern=r"^[!-~]+$")]


class SyslogSection(Section, Trust):
    """Settings of a syslog receiver."""

    host: str = Field(min_length=1, description="the receiver's name or address")
    port: int = Field(6514, ge=1, le=65_535, description="its port")
    tls: bool = Field(default=True, description="whether over TLS")
    allow_plain: bool = Field(default=False, description="whether `tls: false` will do: what is told can be read on the way")
    format: str = Field("cef", description="what the message looks like")
    facility: int = Field(13, ge=0, le=23, description="syslog's facility; 13: log audit")
    hostname: Name = Field("sentinel", description="syslog's HOSTNAME")
    app_name: Name = Field("sentinel", description="syslog's APP-NAME")

    @model_validator(mode="after")
    def _is_secret(self) -> SyslogSection:
        if not self.tls and not self.allow_plain:
            raise ValueError("tls: false needs allow_plain: true")
        return self


class SyslogSender:
    """Sends each alert over a connection of its own, and closes it.

    Syslog has no acknowledgement: what is written is in the sender's memory, and is gone when the connection breaks. A
    receiver that closes its side after ours has read all before; one that resets the connection has not. So a message
    counts as taken when the receiver closes in order, or leaves the connection as it is for a while.
    """

    def __init__(self, section: SyslogSection, tools: Tools) -> None:
        self._section, self._format = section, format_of(section.format, tools)
        self._context = section.context() if section.tls else None

    async def tell(self, telling: Telling) -> None:
        """See `Sender`."""
        await asyncio.to_thread(self._send, framed(self._section, telling, self._text(telling)))

    async def close(self) -> None:
        """See `Sender`: nothing is kept open."""

    def _text(self, telling: Telling) -> str:
        told = self._format.render(telling)
        return told if isinstance(told, str) else msgspec.json.encode(told).decode()

    def _send(self, frame: bytes) -> None:
        section = self._section
        try:
            with socket.create_connection((section.host, section.port), section.timeout_seconds) as to:
                if self._context is None:
                    _send_plain(to, frame)
                else:
                    _send_secret(to, frame, self._context, section.host)
        except ssl.SSLCertVerificationError:
            raise NotTakenError(Trouble.CERTIFICATE) from None
        except TimeoutError:
            raise NotTakenError(Trouble.TIMEOUT) from None
        except OSError:  # refused, reset, no such name, what TLS did not like
            raise NotTakenError(Trouble.UNREACHABLE) from None


def framed(section: SyslogSection, telling: Telling, text: str) -> bytes:
    """Return the message behind its length in octets. Its time is when the story was last seen, in milliseconds."""
    priority = section.facility * 8 + SEVERITIES[telling.alert.severity]
    moment = rfc3339(telling.alert.last_seen)[:19]
    milliseconds = telling.alert.last_seen // 1_000 % 1_000
    head = f"<{priority}>1 {moment}.{milliseconds:03}Z {section.hostname} {section.app_name} - alert - "
    message = (head + text).encode()
    return f"{len(message)} ".encode() + message


def _send_plain(to: socket.socket, frame: bytes) -> None:
    """Send, say that no more comes, and wait for the receiver to close; raise `OSError` when it breaks off instead."""
    to.sendall(frame)
    to.shutdown(socket.SHUT_WR)
    while _received(to):
        pass


def _send_secret(to: socket.socket, frame: bytes, context: ssl.SSLContext, host: str) -> None:
    """Do the same over TLS, where the end is a message of its own, and the receiver's answer to our certificate may be late.

    With TLS 1.3 that answer comes after what we have sent (RFC 8446, 4.4.2). OpenSSL's own shutdown takes a refusal for an
    end in order, so ours is said first, unseen by what comes, and then what comes is read.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secure = context.wrap_bio(incoming, outgoing, server_hostname=host)
    while not _is_done(secure.do_handshake):
        to.sendall(outgoing.read())
        incoming.write(to.recv(READ_BYTES) or _ended())
    secure.write(frame)
    _is_done(secure.unwrap)
    to.sendall(outgoing.read())
    while not _is_over(secure) and (data := _received(to)):
        incoming.write(data)


def _is_done(step: Callable[[], object]) -> bool:
    """Take a step of TLS; False: it needs to read more."""
    try:
        step()
    except ssl.SSLWantReadError:
        return False
    return True


def _is_over(secure: ssl.SSLObject) -> bool:
    """Read what came; True: the receiver has ended in order. Raises `ssl.SSLError` when it refused us."""
    try:
        while secure.read(READ_BYTES):
            pass
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLZeroReturnError:
        return True
    return True


def _received(to: socket.socket) -> bytes:
    """Return what comes; empty when the receiver closes, or leaves the connection as it is for a while."""
    to.settimeout(CLOSE_SECONDS)
    try:
        return to.recv(READ_BYTES)
    except TimeoutError:
        return b""


def _ended() -> bytes:
    raise ConnectionResetError


def _open(section: Section, tools: Tools) -> SyslogSender:
    assert isinstance(section, SyslogSection)
    return SyslogSender(section, tools)


OUTPUT: Final = Output("syslog", "Syslog over TLS or TCP: CEF, LEEF or any of the formats", SyslogSection, _open)
