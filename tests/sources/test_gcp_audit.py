"""Audit entries of Google Cloud become rows, whatever carries them; what cannot is refused with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sentinel.core.errors import RejectionCode as Code
from streams.sources.gcp_audit import SOURCE
from tests.sources.records import refusals, told


def an_event(**fields: Any) -> dict[str, Any]:
    """Return the smallest record that is taken, with these fields; None leaves one out."""
    event: dict[str, Any] = {
        "insertId": "i-1",
        "timestamp": "2025-03-04T09:15:30Z",
        "protoPayload": {"methodName": "storage.objects.get", "authenticationInfo": {"principalEmail": "jdupont@chu.example"}},
    }
    return told(event | fields)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", (Code.UNPARSEABLE, "")),
        ({}, (Code.NOT_AN_EVENT, "")),
        ({"textPayload": "x"}, (Code.NOT_AN_EVENT, "")),
        ({"entries": [{}]}, (Code.NOT_AN_EVENT, "/entries/0")),
        ({"message": {"data": "%"}}, (Code.BAD_VALUE, "/message/data")),
        (an_event(timestamp=None), (Code.MISSING_FIELD, "/timestamp")),
        (an_event(timestamp="soon"), (Code.BAD_TIME, "/timestamp")),
        (an_event(timestamp=5), (Code.WRONG_TYPE, "/timestamp")),
        (an_event(protoPayload={}), (Code.NOT_AN_EVENT, "/protoPayload")),
        (an_event(protoPayload={"methodName": "x.get"}), (Code.NO_ACTOR, "/protoPayload/authenticationInfo")),
        (an_event(protoPayload={"methodName": "x.get", "status": 5}), (Code.WRONG_TYPE, "/protoPayload/status")),
    ],
)
def test_what_is_no_event_is_refused_where_it_is_wrong(document: object, why: tuple[Code, str]) -> None:
    """Each refusal has a code and a pointer to what is wrong."""
    assert refusals(SOURCE, document) == [why]


@pytest.mark.parametrize(
    ("method", "action"),
    [
        ("storage.buckets.getIamPolicy", "read"),
        ("google.iam.v1.IAMPolicy.TestIamPermissions", "read"),
        ("google.cloud.healthcare.v1.dicom.DicomService.ExportDicomData", "export"),
        ("v1.compute.firewalls.patch", "update"),
        ("io.k8s.core.v1.pods.list", "search"),
        ("io.k8s.core.v1.pods.deletecollection", "delete"),
        ("datasetservice.delete", "delete"),
        ("google.cloud.bigquery.v2.JobService.GetQueryResults", "read"),
        ("Frobnicate", "other"),
    ],
)
def test_a_method_means_what_its_last_word_says(method: str, action: str) -> None:
    """Google adds methods every week: the last part begins with a verb."""
    payload = {"methodName": method, "authenticationInfo": {"principalEmail": "jdupont@chu.example"}}
    (row,) = SOURCE.decode([json.dumps(an_event(protoPayload=payload)).encode()]).rows
    assert row.action == action


def test_an_entry_that_comes_twice_is_one_event() -> None:
    """Its id hangs on log, time and insertId, and not on when it was received."""
    again = an_event(receiveTimestamp="2025-03-04T09:17:00Z")
    other = an_event(timestamp="2025-03-04T09:15:31Z")
    ids = [row.id for one in (an_event(), again, other) for row in SOURCE.decode([json.dumps(one).encode()]).rows]
    assert ids[0] == ids[1] != ids[2]
