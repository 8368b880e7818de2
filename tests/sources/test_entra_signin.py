"""Entra ID's sign-ins and activities become rows, whatever exports them; what cannot is refused with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sentinel.core.errors import RejectionCode as Code
from streams.sources.entra_signin import SOURCE
from streams.sources.microsoft.directory import activity
from tests.sources.records import refusals, told


def a_sign_in(**fields: Any) -> dict[str, Any]:
    """Return the smallest sign-in that is taken, with these fields; None leaves one out."""
    sign_in: dict[str, Any] = {"id": "s-1", "createdDateTime": "2025-03-04T09:15:30Z", "userPrincipalName": "jdupont@chu.example"}
    return told(sign_in | fields)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", (Code.UNPARSEABLE, "")),
        (b"{}", (Code.NOT_AN_EVENT, "")),
        (b"5", (Code.WRONG_TYPE, "")),
        ({"records": [a_sign_in(id=None), 5]}, (Code.WRONG_TYPE, "/records/1")),
        ({"value": 5}, (Code.WRONG_TYPE, "/value")),
        (a_sign_in(createdDateTime="soon"), (Code.BAD_TIME, "/createdDateTime")),
        (a_sign_in(userPrincipalName=None), (Code.NO_ACTOR, "/userPrincipalName")),
        (a_sign_in(deviceDetail=[1]), (Code.WRONG_TYPE, "/deviceDetail")),
        ({"activityDateTime": "2025-03-04T09:15:30Z"}, (Code.NO_ACTOR, "/initiatedBy")),
        (
            {"activityDateTime": "2025-03-04T09:15:30Z", "targetResources": [{"id": 5}, 5]},
            (Code.WRONG_TYPE, "/targetResources/1"),
        ),
        ({"category": "SignInLogs", "properties": {"userPrincipalName": "x"}}, (Code.BAD_TIME, "/createdDateTime")),
        ({"category": "SignInLogs", "properties": {"status": 5}}, (Code.WRONG_TYPE, "/properties/status")),
        ({"TimeGenerated": 5, "OperationName": "Sign-in activity"}, (Code.WRONG_TYPE, "/timeGenerated")),
    ],
)
def test_what_is_no_event_is_refused_where_it_is_wrong(document: object, why: tuple[Code, str]) -> None:
    """Each refusal has a code and a pointer to what is wrong."""
    assert refusals(SOURCE, document) == [why]


def test_one_sign_in_is_one_event_however_it_was_exported() -> None:
    """Graph, a diagnostic record and an Event Hub's batch of them tell the same row."""
    sign_in = a_sign_in(status={"errorCode": 50126, "failureReason": "wrong"}, ipAddress="203.0.113.7")
    diagnostic = {"time": "2025-03-04T09:16:00Z", "category": "SignInLogs", "resultType": "50126", "properties": sign_in}
    documents = [sign_in, {"value": [sign_in]}, diagnostic, {"records": [diagnostic]}]
    rows = [row for one in documents for row in SOURCE.decode([json.dumps(one).encode()]).rows]
    assert len(rows) == 4
    assert len(set(rows)) == 1
    assert SOURCE.split is not None
    assert len(SOURCE.split(b"\n".join(json.dumps(one).encode() for one in documents))) == 4


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("Add member to role.", "permission-change"),
        ("Add user.", "create"),
        ("Update StsRefreshTokenValidFrom Timestamp.", "update"),
        ("Set Company Information.", "update"),
        ("Hard Delete application.", "delete"),
        ("Bulk download users - finished", "export"),
        ("Revoke sign in sessions", "update"),
        ("Validate user authentication", "other"),
        ("", "other"),
    ],
)
def test_an_activity_means_what_its_words_say(name: str, action: str) -> None:
    """Rights before the verb: adding a member is no creation."""
    assert activity(name) == action
