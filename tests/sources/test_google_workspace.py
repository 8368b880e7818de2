"""Activities of Google Workspace become rows, one an event; what cannot is refused with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sentinel.core.errors import RejectionCode as Code
from streams.sources.google_workspace import SOURCE
from tests.sources.records import refusals, told


def an_event(**fields: Any) -> dict[str, Any]:
    """Return the smallest record that is taken, with these fields; None leaves one out."""
    event: dict[str, Any] = {
        "id": {"time": "2025-03-04T09:15:30Z", "uniqueQualifier": "1", "applicationName": "drive"},
        "actor": {"email": "jdupont@chu.example"},
        "events": [{"name": "view"}],
    }
    return told(event | fields)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", (Code.UNPARSEABLE, "")),
        ({}, (Code.NOT_AN_EVENT, "")),
        ({"items": [{}]}, (Code.NOT_AN_EVENT, "/items/0")),
        (an_event(events=[]), (Code.NOT_AN_EVENT, "")),
        (an_event(events=[5]), (Code.WRONG_TYPE, "/events/0")),
        (an_event(events=[{"name": "view"}] * 1_001), (Code.TOO_LARGE, "/events")),
        (an_event(id={"applicationName": "drive"}), (Code.MISSING_FIELD, "/id/time")),
        (an_event(id={"time": "soon"}), (Code.BAD_TIME, "/id/time")),
        (an_event(actor=None), (Code.NO_ACTOR, "/actor")),
    ],
)
def test_what_is_no_event_is_refused_where_it_is_wrong(document: object, why: tuple[Code, str]) -> None:
    """Each refusal has a code and a pointer to what is wrong."""
    assert refusals(SOURCE, document) == [why]


def test_several_events_of_an_activity_are_told_apart() -> None:
    """They share the activity's id; `sub` numbers them."""
    rows = SOURCE.decode([json.dumps(an_event(events=[{"name": "view"}, {"name": "edit"}, {"name": "print"}])).encode()]).rows
    assert [row.action for row in rows] == ["read", "update", "print"]
    assert [row.sub for row in rows] == ["", "1", "2"]
    assert len({row.id for row in rows}) == 1


def test_ids_of_two_applications_do_not_meet() -> None:
    """A qualifier is unique within its application and time."""
    ids = {"time": "2025-03-04T09:15:30Z", "uniqueQualifier": "1"}
    documents = [an_event(id=ids | {"applicationName": name}) for name in ("drive", "login")]
    assert len({SOURCE.decode([json.dumps(one).encode()]).rows[0].id for one in documents}) == 2
