"""Windows Security events become rows, whatever wrote them; what cannot is refused with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import EventRow
from streams.sources.windows.kinds import KINDS
from streams.sources.windows.shapes import Data
from streams.sources.windows_security import SOURCE, split
from tests.sources.records import raw, refusals

GOLDEN = Path(__file__).parent / "golden" / "windows_security"
LOGON = {"TargetUserName": "JDupont", "TargetDomainName": "CHU", "TargetLogonId": "0x8DCDC", "LogonType": "3"}


def an_event(event_id: object = 4624, data: object = None, **log: Any) -> dict[str, Any]:
    """Return an event as Winlogbeat writes it."""
    header = {"channel": "Security", "computer_name": "FS01.chu.example", "record_id": 7, "event_id": event_id}
    fields = LOGON if data is None else data
    return {"@timestamp": "2025-03-04T09:15:30.250Z", "winlog": {**header, "event_data": fields, **log}}


def refusal(document: object) -> tuple[Code, str]:
    """Return why a document is refused, and where."""
    (why,) = refusals(SOURCE, document)
    return why


def row_of(document: object) -> EventRow:
    """Return the only row of a document."""
    decoded = SOURCE.decode([raw(document)])
    assert not decoded.rejections
    (row,) = decoded.rows
    return row


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", (Code.UNPARSEABLE, "")),
        (b"<Event ", (Code.UNPARSEABLE, "")),
        (b"<Event><System/></Event>", (Code.NOT_AN_EVENT, "")),
        (b"<html></html>", (Code.NOT_AN_EVENT, "")),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><Event><System><EventID>&b;</EventID></System></Event>', (Code.UNPARSEABLE, "")),
        (b'<Event x=""><System><EventID>4624</EventID></System></Event>', (Code.MISSING_FIELD, "/Event/System/TimeCreated")),
        ({}, (Code.NOT_AN_EVENT, "")),
        ({"resourceType": "AuditEvent"}, (Code.NOT_AN_EVENT, "")),
        ({"Event": {"EventData": {}}}, (Code.NOT_AN_EVENT, "")),
        (an_event(channel="Application"), (Code.NOT_AN_EVENT, "")),
        (an_event(None), (Code.WRONG_TYPE, "/winlog/event_id")),
        (an_event("99999999999999999999"), (Code.WRONG_TYPE, "/winlog/event_id")),
        (an_event(data="x"), (Code.WRONG_TYPE, "/winlog/event_data")),
        (an_event() | {"@timestamp": 5}, (Code.WRONG_TYPE, "/@timestamp")),
        (an_event() | {"@timestamp": "soon"}, (Code.BAD_TIME, "/@timestamp")),
        (an_event() | {"@timestamp": None}, (Code.MISSING_FIELD, "/@timestamp")),
        (an_event(data={}, computer_name=""), (Code.NO_ACTOR, "/winlog/event_data")),
        (an_event(data=LOGON | {"TargetUserName": "x" * 300}), (Code.BAD_VALUE, "/winlog/event_data")),
        ({"EventID": 4624, "EventTime": "2025-03-04 09:15:30"} | LOGON, (Code.BAD_TIME, "/EventTime")),
        ({"EventID": 4624} | LOGON, (Code.MISSING_FIELD, "/EventTime")),
    ],
)
def test_what_is_no_event_is_refused_where_it_is_wrong(document: object, why: tuple[Code, str]) -> None:
    """Each refusal has a code and a pointer to what is wrong."""
    assert refusal(document) == why


def test_one_event_has_one_id_in_all_shapes() -> None:
    """A collector that changes doesn't make known events new ones."""
    beat = an_event()
    flat = {
        "EventID": 4624,
        "EventTime": "2025-03-04T10:15:30.250+01:00",
        "Hostname": "fs01.chu.example",
        "RecordNumber": 7,
        **LOGON,
    }
    data = "".join(f"<Data Name='{name}'>{value}</Data>" for name, value in LOGON.items())
    system = (
        "<EventID>4624</EventID><TimeCreated SystemTime='2025-03-04T09:15:30.2507171Z'/><EventRecordID>7</EventRecordID>"
        "<Channel>Security</Channel><Computer>FS01.chu.example</Computer>"
    )
    xml = f"<Event xmlns='x'><System>{system}</System><EventData>{data}</EventData></Event>".encode()
    rows = [row_of(document) for document in (beat, flat, xml)]
    assert len({row.id for row in rows}) == 1
    assert len({row._replace(occurred_at=0) for row in rows}) == 1


def test_another_event_has_another_id() -> None:
    """The machine, the number in its log, the second: each tells events apart; without a number the content does."""
    documents = [
        an_event(),
        an_event(record_id=8),
        an_event(computer_name="FS02"),
        an_event() | {"@timestamp": "2025-03-04T09:15:31.250Z"},
        an_event(record_id=None),
        an_event(record_id=None, data=LOGON | {"IpAddress": "10.1.2.3"}),
    ]
    assert len({row_of(one).id for one in documents}) == len(documents)


def test_the_last_fraction_of_a_time_is_rounded() -> None:
    """Windows counts 100 ns, Sentinel µs."""
    assert row_of(an_event() | {"@timestamp": "2025-03-04T09:15:30.9999997Z"}).occurred_at % 1_000_000 == 0


def test_an_unknown_event_is_kept_with_its_number() -> None:
    """What Windows adds one day is no rejection."""
    row = row_of(an_event(6000, {"SubjectUserName": "jdupont"}))
    assert (row.action, row.resource_type, row.actor_id) == ("other", "event-6000", "jdupont")


def test_a_control_character_hides_nothing() -> None:
    """A name with one is kept, with U+FFFD in its place."""
    data = {"SubjectUserName": "jdupont", "ObjectType": "File", "ObjectName": "D:\\a\x00b", "AccessMask": "0x1"}
    assert row_of(an_event(4663, data)).resource_id == "D:\\a\ufffdb"


def test_every_kind_names_a_field_that_is_read() -> None:
    """What names the resource of an event is among the fields that are decoded."""
    assert {kind.named_by for kind in KINDS.values()} - {""} <= set(Data.__struct_fields__)


def test_a_file_in_utf_16_is_cut_into_its_events() -> None:
    """The Event Viewer saves so."""
    text = (GOLDEN / "event.xml").read_text()
    whole = SOURCE.decode(split((GOLDEN / "event.xml").read_bytes())).rows
    assert len(whole) == 4
    assert SOURCE.decode(split(text.encode("utf-16"))).rows == whole
    assert SOURCE.decode([text.encode("utf-16")]).rows == whole
