"""Events of Azure become rows, in the log's shapes and in those of resources; what cannot is refused with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sentinel.core.errors import RejectionCode as Code
from streams.sources.azure_activity import SOURCE
from tests.sources.records import refusals, told


def an_event(**fields: Any) -> dict[str, Any]:
    """Return the smallest record that is taken, with these fields; None leaves one out."""
    event: dict[str, Any] = {
        "time": "2025-03-04T09:15:30Z",
        "operationName": "SecretGet",
        "resultType": "Success",
        "identity": {"claim": {"upn": "jdupont@chu.example"}},
    }
    return told(event | fields)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", (Code.UNPARSEABLE, "")),
        ({}, (Code.NOT_AN_EVENT, "")),
        ({"TimeGenerated": "2025-03-04T09:15:30Z"}, (Code.NOT_AN_EVENT, "")),
        ({"TimeGenerated": 5, "OperationName": "x"}, (Code.WRONG_TYPE, "/time")),
        ({"records": [{}]}, (Code.NOT_AN_EVENT, "/records/0")),
        (an_event(time=None), (Code.MISSING_FIELD, "/time")),
        (an_event(time="soon"), (Code.BAD_TIME, "/time")),
        (an_event(eventTimestamp="soon"), (Code.BAD_TIME, "/eventTimestamp")),
        (an_event(operationName=[1]), (Code.WRONG_TYPE, "/operationName")),
        (an_event(identity=None), (Code.NO_ACTOR, "/identity")),
    ],
)
def test_what_is_no_event_is_refused_where_it_is_wrong(document: object, why: tuple[Code, str]) -> None:
    """Each refusal has a code and a pointer to what is wrong."""
    assert refusals(SOURCE, document) == [why]


def test_a_signature_is_never_kept() -> None:
    """The address of a blob may hold the right to read it: what follows the question mark is dropped."""
    uri = "https://imagerie.blob.core.windows.net/dcm/0412.dcm?sv=2020&sig=c2lnbmF0dXJl"
    (row,) = SOURCE.decode([json.dumps(an_event(operationName="GetBlob", uri=uri)).encode()]).rows
    assert row.resource_id == "https://imagerie.blob.core.windows.net/dcm/0412.dcm"
    assert "sig=" not in repr(row)


def test_an_outcome_told_in_numbers_weighs_more_than_its_word() -> None:
    """Key Vault says Success of a request that was refused with 403."""
    (row,) = SOURCE.decode([json.dumps(an_event(properties={"httpStatusCode": 403})).encode()]).rows
    assert row.outcome == "minor-failure"
