"""Documents in records, whatever carries them: each is taken or refused alone, and none without bound."""

from __future__ import annotations

import json

import pytest

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import COUNT_MAX, EventRow
from streams.sources.contract import Decoded
from streams.sources.shared.documents import REFUSED_MAX, Envelope, carried, decode_all, split_documents
from streams.sources.shared.values import address, host, instant, row, since_epoch, told


def read(document: bytes) -> list[EventRow] | Envelope:
    """Read a toy format: a number is an event, 0 is passed over, an array under `parts` carries some."""
    value = json.loads(document)
    if isinstance(value, dict) and "parts" in value:
        return carried("/parts", [json.dumps(one).encode() for one in value["parts"]])
    if not isinstance(value, int):
        raise RejectedError(Code.NOT_AN_EVENT)
    if value == 0:
        return []
    return [row(str(value), 0, "read", "a")]


def ids(decoded: Decoded) -> list[str]:
    """Return the ids of the rows."""
    return [one.id for one in decoded.rows]


def test_each_part_is_taken_or_refused_alone() -> None:
    """What is refused has the place of its part; the others go on."""
    decoded = decode_all([b'{"parts": [1, "x", {"parts": [2, null]}]}', b"3"], read)
    assert ids(decoded) == ["1", "2", "3"]
    assert decoded.records == [0, 0, 1]
    assert [(one.index, one.pointer) for one in decoded.rejections] == [(0, "/parts/1"), (0, "/parts/2/parts/1")]


def test_what_a_reader_passes_over_is_counted() -> None:
    """Alone or among others: it is neither a row nor refused."""
    decoded = decode_all([b"0", b'{"parts": [0, 1]}', b"2"], read)
    assert (ids(decoded), decoded.skipped, decoded.rejections) == (["1", "2"], 2, [])


def test_envelopes_in_one_another_have_an_end() -> None:
    """Beyond some, the innermost is refused."""
    document: object = 1
    for _ in range(6):
        document = {"parts": [document]}
    (refused,) = decode_all([json.dumps(document).encode()], read).rejections
    assert refused.code == Code.TOO_DEEP


def test_a_record_of_garbage_is_not_refused_without_end() -> None:
    """A thousand bad documents in a record are some rejections and one that says so; good ones among them are taken."""
    garbage = decode_all([json.dumps(["x"] * 1_000).encode()], read)
    assert len(garbage.rejections) == REFUSED_MAX + 1
    assert garbage.rejections[-1].code == Code.TOO_LARGE
    mixed = decode_all([json.dumps([1, *["x"] * 1_000, 2]).encode()], read)
    assert ids(mixed) == ["1", "2"]
    assert len(mixed.rejections) == REFUSED_MAX + 1


def test_a_file_is_cut_into_what_it_holds() -> None:
    """Lines, arrays, documents over many lines, envelopes; what cannot be read is cut by lines."""

    def parts(document: bytes) -> Envelope | None:
        value = json.loads(document)
        return carried("", [json.dumps(one).encode() for one in value["parts"]]) if isinstance(value, dict) else None

    for data in (
        b"1\n2\n",
        b"[1,\n2]",
        b'{"parts":\n [1, 2]}',
        b'\xef\xbb\xbf{"parts": [1]} {"parts": [{"parts": [2]}]}',
        b"1\n\n2",
    ):
        assert split_documents(data, parts) == [b"1", b"2"]
    assert split_documents(b"{1\n2", parts) == [b"{1", b"2"]


@pytest.mark.parametrize(
    ("text", "ip"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("10.1.2.3:443", "10.1.2.3"),
        ("[2001:DB8::1]:443", "2001:db8::1"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("fe80::1%eth0", "fe80::1"),
        ("-", ""),
        ("ec2.amazonaws.com", ""),
        ("local machine", ""),
        ("1" * 10_000, ""),
    ],
)
def test_an_address_is_an_ip_address_or_nothing(text: str, ip: str) -> None:
    """Ports, brackets and zones go; names of machines and services are no addresses."""
    assert address(text) == ip


def test_a_machine_has_one_name() -> None:
    """With its domain or without, in capitals or not, behind backslashes."""
    assert {host(name) for name in ("WS-0412", "ws-0412.chu.example", "\\\\WS-0412")} == {"ws-0412"}
    assert host("10.1.2.3") == "10.1.2.3"


def test_the_unit_of_a_number_of_seconds_is_told_by_its_size() -> None:
    """Seconds, milliseconds, µs and ns of one moment are that moment."""
    assert {since_epoch(1_741_079_730 * unit, "") for unit in (1, 1_000, 1_000_000, 1_000_000_000)} == {1_741_079_730_000_000}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1, 0, 10**30])
def test_a_number_that_is_no_moment_is_refused(number: float) -> None:
    """Times lie in 1990 to 2099."""
    with pytest.raises(RejectedError, match="bad-time at /time"):
        since_epoch(number, "/time")


def test_a_time_without_offset_is_utc_where_the_format_says_so() -> None:
    """And names no instant elsewhere."""
    assert instant("2025-03-04T09:15:30", "", utc=True) == instant("2025-03-04T10:15:30+01:00", "")
    with pytest.raises(RejectedError, match="names no instant"):
        instant("2025-03-04T09:15:30", "/time")


def test_a_row_holds_what_an_event_may_hold() -> None:
    """Texts are cut, control characters shown, counts out of range are one; ids are never cut."""
    made = row("i", 0, "read", "a\x00b", reason="r" * 5_000, resource_id="x" * 500, count=COUNT_MAX + 1)
    assert (made.actor_id, len(made.reason), len(made.resource_id), made.resource_count) == ("a\ufffdb", 1_024, 256, 1)
    for values in (("i" * 300, 0, "read", "a"), ("i", 0, "read", "a" * 300)):
        with pytest.raises(RejectedError, match="bad-value"):
            row(*values)
    with pytest.raises(RejectedError, match="no-actor at /who"):
        row("i", 0, "read", "", actor_at="/who")


@pytest.mark.parametrize("nothing", [None, "", "-", " - ", "null", [], {}, True])
def test_what_says_nothing_is_empty(nothing: object) -> None:
    """Logs write a dash or `null` for what they don't know."""
    assert told(nothing) == ""
    assert told(5) == "5"
