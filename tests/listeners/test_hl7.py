"""HL7 v2 over MLLP: answered once it is durable, told apart what can be read and what not, never with content."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from zoneinfo import ZoneInfo

from streams.context.fhir import decode
from streams.dead_letters import redrive
from streams.listeners.document import Hl7
from streams.listeners.feeding import ContextFeed
from streams.listeners.hl7 import UNFRAMED, Hl7Inbox, Hl7Listener
from streams.listeners.mllp_framing import Blocks, framed
from streams.listeners.port import REFUSED
from tests.context.hl7.speaking import PID, adt, pv1, siu, zbe
from tests.kafka.certificates import Authority
from tests.listeners.listening import Kept, free_port
from tests.web.api_parts import FixedClock

PARIS = ZoneInfo("Europe/Paris")
SECRET = "Zorglub"


@asynccontextmanager
async def listening(kept: Kept, **told: Any) -> AsyncIterator[Hl7]:
    """Run a listener on a log."""
    settings = Hl7.model_validate({"name": "pam", "transport": "tcp", "port": free_port()} | told)
    feed = ContextFeed("t", decode, kept.intake, FixedClock().now_us, kept.counts)
    made = Hl7Listener(settings, Hl7Inbox(feed, kept.marks), feed, PARIS)
    await made.start()
    try:
        yield settings
    finally:
        await made.stop()


async def asked(settings: Hl7, *pieces: bytes, answers: int, tls: ssl.SSLContext | None = None) -> list[list[list[str]]]:
    """Send, and return the answers: segments of fields."""
    reader, writer = await asyncio.open_connection("127.0.0.1", settings.port, ssl=tls)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    blocks, found = Blocks(10**6), []
    async with asyncio.timeout(20):
        while len(found) < answers and (piece := await reader.read(10**6)):
            found += blocks.feed(piece)
    writer.close()
    return [[segment.split("|") for segment in one.decode("latin-1").strip("\r").split("\r")] for one in found]


def stands(kept: Kept) -> dict[str, dict]:
    """Return each resource as it was told last."""
    told = [json.loads(record.raw) for record in kept.records()]
    return {f"{one['resourceType']}/{one['id']}": one for one in told}


def test_answers(kept: Kept) -> None:
    """Taken, rejected, in error, by version and mode; the place and the code, never the content."""

    async def run() -> None:
        async with listening(kept) as port:
            good = adt("A01", PID, pv1("URG"))
            told = await asked(port, framed(good), answers=1)
            assert told[0][1] == ["MSA", "AA", "A01-20240301091200"]
            assert told[0][0][2:6] == ["S", "CHU", "DPI", "CHU"]
            assert told[0][0][8] == "ACK^A01^ACK"
            assert kept.records(), "answered, so durable"
            bad = [
                adt("A01", PID.replace("19511121", SECRET), pv1("URG")),
                adt("A01", pv1("URG")),
                adt("A01", PID.removesuffix("A7"), pv1(visit="")),
                adt("R01", f9="ORU^R01"),
                adt("Q99", PID),
                adt("A01", PID, pv1("URG"), f11="T"),
                adt("A01", PID, pv1("URG"), f12="9.9"),
                adt("A01", PID, pv1("URG"), f18="8859/99"),
                SECRET.encode(),
            ]
            told = await asked(port, *map(framed, bad), answers=len(bad))
            assert [(one[1][1], one[2][2], one[2][3].split("^")[0]) for one in told] == [
                ("AE", "PID^1^7", "102"),
                ("AE", "PID^1", "101"),
                ("AE", "PV1^1^19", "101"),
                ("AR", "MSH^1^9", "200"),
                ("AR", "MSH^1^9^2", "201"),
                ("AR", "MSH^1^11", "202"),
                ("AR", "MSH^1^12", "203"),
                ("AE", "MSH^1^18", "103"),
                ("AE", "", "100"),
            ]
            assert SECRET not in str(told)
            assert len(kept.letters()) == len(bad)
            (old,) = await asked(port, framed(adt("A01", pv1("URG"), f12="2.3")), answers=1)
            assert old[0][8] == "ACK"
            assert old[2] == ["ERR", "PID^1^^101&Required field missing&HL70357"]
            enhanced = [adt("A08", PID, pv1("URG"), f15="AL", f16="NE"), adt("A08", pv1(), f15="AL", f16="AL")]
            told = await asked(port, *map(framed, enhanced), answers=3)
            assert [one[1][1] for one in told] == ["CA", "CE", "AE"]

    asyncio.run(run())


def test_what_was_refused_waits_for_its_sender(kept: Kept) -> None:
    """Kept for people to see, it cannot be driven again: what came after it may hang on it."""

    async def run() -> None:
        async with listening(kept) as port:
            await asked(port, framed(adt("A01", pv1("URG"))), answers=1)

    asyncio.run(run())
    before = len(kept.records())
    redriven = redrive(kept.letters(), kept.dead, kept.log, {}, decode)
    assert (redriven.moved, redriven.refused, len(kept.records())) == (0, 1, before)


def test_several_in_a_piece_batches_and_what_is_no_message(kept: Kept) -> None:
    """One connection, any framing of messages: all are answered in order, a batch by a batch."""

    async def run() -> None:
        async with listening(kept) as port:
            batch = (
                b"FHS|^~\\&\rBHS|^~\\&\r" + adt("A02", PID, pv1("CARDIO"), at="20240301154000") + adt("A99") + b"BTS|2\rFTS|1\r"
            )
            stream = b"noise" + framed(adt("A01", PID, pv1("URG"))) + b"\x0bMSH|cut" + framed(batch)
            told = await asked(port, stream[:50], stream[50:], answers=2)
            assert told[0][1][:2] == ["MSA", "AA"]
            assert [one[:2] for one in told[1] if one[0] in ("BHS", "MSA", "BTS")] == [
                ["BHS", "^~\\&"],
                ["MSA", "AA"],
                ["MSA", "AR"],
                ["BTS", "2"],
            ]
        assert kept.counts["pam", "", UNFRAMED] == 2
        assert [one["location"]["identifier"]["value"] for one in stands(kept)["Encounter/V1"]["location"]] == ["URG", "CARDIO"]

    asyncio.run(run())


def test_what_was_told_outlives_the_service(kept: Kept) -> None:
    """A transfer after a restart finds the stay, one sent again changes nothing, corrections replace what they correct."""

    async def run() -> None:
        for raw in (
            adt("A01", PID, pv1("URG"), zbe("1", "20240301091200")),
            adt("A02", PID, pv1("REA"), zbe("2", "20240302091200")),
            adt("A02", PID, pv1("REA"), zbe("2", "20240302091200")),
            adt("A12", PID, pv1("URG"), zbe("2", "20240302091200", "CANCEL", "A02")),
            siu("S12", "SCH||R1|||||||30|MIN|^^^20240402140000", PID, "AIP|1||D1^Duval"),
            siu("S15", "SCH||R1", PID),
        ):
            async with listening(kept) as port:
                assert (await asked(port, framed(raw), answers=1))[0][1][1] == "AA"
        now = stands(kept)
        assert [one["location"]["identifier"]["value"] for one in now["Encounter/V1"]["location"]] == ["URG"]
        assert now["Appointment/R1"]["status"] == "cancelled"
        assert len([one for one in kept.records() if b'"Patient"' in one.raw[:40]]) <= 1

    asyncio.run(run())


def test_tls_with_certificates(kept: Kept, authorities: Callable[[str], Authority]) -> None:
    """Only who has a certificate that is named gets in."""
    ours = authorities("hl7")
    server, good, other = ours.sign("broker", "here"), ours.sign("client", "pam.example"), ours.sign("client", "else.example")
    told = {
        "transport": "tls",
        "certificate_file": server.certificate,
        "key_file": server.key,
        "client_ca_file": ours.file,
        "clients": ["pam.example"],
    }

    def client(signed: Any) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(ours.file))
        context.check_hostname = False
        context.load_cert_chain(signed.certificate, signed.key)
        return context

    async def run() -> None:
        async with listening(kept, **told) as port:
            assert len(await asked(port, framed(adt("A28", PID)), answers=1, tls=client(good))) == 1
            assert await asked(port, framed(adt("A28", PID)), answers=1, tls=client(other)) == []
        assert kept.counts["pam", "", REFUSED] == 1

    asyncio.run(run())
