"""Lines of Nextcloud's audit become rows; what cannot is refused with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sentinel.core.errors import RejectionCode as Code
from streams.sources.nextcloud_audit import SOURCE
from tests.sources.records import refusals, told


def a_line(**fields: Any) -> dict[str, Any]:
    """Return the smallest line that is taken, with these fields; None leaves one out."""
    line: dict[str, Any] = {
        "time": "2025-03-04T09:15:30+00:00",
        "app": "admin_audit",
        "user": "jdupont",
        "message": "Logout occurred",
    }
    return told(line | fields)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", (Code.UNPARSEABLE, "")),
        ({}, (Code.NOT_AN_EVENT, "")),
        (a_line(app="core"), (Code.NOT_AN_EVENT, "")),
        (a_line(app=None, message="{"), (Code.UNPARSEABLE, "/message")),
        (a_line(time=None), (Code.MISSING_FIELD, "/time")),
        (a_line(time="soon"), (Code.BAD_TIME, "/time")),
        (a_line(time="Smarch 13, 2021 16:55:37"), (Code.BAD_TIME, "/time")),
        (a_line(time=5), (Code.WRONG_TYPE, "/time")),
        (a_line(user="--"), (Code.NO_ACTOR, "/user")),
        (a_line(user="x" * 300), (Code.BAD_VALUE, "/user")),
    ],
)
def test_what_is_no_event_is_refused_where_it_is_wrong(document: object, why: tuple[Code, str]) -> None:
    """Each refusal has a code and a pointer to what is wrong."""
    assert refusals(SOURCE, document) == [why]


def test_a_path_cannot_pass_for_another_sentence() -> None:
    """A file may be called like the end of a message."""
    message = 'File with id "1" accessed: "/a" deleted: "/b"'
    (row,) = SOURCE.decode([json.dumps(a_line(message=message)).encode()]).rows
    assert (row.action, row.resource_id) == ("read", '/a" deleted: "/b')


@pytest.mark.parametrize("word", ['"', "The file ", "(Remote IP: ", " by user ", 'The file "'])
def test_a_long_message_is_no_reason_to_wait(word: str) -> None:
    """Whatever users name their files, a message is read in one go, and as far as its bound."""
    (row,) = SOURCE.decode([json.dumps(a_line(message=word * 50_000)).encode()]).rows
    assert row.action == "other"
