"""Sentinel's own format: the fast way reads exactly what the reference model reads."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import COUNT_MAX, EPOCH, REASON_MAX, TEXT_MAX, AccessEvent, Action, EventRow, moment, row_of
from streams.sources.sentinel_json import SOURCE
from streams.sources.shared.own import RECORD_BYTES_MAX, Line
from tests.sources.records import raw, told

BASE = {"id": "e-1", "occurred_at": "2025-03-04T09:15:30Z", "action": "read", "actor_id": "p-17"}


def a_line(**fields: Any) -> bytes:
    """Return an event with these fields; None leaves one out."""
    return raw(told(BASE | fields))


def by_model(record: bytes) -> EventRow | None:
    """Return what the reference model makes of a record, None when it refuses."""
    try:
        return row_of(AccessEvent.model_validate_json(record))
    except ValidationError:
        return None


def by_source(record: bytes) -> EventRow | None:
    """Return what the source makes of a record, None when it refuses."""
    decoded = SOURCE.decode([record])
    assert len(decoded.rows) + len(decoded.rejections) == 1
    return decoded.rows[0] if decoded.rows else None


def refusal(record: bytes) -> tuple[Code, str]:
    """Return why a record is refused, and where."""
    (rejection,) = SOURCE.decode([record]).rejections
    return rejection.code, rejection.pointer


two = st.integers(0, 99).map("{:02d}".format)
plausible = st.builds("{:02d}".format, st.integers(0, 60))
times = st.builds(
    "{}-{}-{}{}{}:{}:{}{}{}".format,
    st.sampled_from(["1989", "1990", "2016", "2024", "2099", "2100", "0001", "9999", "٢٠٢٤"]),
    st.sampled_from(["01", "02", "06", "12", "13", "00"]),
    st.sampled_from(["01", "28", "29", "30", "31", "32", "00"]),
    st.sampled_from(["T", "t", " ", "_", "", "  "]),
    st.sampled_from(["00", "12", "23", "24"]),
    plausible,
    st.one_of(plausible, st.just("60")),
    st.one_of(st.just(""), st.from_regex(r"[.,][0-9]{0,12}", fullmatch=True)),
    st.one_of(
        st.sampled_from(["Z", "z", "", "+01:00", "-00:00", "+0100", "+01", "−01:00", "+24:00", "+23:59", "+05:60", " Z", "Z "]),
        st.builds("{}{}:{}".format, st.sampled_from("+-"), two, two),
    ),
)
texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", "\x00", "\x1f", "\x08\x0c", "a\tb\r\nc", "é" * TEXT_MAX, "x" * (TEXT_MAX + 1), "😀" * TEXT_MAX, "\\b", "\\u001f"]
    ),
)
addresses = st.one_of(
    texts,
    st.ip_addresses().map(str),
    st.ip_addresses(v=4).map("::ffff:{}".format),
    st.ip_addresses(v=6).map(lambda one: f"[{one.exploded}]"),
    st.sampled_from(["fe80::1%eth0", "010.1.1.1", "1.2.3.4:80", "1.2.3", "::"]),
)
odd = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.lists(st.integers(), max_size=1), st.just({}))
counts = st.one_of(st.integers(-2, 5), st.sampled_from([COUNT_MAX, COUNT_MAX + 1, 1.0, 1e3, "1", True, 10**30]))
values = {
    "id": texts,
    "occurred_at": times,
    "action": st.one_of(st.sampled_from([*Action]), st.just("Read")),
    "outcome": st.sampled_from(["success", "unknown", "minor-failure", ""]),
    "actor_id": texts,
    "actor_type": st.sampled_from(["human", "service", "patient", "HUMAN"]),
    "patient_id": texts,
    "resource_count": counts,
    "reason": st.one_of(texts, st.sampled_from(["x" * REASON_MAX, "x" * (REASON_MAX + 1)])),
    "client_address": addresses,
    "device": texts,
    "destination": st.sampled_from(["", "email", "usb"]),
}
sound = {name: one for name, one in values.items() if name not in ("id", "occurred_at", "actor_id", "action")}
good = st.fixed_dictionaries(
    {
        "id": st.text("abc-é😀\\", min_size=1, max_size=9),
        "occurred_at": times,
        "action": st.just("read"),
        "actor_id": st.just("p"),
    },
    optional=sound,
)
any_fields = st.fixed_dictionaries({}, optional={**{name: st.one_of(one, odd) for name, one in values.items()}, "bed": texts})


def dumped(fields: dict[str, Any], ascii_only: bool) -> bytes:
    """Return JSON as two kinds of writers write it."""
    return json.dumps(fields, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


@settings(max_examples=600, deadline=None)
@given(fields=st.one_of(good, any_fields, any_fields.map(lambda fields: BASE | fields)), ascii_only=st.booleans())
@example(fields=BASE | {"device": "\ud800"}, ascii_only=True)
@example(fields=BASE | {"device": "\ud800"}, ascii_only=False)
@example(fields=BASE | {"occurred_at": "2016-12-31T23:59:60.999999Z"}, ascii_only=False)
@example(fields=BASE | {"occurred_at": "2099-12-31T23:59:59.9999999Z"}, ascii_only=False)
@example(fields=BASE | {"occurred_at": "1989-12-31T23:59:59.9999995Z"}, ascii_only=False)
def test_the_fast_way_is_the_reference_model(fields: dict[str, Any], ascii_only: bool) -> None:
    """It takes the same records, refuses the same, and reads the same values."""
    record = dumped(fields, ascii_only)
    assert by_source(record) == by_model(record)


@pytest.mark.parametrize(
    "record",
    [
        b'{"id":"a","id":"b","occurred_at":"2025-03-04T09:15:30Z","action":"read","actor_id":"p"}',
        b'{"id":"a","id":5,"occurred_at":"2025-03-04T09:15:30Z","action":"read","actor_id":"p"}',
        b'{"id":5,"id":"a","occurred_at":"2025-03-04T09:15:30Z","action":"read","actor_id":"p"}',
        b'{"\\u0069d":"a","occurred_at":"2025-03-04T09:15:30Z","action":"read","actor_id":"p"}',
        b' \t{"id":"a","occurred_at":"2025-03-04T09:15:30Z",\r\n"action":"read","actor_id":"p"} \r',
        a_line() + a_line(),
        a_line() + b",",
        a_line(device="x").replace(b'"x"', b"NaN"),
        a_line(device="x").replace(b'"x"', b'"\x01"'),
        a_line(device="x").replace(b'"x"', b'"\\ud83d\\ude00"'),
        a_line(device="x").replace(b'"x"', b'"\\ud83d"'),
        a_line(resource_count=7).replace(b"7", b"-0"),
        a_line(resource_count=7).replace(b"7", b"007"),
        a_line(resource_count=7).replace(b"7", b"9" * 5_000),
        a_line(resource_count=7).replace(b"7", b"1e999"),
    ],
)
def test_json_is_read_as_the_reference_model_reads_it(record: bytes) -> None:
    """Doubled keys, escapes, blanks, odd numbers: nothing that one parser takes and the other does not."""
    assert by_source(record) == by_model(record)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2025-03-04T09:15:30Z", "2025-03-04T09:15:30+00:00"),
        ("2025-03-04t09:15:30z", "2025-03-04T09:15:30+00:00"),
        ("2025-03-04 10:15:30+01:00", "2025-03-04T09:15:30+00:00"),
        ("2025-03-04T10:15:30+0100", "2025-03-04T09:15:30+00:00"),
        ("2025-03-04T09:15:30-00:00", "2025-03-04T09:15:30+00:00"),
        ("2025-03-04T09:15:30.1Z", "2025-03-04T09:15:30.100000+00:00"),
        ("2025-03-04T09:15:30.123456789Z", "2025-03-04T09:15:30.123457+00:00"),
        ("2025-03-04T09:15:30.9999995Z", "2025-03-04T09:15:31+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("2017-01-01T05:29:60.5+05:30", "2017-01-01T00:00:00.500000+00:00"),
    ],
)
def test_times_are_rfc_3339(text: str, utc: str) -> None:
    """Case, space for T, basic offset, fractions rounded half up, leap seconds as POSIX counts them."""
    row = by_source(a_line(occurred_at=text))
    assert row is not None
    assert (EPOCH + timedelta(microseconds=row.occurred_at)).isoformat() == utc


@pytest.mark.parametrize(
    "text",
    [
        "2025-03-04",
        "2025-03-04T09:15:30",
        "2025-03-04T09:15Z",
        "2025-03-04T09:15:30,5Z",
        "2025-03-04T09:15:30.Z",
        "1741079730",
        "2025-02-29T09:15:30Z",
        "2025-03-04T24:00:00Z",
        "2025-03-04T09:15:60Z",
        "1989-12-31T23:59:59Z",
        "2100-01-01T00:00:00Z",
        "",
        "2025-03-04T09:15:30+24:00",
        "2025-03-04T09:15:30+01",
        "20250304T091530Z",
        "0001-01-01T00:00:00+01:00",
    ],
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    """A date, a local time, another notation, or a year out of range is a bad time."""
    assert refusal(a_line(occurred_at=text)) == (Code.BAD_TIME, "/occurred_at")
    with pytest.raises(ValueError):  # noqa: PT011 (the message says nothing of the text)
        moment(text) if not text.startswith(("1989", "2100")) else AccessEvent.model_validate_json(a_line(occurred_at=text))


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (b"", (Code.UNPARSEABLE, "")),
        (b"{", (Code.UNPARSEABLE, "")),
        (b'{"id":"\xe9"}', (Code.NOT_UTF8, "")),
        (b'{"x":' + b"[" * 100_000, (Code.TOO_DEEP, "")),
        (b" " * (RECORD_BYTES_MAX + 1), (Code.TOO_LARGE, "")),
        (b"[]", (Code.WRONG_TYPE, "")),
        (b"{}", (Code.MISSING_FIELD, "/id")),
        (a_line(actor_id=None), (Code.MISSING_FIELD, "/actor_id")),
        (a_line(actor_id=""), (Code.BAD_VALUE, "/actor_id")),
        (a_line(actor_id=17), (Code.WRONG_TYPE, "/actor_id")),
        (a_line(occurred_at=None), (Code.MISSING_FIELD, "/occurred_at")),
        (a_line(occurred_at=1741079730), (Code.BAD_TIME, "/occurred_at")),
        (a_line(action="steal"), (Code.BAD_VALUE, "/action")),
        (a_line(bed="12"), (Code.UNKNOWN_FIELD, "")),
        (a_line(sub="1"), (Code.UNKNOWN_FIELD, "")),
        (a_line(patient_id="x" * (TEXT_MAX + 1)), (Code.BAD_VALUE, "/patient_id")),
        (a_line(reason="x" * (REASON_MAX + 1)), (Code.BAD_VALUE, "/reason")),
        (a_line(session="\x1f"), (Code.BAD_VALUE, "/session")),
        (a_line(session="\x00"), (Code.BAD_VALUE, "/session")),
        (a_line(resource_count=-1), (Code.BAD_VALUE, "/resource_count")),
        (a_line(resource_count=COUNT_MAX + 1), (Code.BAD_VALUE, "/resource_count")),
        (a_line(resource_count=1.5), (Code.WRONG_TYPE, "/resource_count")),
        (a_line(resource_count="1"), (Code.WRONG_TYPE, "/resource_count")),
        (a_line(resource_count=True), (Code.WRONG_TYPE, "/resource_count")),
    ],
)
def test_a_refusal_says_why_and_where(record: bytes, why: tuple[Code, str]) -> None:
    """One code out of the bounded set, and a pointer to the field."""
    assert refusal(record) == why


def test_addresses_are_written_one_way() -> None:
    """The same machine is the same address, whoever wrote it."""
    written = ["::ffff:10.1.2.3", "10.1.2.3", "2001:0DB8:0:0::1", "[2001:db8::1]", "fe80::1%eth0", "ws-1"]
    rows = SOURCE.decode([a_line(client_address=one) for one in written]).rows
    assert [row.client_address for row in rows] == ["10.1.2.3", "10.1.2.3", "2001:db8::1", "2001:db8::1", "fe80::1", "ws-1"]


def test_the_fast_way_knows_every_field_of_the_model() -> None:
    """A field added to the reference model is added to both."""
    assert set(Line.__struct_fields__) == set(AccessEvent.model_fields) == set(EventRow._fields) - {"sub", "marks"}
