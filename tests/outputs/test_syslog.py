"""Syslog: framed to the letter, over TLS, and known to be read before it counts as told."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel.core.alert import Severity
from streams.outputs import syslog
from streams.outputs.syslog import OUTPUT, SyslogSection, framed
from tests.outputs.receiving import a_telling, an_alert
from tests.outputs.telling_once import FORMATS, refuse, tell

PLAIN = {"host": "127.0.0.1", "tls": False, "allow_plain": True}


@dataclass
class Listener:
    """A receiver on this machine: what each connection sent, and how it is ended (`close`, `reset`, `hang`)."""

    port: int
    ends: list[str]
    got: list[bytes] = field(default_factory=list)
    held: list[socket.socket] = field(default_factory=list)

    def take(self, connection: socket.socket) -> None:
        """Read all there is, then end as bidden."""
        end = self.ends.pop(0) if self.ends else "close"
        if end == "reset":  # with what was sent unread
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            return
        data = b""
        while end != "hang" or not data:
            part = connection.recv(65_536)
            data += part
            if not part:
                break
        self.got.append(data)
        if end == "hang":
            self.held.append(connection)
            return
        if isinstance(connection, ssl.SSLSocket):
            connection.unwrap()
        connection.close()


@contextmanager
def listener(*ends: str, context: ssl.SSLContext | None = None) -> Iterator[Listener]:
    """Run one, over TLS with a context."""
    server = socket.create_server(("127.0.0.1", 0))
    kept = Listener(server.getsockname()[1], list(ends))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            try:
                kept.take(context.wrap_socket(connection, server_side=True) if context else connection)
            except OSError:
                connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield kept
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()
    for connection in kept.held:
        connection.close()


def test_a_message_has_its_length_before_it():
    """RFC 5424 behind RFC 6587's octet count; the time has three digits, as QRadar wants it."""
    with listener() as soc:
        tell(OUTPUT, port=soc.port, **PLAIN)
        tell(
            OUTPUT, a_telling(an_alert(severity=Severity.CRITICAL, actor="é")), port=soc.port, format="leef", facility=4, **PLAIN
        )
    first, second = soc.got
    length, _, message = first.partition(b" ")
    assert int(length) == len(message)
    assert message.startswith(b"<107>1 2026-02-25T07:13:20.123Z sentinel sentinel - alert - CEF:0|Sentinel|")
    length, _, message = second.partition(b" ")
    assert int(length) == len(message)
    assert message.startswith(b"<34>1 2026-02-25T07:13:20.123Z sentinel sentinel - alert - LEEF:2.0|")
    assert "usrName=é".encode() in message


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), st.sampled_from(sorted(FORMATS)))
def test_a_receiver_finds_where_a_message_ends(actor, name):
    """Whatever stands in it: the count is of octets, not characters."""
    section = SyslogSection.model_validate({"name": "soc", "port": 1, **PLAIN})
    told = FORMATS[name].render(a_telling(an_alert(actor=actor)))
    stream = framed(section, a_telling(), str(told)) + framed(section, a_telling(), "second")
    found = []
    while stream:
        length, _, rest = stream.partition(b" ")
        found.append(rest[: int(length)])
        stream = rest[int(length) :]
    assert len(found) == 2
    assert re.match(rb"<\d{1,3}>1 ", found[1])
    assert found[0].decode().endswith(str(told))


def test_a_reset_is_no_telling(monkeypatch):
    """What was written and not read is tried again; who reads and never closes has read."""
    monkeypatch.setattr(syslog, "CLOSE_SECONDS", 0.2)
    with listener("reset", "hang", "close") as soc:
        assert refuse(OUTPUT, port=soc.port, **PLAIN).code == "unreachable"
        tell(OUTPUT, port=soc.port, **PLAIN)
        tell(OUTPUT, port=soc.port, **PLAIN)
        assert len(soc.got) == 2
    assert refuse(OUTPUT, port=soc.port, **PLAIN).code == "unreachable"


@pytest.fixture
def authority(tmp_path):
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    ours = ca.issue_cert("sentinel.example")
    ours.cert_chain_pems[0].write_to_path(tmp_path / "ours.pem")
    ours.private_key_pem.write_to_path(tmp_path / "ours.key")
    return ca


def server_context(ca: trustme.CA, *names: str, **told) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names).configure_cert(context)
    for name, value in told.items():
        setattr(context, name, value)
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_over_tls_each_knows_the_other(authority, tmp_path, monkeypatch, version):
    """The receiver's certificate and name are checked; ours is shown where it is asked for, and missing it is no telling."""
    monkeypatch.setattr(syslog, "CLOSE_SECONDS", 0.5)
    asks = server_context(authority, "localhost", maximum_version=version, verify_mode=ssl.CERT_REQUIRED)
    authority.configure_trust(asks)
    ours = {"certificate_file": tmp_path / "ours.pem", "key_file": tmp_path / "ours.key"}
    with listener("close", "hang", context=asks) as soc:
        place = {"host": "localhost", "port": soc.port, "ca_file": tmp_path / "ca.pem"}
        tell(OUTPUT, **place, **ours)
        tell(OUTPUT, **place, **ours)
        assert refuse(OUTPUT, **place).code == "unreachable"
        assert refuse(OUTPUT, **{**place, "host": "127.0.0.1"}, **ours).code == "certificate"
        assert refuse(OUTPUT, **{**place, "ca_file": None}, **ours).code == "certificate"
        assert len(soc.got) == 2
        assert soc.got[0].endswith(b"cfp1=9.25")


def test_a_receiver_that_speaks_no_tls(monkeypatch):
    """Nothing is told in the clear instead; one that says nothing costs the time that is set."""
    with listener() as soc:
        assert refuse(OUTPUT, host="127.0.0.1", port=soc.port, timeout_seconds=0.5).code in {"unreachable", "timeout"}
        assert not any(b"dr-martin" in got for got in soc.got)


@pytest.mark.parametrize("told", [{"tls": False}, {"hostname": "a b"}, {"facility": 24}, {"host": ""}])
def test_settings_that_cannot_be_used_are_refused(told):
    """TCP in the clear has to be asked for."""
    with pytest.raises(ValidationError):
        SyslogSection.model_validate({"name": "soc", "host": "soc.example", **told})
