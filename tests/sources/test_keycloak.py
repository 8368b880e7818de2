"""Keycloak's events become rows, in JSON or as lines of its log; what cannot is refused with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import EventRow
from streams.sources.keycloak import SOURCE, split
from tests.sources.records import raw, told

LINE = "2025-03-04T09:15:30.123Z WARN  [org.keycloak.events] (t) type=LOGIN_ERROR, clientId=dpi, userId=null, username={}"


def an_event(**fields: Any) -> dict[str, Any]:
    """Return the smallest event that is taken, with these fields; None leaves one out."""
    event: dict[str, Any] = {"type": "LOGIN", "time": 1_741_079_730_123, "userId": "u-1"}
    return told(event | fields)


def decoded(document: object) -> tuple[list[EventRow], list[tuple[Code, str]]]:
    """Return the rows of a document, and why it is refused."""
    result = SOURCE.decode([raw(document)])
    return result.rows, [(one.code, one.pointer) for one in result.rejections]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", (Code.NOT_AN_EVENT, "")),
        (b"\xff type=LOGIN", (Code.NOT_UTF8, "")),
        (b"{", (Code.UNPARSEABLE, "")),
        (b"Keycloak 26.0 started", (Code.NOT_AN_EVENT, "")),
        ({}, (Code.NOT_AN_EVENT, "")),
        ({"message": "type=LOGIN, userId=u"}, (Code.MISSING_FIELD, "")),
        (an_event(time=None), (Code.MISSING_FIELD, "/time")),
        (an_event(time=True), (Code.BAD_TIME, "/time")),
        (an_event(time="2025-03-04T09:15:30"), (Code.BAD_TIME, "/time")),
        (an_event(time=10**30), (Code.BAD_TIME, "/time")),
        (an_event(time=5), (Code.BAD_TIME, "/time")),
        (an_event(userId=None), (Code.NO_ACTOR, "/userId")),
        (an_event(userId="null"), (Code.NO_ACTOR, "/userId")),
        (an_event(userId="x" * 300), (Code.BAD_VALUE, "/userId")),
        (an_event(details=[5]), (Code.WRONG_TYPE, "/details")),
        (an_event(type=None, userId=None, operationType="CREATE"), (Code.NO_ACTOR, "/authDetails/userId")),
    ],
)
def test_what_is_no_event_is_refused_where_it_is_wrong(document: object, why: tuple[Code, str]) -> None:
    """Each refusal has a code and a pointer to what is wrong."""
    assert decoded(document) == ([], [why])


def test_the_unit_of_a_time_is_told_by_its_size() -> None:
    """Keycloak counts milliseconds; what passes events on may count otherwise."""
    times = (1_741_079_730, 1_741_079_730.5, 1_741_079_730_123, 1_741_079_730_123_456)
    assert {decoded(an_event(time=time))[0][0].occurred_at // 1_000_000 for time in times} == {1_741_079_730}


def test_what_a_user_typed_is_no_field() -> None:
    """A login that looks like a pair stays a failed login of the one who typed it, without and with quotes."""
    (row,), _ = decoded(LINE.format("a, type=LOGIN, userId=admin").encode())
    assert (row.action, row.actor_id) == ("login-failed", "a")
    quoted = LINE.replace("username={}", 'username="a\\", userId=\\"admin"').replace("type=LOGIN_ERROR", 'type="LOGIN_ERROR"')
    (row,), _ = decoded(quoted.encode())
    assert (row.action, row.actor_id) == ("login-failed", 'a", userid="admin')


def test_a_line_has_the_same_id_each_time_it_is_read() -> None:
    """The id hangs on the event and its time, not on what a shipper wrote before them."""
    line = LINE.format("jdupont").encode()
    shipped = b"<14>" + line
    assert decoded(line)[0][0].id == decoded(shipped)[0][0].id
    assert decoded(line)[0][0].id != decoded(LINE.format("pmartin").encode())[0][0].id


def test_lines_of_other_loggers_are_left_out_of_a_file() -> None:
    """A log holds much else; an array is what the REST API answers."""
    log = b"started\n" + LINE.format("jdupont").encode() + b"\nstopped\n"
    assert len(split(log)) == 1
    assert len(split(json.dumps([an_event(), an_event(time=1_741_079_731_000)]).encode())) == 2
