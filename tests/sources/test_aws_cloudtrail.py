"""CloudTrail events become rows, whatever carries them; what cannot is refused with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sentinel.core.errors import RejectionCode as Code
from streams.sources.aws.names import action_of
from streams.sources.aws_cloudtrail import SOURCE
from tests.sources.records import refusals, told

GOLDEN = Path(__file__).parent / "golden" / "aws_cloudtrail"
USER = {"type": "IAMUser", "userName": "PMartin"}


def an_event(**fields: Any) -> dict[str, Any]:
    """Return the smallest event that is taken, with these fields; None leaves one out."""
    event: dict[str, Any] = {"eventTime": "2025-03-04T09:15:30Z", "eventSource": "s3.amazonaws.com", "eventName": "GetObject"}
    event |= {"eventID": "e-1", "userIdentity": USER} | fields
    return told(event)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", (Code.UNPARSEABLE, "")),
        (b"\xff", (Code.NOT_UTF8, "")),
        (None, (Code.WRONG_TYPE, "")),
        ({}, (Code.NOT_AN_EVENT, "")),
        ({"Records": 5}, (Code.WRONG_TYPE, "/Records")),
        ({"Records": [{}]}, (Code.NOT_AN_EVENT, "/Records/0")),
        ({"Records": [an_event(), an_event(eventTime="soon")]}, (Code.BAD_TIME, "/Records/1/eventTime")),
        ({"detail": an_event(userIdentity=5)}, (Code.WRONG_TYPE, "/detail/userIdentity")),
        ({"detail": {"detail": {"detail": {"detail": {"detail": {}}}}}}, (Code.TOO_DEEP, "/detail/detail/detail/detail")),
        (an_event(eventTime=None), (Code.MISSING_FIELD, "/eventTime")),
        (an_event(eventTime="2025-03-04T09:15:30"), (Code.BAD_TIME, "/eventTime")),
        (an_event(eventName=5), (Code.WRONG_TYPE, "/eventName")),
        (an_event(userIdentity={"type": "IAMUser"}), (Code.NO_ACTOR, "/userIdentity")),
        (an_event(userIdentity=USER | {"userName": "x" * 300}), (Code.BAD_VALUE, "/userIdentity")),
    ],
)
def test_what_is_no_event_is_refused_where_it_is_wrong(document: object, why: tuple[Code, str]) -> None:
    """Each refusal has a code and a pointer to what is wrong."""
    assert refusals(SOURCE, document) == [why]


def test_a_delivered_file_is_cut_into_its_events() -> None:
    """A file is one document; its events are the records, and give the same rows as when they come inside it."""
    data = (GOLDEN / "delivered_file.json").read_bytes()
    assert SOURCE.split is not None
    records = SOURCE.split(data)
    assert len(records) == 4
    assert SOURCE.decode(records).rows == SOURCE.decode([data]).rows


def test_parameters_of_another_shape_do_not_lose_the_event() -> None:
    """Services log what they like there: text, a list, objects in place of names."""
    for parameters in ("x", [1], {"userName": {"x": 1}, "bucketName": [2]}, {"bucketPolicy": "{"}):
        assert not refusals(SOURCE, an_event(requestParameters=parameters, eventName="PutBucketPolicy"))


def test_a_policy_nested_without_end_is_no_reason_to_wait() -> None:
    """A policy in a text in a policy is looked into some levels deep, and the event taken."""
    policy: Any = {"Effect": "Allow", "Principal": "*"}
    for _ in range(60):
        policy = {"Statement": [policy]}
    (row,) = SOURCE.decode(
        [json.dumps(an_event(eventName="PutBucketPolicy", requestParameters={"policy": policy})).encode()]
    ).rows
    assert row.action == "permission-change"


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("DescribeExportTasks", "read"),
        ("CancelExportTask", "update"),
        ("ExportImage", "export"),
        ("ImportSnapshot", "import"),
        ("BatchGetItem", "read"),
        ("BatchDeleteImage", "delete"),
        ("GetBucketAcl", "read"),
        ("ReEncrypt", "execute"),
        ("DeactivateMFADevice", "permission-change"),
        ("lowercase", "other"),
        ("", "other"),
    ],
)
def test_a_name_that_nobody_listed_means_what_its_verb_says(name: str, action: str) -> None:
    """AWS adds events every week: they begin with a verb."""
    assert action_of(name) == action
