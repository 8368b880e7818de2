"""Events of Okta's System Log become rows, whatever carries them; what cannot is refused with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sentinel.core.errors import RejectionCode as Code
from streams.sources.okta import SOURCE
from tests.sources.records import refusals, told


def an_event(**fields: Any) -> dict[str, Any]:
    """Return the smallest record that is taken, with these fields; None leaves one out."""
    event: dict[str, Any] = {
        "uuid": "u-1",
        "published": "2025-03-04T09:15:30.123Z",
        "eventType": "user.session.start",
        "actor": {"alternateId": "JDupont@chu.example", "type": "User"},
        "outcome": {"result": "SUCCESS"},
    }
    return told(event | fields)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", (Code.UNPARSEABLE, "")),
        ({}, (Code.NOT_AN_EVENT, "")),
        ({"data": {"events": [{}]}}, (Code.NOT_AN_EVENT, "/data/events/0")),
        ({"detail": {"eventType": "x"}}, (Code.MISSING_FIELD, "/detail/published")),
        (an_event(published=None), (Code.MISSING_FIELD, "/published")),
        (an_event(published="soon"), (Code.BAD_TIME, "/published")),
        (an_event(eventType=5), (Code.WRONG_TYPE, "/eventType")),
        (an_event(actor=None), (Code.NO_ACTOR, "/actor")),
        (an_event(target=[5]), (Code.WRONG_TYPE, "/target/0")),
    ],
)
def test_what_is_no_event_is_refused_where_it_is_wrong(document: object, why: tuple[Code, str]) -> None:
    """Each refusal has a code and a pointer to what is wrong."""
    assert refusals(SOURCE, document) == [why]


@pytest.mark.parametrize(
    ("result", "action"),
    [("SUCCESS", "login"), ("ALLOW", "login"), ("FAILURE", "login-failed"), ("DENY", "login-failed"), ("CHALLENGE", "other")],
)
def test_a_session_begins_when_nothing_more_is_asked(result: str, action: str) -> None:
    """A challenge is neither a login nor a failed one."""
    (row,) = SOURCE.decode([json.dumps(an_event(outcome={"result": result})).encode()]).rows
    assert row.action == action
