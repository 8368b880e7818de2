"""Audit messages are read however they were carried and written; what cannot be is refused alone, with its place."""

from __future__ import annotations

import re

import pytest

from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import TEXT_MAX
from streams.sources.dicom_atna import RECORD_BYTES_MAX, SOURCE, split
from tests.sources.atna_messages import (
    HEADER,
    MESSAGES,
    event,
    message,
    participant,
    patient,
    refusal,
    row_of,
    thing,
)

# What is refused


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ("", (Code.UNPARSEABLE, "")),
        ("<AuditMessage>", (Code.UNPARSEABLE, "")),
        (HEADER, (Code.UNPARSEABLE, "")),
        (HEADER + "<AuditMessage", (Code.UNPARSEABLE, "")),
        ("<a/>", (Code.NOT_AN_EVENT, "")),
        ("<AuditMessages/>", (Code.NOT_AN_EVENT, "")),
        ("<AuditMessage/>", (Code.NO_ACTOR, "/ActiveParticipant")),
        (b'<AuditMessage a="\xe9"/>', (Code.NOT_UTF8, "")),
        (message(event(), participant()).encode().replace(b"p-17", b"p\xe9"), (Code.NOT_UTF8, "")),
        (message(event(), participant(), declaration='<?xml version="1.0" encoding="x-none"?>'), (Code.NOT_UTF8, "")),
        (message(event(), participant(), declaration='<?xml version="1.0" encoding="utf-7"?>'), (Code.NOT_UTF8, "")),
        (message(event()), (Code.NO_ACTOR, "/ActiveParticipant")),
        (message(event(), participant("")), (Code.NO_ACTOR, "/ActiveParticipant")),
        (message(event(time=None), participant()), (Code.MISSING_FIELD, "/EventIdentification/EventDateTime")),
        (message(event(time="2025-03-04T10:15:30"), participant()), (Code.BAD_TIME, "/EventIdentification/EventDateTime")),
        (message(event(time="2025-03-04"), participant()), (Code.BAD_TIME, "/EventIdentification/EventDateTime")),
        (message(event(time="0001-01-01T00:00:00Z"), participant()), (Code.BAD_TIME, "/EventIdentification/EventDateTime")),
        (message(event(), participant("x" * (TEXT_MAX + 1))), (Code.BAD_VALUE, "/ActiveParticipant")),
        (message(event(), participant(), patient("x" * (TEXT_MAX + 1))), (Code.BAD_VALUE, "/ParticipantObjectIdentification")),
        (message(event(), participant()).replace("p-17", "p&#1;"), (Code.UNPARSEABLE, "")),
        (message(event(), participant()).replace("p-17", "p&secret;"), (Code.UNPARSEABLE, "")),
        (message(event(), participant()) + "x", (Code.UNPARSEABLE, "/1")),
    ],
)
def test_a_refusal_says_why_and_where(record: str | bytes, why: tuple[Code, str]) -> None:
    """One code out of the bounded set, and a path of elements to the place."""
    assert refusal(record) == why


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(10))


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE AuditMessage>",
        f"<!DOCTYPE AuditMessage [{LAUGHS}]>",
        '<!DOCTYPE AuditMessage SYSTEM "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE AuditMessage [<!ENTITY e SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE AuditMessage [<!ENTITY % e SYSTEM "file:///etc/hostname"> %e;]>',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "cp037"])
def test_a_document_type_is_refused_before_it_is_read(doctype: str, encoding: str) -> None:
    """Entities that expand, files and addresses: nothing of a document type is looked at, in no encoding."""
    text = f'<?xml version="1.0" encoding="{encoding}"?>{doctype}{message(event(), participant("&l9;&e;"), declaration="")}'
    code, _ = refusal(text.replace("&amp;", "&").encode(encoding))
    assert code in (Code.UNPARSEABLE, Code.NOT_UTF8)


def test_a_document_type_is_named_as_the_reason() -> None:
    """An integrator whose sender writes one is told so."""
    (rejection,) = SOURCE.decode(
        [f"<!DOCTYPE AuditMessage>{message(event(), participant(), declaration='')}".encode()]
    ).rejections
    assert rejection.detail == "a document type, of which nothing is read"


def test_a_message_may_be_large_within_bounds() -> None:
    """DICOM wants 32 KiB at least; a MiB is taken, what is longer is refused unread, what is deep is no harm."""
    for length in (40_000, 900_000):
        assert (
            row_of(event(), participant(), thing("1.2.3", inner=f"<Encrypted>{'x' * length}</Encrypted>")).resource_id == "1.2.3"
        )
    assert refusal(message(event(), participant(), "<x/>" * (RECORD_BYTES_MAX // 4))) == (Code.TOO_LARGE, "")
    assert row_of(event(), participant(), "<x>" * 100_000 + "</x>" * 100_000).actor_id == "p-17"


@pytest.mark.parametrize("declared", ["ISO-8859-1", "windows-1252", "us-ascii"])
def test_another_encoding_is_read_as_declared(declared: str) -> None:
    """Older applications write the local one."""
    user = "p-17" if declared == "us-ascii" else "é-17"
    text = message(event(), participant(user), declaration=f'<?xml version="1.0" encoding="{declared}"?>')
    assert [row.actor_id for row in SOURCE.decode([text.encode(declared)]).rows] == [user]


def test_no_rejection_quotes_a_message() -> None:
    """Whatever an attribute, a text or a name says, code, path and detail are ours."""
    for record in MESSAGES:
        for change in (
            lambda text: re.sub(rb'="[^"]*"', b'="SECRET"', text),
            lambda text: re.sub(rb"(EventDateTime|UserID|ParticipantObjectID)=", rb'SECRET="" SECRET-\1=', text),
            lambda text: text.replace(b"</EventIdentification>", b"</SECRET>"),
            lambda text: re.sub(rb'EventDateTime="[^"]*"', b'EventDateTime="SECRET"', text),
        ):
            decoded = SOURCE.decode([change(record)])
            assert decoded.rejections or change(record) == record
            assert "SECRET" not in repr(decoded.rejections)


# How messages come


@pytest.mark.parametrize(
    "header",
    [
        "",
        HEADER,
        HEADER + "\ufeff",
        "\ufeff",
        "\ufeff" + HEADER,
        HEADER.replace(" - ", ' [x@1 a="b"] '),
        f"1234 {HEADER}",
        "<80>Mar  4 10:15:30 pacs-1 dcm[4711]: ",
        "2025-03-04T09:15:30Z pacs-1 dcm 4711 DICOM+RFC3881 - ",
        HEADER + "\n",
        "\r\n ",
    ],
)
@pytest.mark.parametrize("declaration", ["", '<?xml version="1.0" encoding="UTF-8"?>\n', "<?xml version='1.0'?>"])
def test_a_syslog_header_is_no_part_of_a_message(header: str, declaration: str) -> None:
    """RFC 5424, RFC 3164, octet counts, byte order marks, NUL at the end: the message is the same, and so is its id."""
    bare = message(event(), participant(), patient("pat-1"), declaration="")
    (row,) = SOURCE.decode([bare.encode()]).rows
    decoded = SOURCE.decode([f"{header}{declaration}{bare}\n\0".encode()])
    assert (decoded.rows, decoded.rejections) == ([row], [])


def test_a_declaration_inside_a_message_is_no_beginning() -> None:
    """A query may hold XML of its own, declaration and all."""
    held = "<ParticipantObjectQuery><![CDATA[<?xml version='1.0'?><q/>]]></ParticipantObjectQuery>"
    text = HEADER + message(event("110112", "E"), participant(), thing("q", role="24", inner=held), declaration="")
    decoded = SOURCE.decode([text.encode()])
    assert ([row.action for row in decoded.rows], decoded.rejections) == (["search"], [])


@pytest.mark.parametrize("between", ["\n", "", "\r\n\r\n", f"\n{HEADER}", f"\n{HEADER}\n", f"999 {HEADER}"])
@pytest.mark.parametrize("declaration", ["", '<?xml version="1.0" encoding="UTF-8"?>\n'])
def test_a_file_is_cut_into_its_messages(between: str, declaration: str) -> None:
    """One a line, one after the other, over many lines, with headers or without: the same events."""
    messages = [message(event(time=f"2025-03-04T09:15:3{n}Z"), participant(), declaration=declaration) for n in range(3)]
    text = "".join(between.lstrip() + one if not n else between + one.replace("><", ">\n<") for n, one in enumerate(messages))
    decoded = SOURCE.decode(split(text.encode()))
    assert [row.id for row in decoded.rows] == [row.id for one in messages for row in SOURCE.decode([one.encode()]).rows]
    assert decoded.rejections == []
    assert SOURCE.decode([text.encode()]).rows == decoded.rows


def test_what_is_broken_in_a_file_costs_itself() -> None:
    """A message that was cut short, a line of something else: the messages around them are taken."""
    good = message(event(), participant())
    lines = [
        good,
        good[:200],
        HEADER + good,
        "<34>1 - - - - - - something else",
        good[: len(good) - 10],
        good.replace("p-17", "p-18"),
    ]
    records = split("\n".join(lines).encode())
    decoded = SOURCE.decode(records)
    assert len(records) == len(lines)
    assert decoded.records == [0, 2, 5]
    assert [one.index for one in decoded.rejections] == [1, 3, 4]


def test_blanks_make_no_other_message() -> None:
    """A message that was laid out anew on its way is the same event."""
    for record in MESSAGES:
        laid_out = record.replace(b"><", b">\n  <").replace(b" EventActionCode", b"\n   EventActionCode")
        assert SOURCE.decode([laid_out]) == SOURCE.decode([record])


def test_what_differs_in_anything_is_another_message() -> None:
    """Even in what is not read."""
    bare = message(event(), participant(), patient("pat-1"))
    variants = [
        bare,
        bare.replace("<AuditMessage>", '<AuditMessage x="1">'),
        bare.replace("pat-1", "pat-2"),
        bare.replace(".250", ".251"),
    ]
    assert len({row.id for row in SOURCE.decode([one.encode() for one in variants]).rows}) == len(variants)
