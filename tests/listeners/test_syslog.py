"""Syslog as it is sent: over TLS, TCP and UDP, to the source the settings name, and nothing lost for want of room."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sentinel.core.errors import RefusedToStartError
from streams.intake_log import LogBounds
from streams.listeners.document import Syslog
from streams.listeners.syslog import listener
from tests.kafka.certificates import Authority, Signed
from tests.listeners.listening import Kept, event, free_port, ids_of, records_in

ROOT = Path(__file__).parents[2]
AUDIT = (
    b'<AuditMessage><EventIdentification EventDateTime="2026-03-01T10:00:00Z" EventActionCode="R"/>'
    b'<ActiveParticipant UserID="a1"/><AuditSourceIdentification AuditSourceID="pacs"/></AuditMessage>'
)
ATNA = b"<85>1 2026-03-01T10:00:00Z pacs DICOM - IHE+RFC-3881 - \xef\xbb\xbf" + AUDIT
RULES = [{"msgid": "IHE+RFC-388*", "source": "dicom_atna"}, {"app_name": "dpi", "source": "sentinel_json"}]


def counted(raw: bytes) -> bytes:
    return b"%d %b" % (len(raw), raw)


def told(id_: object, app_name: str = "dpi") -> bytes:
    return b"<13>1 - - %b - - - %b" % (app_name.encode(), event(id_))


def settings(transport: str, **changed: Any) -> Syslog:
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    return Syslog.model_validate({"name": "tried", "transport": transport, "port": free_port(kind)} | changed)


@asynccontextmanager
async def listening(kept: Kept, of: Syslog) -> Iterator[Any]:
    """Run a listener."""
    made = listener(of, kept.receiver)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def sent(of: Syslog, data: bytes, tls: ssl.SSLContext | None = None) -> None:
    """Send and close, waiting until the other side has closed too."""
    reader, writer = await asyncio.open_connection("127.0.0.1", of.port, ssl=tls)
    writer.write(data)
    await writer.drain()
    if tls is None:
        writer.write_eof()
        await reader.read()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what holds is in a file
            await asyncio.sleep(0.01)


def test_messages_of_one_connection_go_to_the_sources_that_the_rules_name(kept):
    """Counted and line by line in one stream, in the order they came; what no rule matches is counted."""

    async def run() -> None:
        of = settings("tcp", rules=RULES)
        async with listening(kept, of):
            await sent(of, counted(ATNA) + told("a") + b"\n" + counted(told("b")) + told("c", "cron") + b"\r\n" + told("d"))

    asyncio.run(run())
    assert [record.source for record in kept.records()] == ["dicom_atna", "sentinel_json", "sentinel_json", "sentinel_json"]
    assert kept.records()[0].raw == AUDIT
    assert ids_of(kept.records()[1:]) == ["a", "b", "d"]
    assert kept.counts["tried", "", "unmatched"] == 1
    assert kept.counts["tried", "sentinel_json", "accepted"] == 3


def test_a_message_is_given_with_its_header_when_it_is_asked_for(kept):
    """`whole`: what the source reads holds the header."""

    async def run() -> None:
        of = settings("tcp", source="dicom_atna", whole=True)
        async with listening(kept, of):
            await sent(of, counted(ATNA))

    asyncio.run(run())
    assert [record.raw for record in kept.records()] == [ATNA]


def test_what_cannot_be_read_is_kept_aside(kept):
    """A bad record, and the beginning of one that is longer than is taken; the next one is whole."""

    async def run() -> None:
        of = settings("tcp", source="sentinel_json", message_bytes_max=2_048)
        async with listening(kept, of):
            await sent(of, counted(b"<13>x: SECRET") + counted(b"<13>x: " + b"y" * 5_000) + counted(told("a")))

    asyncio.run(run())
    assert ids_of(kept.records()) == ["a"]
    assert sorted((letter.letter.code, len(letter.letter.record.raw)) for letter in kept.letters()) == [
        ("too-large", 2_048 - len("<13>x: ")),
        ("unparseable", len("SECRET")),
    ]


def server(authorities: Callable[[str], Authority], **changed: Any) -> Syslog:
    """Return settings of a port over TLS that takes what `ours` signed."""
    ours = authorities("ours")
    signed = ours.sign("broker", "server")
    files = {"certificate_file": signed.certificate, "key_file": signed.key, "client_ca_file": ours.file}
    return settings("tls", source="sentinel_json", **files, **changed)


def client(authorities: Callable[[str], Authority], signed: Signed | None) -> ssl.SSLContext:
    """Return what a sender with a certificate speaks TLS with."""
    context = ssl.create_default_context(cafile=str(authorities("ours").file))
    if signed is not None:
        context.load_cert_chain(signed.certificate, signed.key)
    return context


def test_a_large_message_comes_over_tls_from_a_sender_with_a_certificate(kept, authorities):
    """Octets counted, 128 kB of one message, as RFC 5425 has it."""
    large = event("large").replace(b'"read"', b'"read", "reason": "' + b"x" * 900 + b'"') + b" " * 130_000

    async def run() -> None:
        of = server(authorities)
        async with listening(kept, of):
            tls = client(authorities, authorities("ours").sign("client", "dpi.example"))
            await sent(of, counted(b"<13>1 - - dpi - - - " + large) + counted(told("b")), tls)
            await eventually(lambda: len(kept.records()) == 2)

    asyncio.run(run())
    assert kept.records()[0].raw == large
    assert ids_of(kept.records()) == ["large", "b"]


@pytest.mark.parametrize("who", ["nobody", "a stranger", "one not named"])
def test_who_has_no_right_certificate_gets_nothing_in(kept, authorities, who):
    """None at all, one of another authority, one whose name is not among those that may send."""
    signed = {
        "nobody": lambda: None,
        "a stranger": lambda: authorities("theirs").sign("client", "dpi.example"),
        "one not named": lambda: authorities("ours").sign("client", "other.example"),
    }[who]()

    async def run() -> None:
        of = server(authorities, clients=["dpi.example"])
        async with listening(kept, of):
            with contextlib.suppress(OSError):
                await sent(of, counted(told("a")), client(authorities, signed))
            tls = client(authorities, authorities("ours").sign("client", "dpi.example"))
            await sent(of, counted(told("b")), tls)
            await eventually(lambda: bool(kept.records()))

    asyncio.run(run())
    assert ids_of(kept.records()) == ["b"]
    assert kept.counts["tried", "", "sender-refused"] == (who == "one not named")


def test_a_sender_may_be_known_by_its_fingerprint(kept, authorities):
    """As RFC 5425 writes it, with SHA-256."""
    signed = authorities("ours").sign("client", "printed.example")
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(signed.certificate.read_text())).hexdigest().upper()
    fingerprint = "sha-256:" + ":".join(digest[at : at + 2] for at in range(0, 64, 2))

    async def run() -> None:
        of = server(authorities, clients=[fingerprint])
        async with listening(kept, of):
            await sent(of, counted(told("a")), client(authorities, signed))
            await eventually(lambda: bool(kept.records()))

    asyncio.run(run())
    assert ids_of(kept.records()) == ["a"]


def test_datagrams_are_messages(kept):
    """One each, of up to what UDP carries; from elsewhere they are refused."""

    async def run() -> None:
        of = settings("udp", source="sentinel_json", networks=["127.0.0.1/32"])
        async with listening(kept, of):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.bind(("127.0.0.2", 0))
                sender.sendto(told("x"), ("127.0.0.1", of.port))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for n in range(20):
                    sender.sendto(told(n) + b" " * 40_000 * (n == 7) + b"\n", ("127.0.0.1", of.port))
            await eventually(lambda: len(kept.records()) == 20)

    asyncio.run(run())
    assert ids_of(kept.records()) == [str(n) for n in range(20)]
    assert kept.counts["tried", "", "sender-refused"] == 1


def test_datagrams_that_the_kernel_dropped_are_counted(kept):
    """What came faster than it could be taken is lost, and it is said how much."""
    many = 12_000

    async def run() -> None:
        made = listener(settings("udp", source="sentinel_json"), kept.receiver)
        port = made._settings.port
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for n in range(many):  # nobody reads yet
                sender.sendto(told(n) + b" " * 2_000, ("127.0.0.1", port))
            await made.start()
            await eventually(lambda: bool(kept.counts))
            sender.sendto(told("last"), ("127.0.0.1", port))  # what was dropped is told beside the next one that is not
            await eventually(lambda: kept.counts["tried", "", "lost"] > 0)
        await made.stop()

    asyncio.run(run())
    assert kept.counts["tried", "", "lost"] + kept.log.size.records == many + 1


def test_a_full_log_holds_senders_back_and_loses_nothing(tmp_path):
    """No more is read while there is no room; once there is, all comes in order."""
    kept = Kept(tmp_path, LogBounds(records_max=2_000, retry_after_seconds=0))
    many = 30_000

    async def make_room() -> None:
        while kept.log.size.last < many:
            kept.log.trim(kept.log.size.last, 2**60)
            await asyncio.sleep(0.005)

    async def run() -> None:
        of = settings("tcp", source="sentinel_json", rules=[])
        async with listening(kept, of):
            reader, writer = await asyncio.open_connection("127.0.0.1", of.port)
            messages = (counted(told(f"{n:05d}") + b" " * 600) for n in range(many))  # more than sockets hold
            sending = asyncio.ensure_future(_written(writer, messages))
            await eventually(lambda: kept.log.size.records > 1_500)
            assert not sending.done(), "the sender waits"
            room = asyncio.ensure_future(make_room())
            await sending
            await reader.read()
            await room

    asyncio.run(asyncio.wait_for(run(), 120))
    assert kept.counts["tried", "sentinel_json", "accepted"] == many
    assert ids_of(kept.records())[-1] == f"{many - 1:05d}"
    kept.close()


async def _written(writer: asyncio.StreamWriter, messages: Iterator[bytes]) -> None:
    for message in messages:
        writer.write(message)
        await writer.drain()
    writer.write_eof()


def test_stopping_takes_what_has_arrived(kept):
    """A sender that is still connected has its last messages kept."""

    async def run() -> None:
        of = settings("tcp", source="sentinel_json")
        async with listening(kept, of):
            _, writer = await asyncio.open_connection("127.0.0.1", of.port)
            writer.write(b"".join(counted(told(n)) for n in range(2_000)))
            await writer.drain()
            await eventually(lambda: bool(kept.counts))
        writer.close()

    asyncio.run(run())
    assert ids_of(kept.records()) == [str(n) for n in range(2_000)]


def test_a_log_that_takes_nothing_does_not_keep_a_port_from_stopping(kept):
    """The others are stopped after it."""

    async def run() -> None:
        of = settings("udp", source="sentinel_json")
        async with listening(kept, of):
            kept.log.close()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(told("a"), ("127.0.0.1", of.port))

    asyncio.run(run())
    assert kept.counts["tried", "sentinel_json", "accepted"] == 0


PROGRAM = """
import asyncio, sys
from pathlib import Path
from streams.listeners.document import Syslog
from streams.listeners.syslog import listener
from tests.listeners.listening import Kept
async def run():
    kept = Kept(Path(sys.argv[1]))
    await listener(Syslog(name="tried", transport="tcp", port=int(sys.argv[2]), source="sentinel_json"), kept.receiver).start()
    print("ready", flush=True)
    await asyncio.Event().wait()
asyncio.run(run())
"""


def test_a_kill_in_the_middle_leaves_whole_messages_without_gaps(tmp_path):
    """What one connection brought is kept from its beginning on; the syslog protocols tell no sender how far."""
    port = free_port()
    child = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path), str(port)], stdout=subprocess.PIPE, cwd=ROOT)
    try:
        assert child.stdout.readline() == b"ready\n"
        with socket.create_connection(("127.0.0.1", port)) as sender:
            for n in range(3_000):
                sender.sendall(counted(told(n)))
            deadline = time.monotonic() + 20
            while not records_in(tmp_path) and time.monotonic() < deadline:
                time.sleep(0.005)
            child.kill()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    ids = ids_of(records_in(tmp_path))
    assert ids
    assert ids == [str(n) for n in range(len(ids))]


def test_a_port_that_is_taken_is_a_refusal_to_start(kept):
    """By name, so that the operator knows which."""
    of = settings("tcp", source="sentinel_json")
    with socket.socket() as other:
        other.bind(("127.0.0.1", of.port))
        other.listen()
        with pytest.raises(RefusedToStartError, match=f"tried: cannot listen on 127.0.0.1, {of.port}"):
            listener(of, kept.receiver)


@pytest.mark.parametrize(
    "changed",
    [
        {"transport": "tls"},
        {"transport": "tcp", "host": "0.0.0.0"},
        {"transport": "udp", "client_ca_file": "x.pem"},
        {"transport": "tls", "certificate_file": "a", "key_file": "b", "clients": ["x"]},
        {"transport": "tls", "certificate_file": "a", "key_file": "b", "host": "192.0.2.1"},
    ],
)
def test_what_would_leave_a_port_unguarded_is_refused(changed):
    """Beyond this machine a port says whom it takes messages from."""
    with pytest.raises(ValidationError):
        Syslog.model_validate({"name": "tried", "port": 6514, "source": "x"} | changed)


def test_certificates_that_are_not_there_are_a_refusal_to_start(kept, tmp_path):
    """Told without their content."""
    of = settings("tls", certificate_file=tmp_path / "none.pem", key_file=tmp_path / "none.key", source="x")
    with pytest.raises(RefusedToStartError, match="tried: certificates: FileNotFoundError"):
        listener(of, kept.receiver)
