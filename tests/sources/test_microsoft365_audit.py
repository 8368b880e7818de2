"""Records of the unified audit log become rows, whatever exported them; what cannot is refused with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sentinel.core.errors import RejectionCode as Code
from streams.sources.microsoft.operations import meaning_of
from streams.sources.microsoft365_audit import SOURCE, split
from tests.sources.records import refusals, told

GOLDEN = Path(__file__).parent / "golden" / "microsoft365_audit"


def a_record(**fields: Any) -> dict[str, Any]:
    """Return the smallest record that is taken, with these fields; None leaves one out."""
    record: dict[str, Any] = {
        "CreationTime": "2025-03-04T09:15:30",
        "Id": "o-1",
        "Operation": "Send",
        "UserId": "jdupont@chu.example",
    }
    return told(record | fields)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", (Code.UNPARSEABLE, "")),
        (b"a,b,c", (Code.UNPARSEABLE, "")),
        (b'1,"{""Operation"":""Send""}"', (Code.MISSING_FIELD, "/AuditData/CreationTime")),
        ({}, (Code.NOT_AN_EVENT, "")),
        ({"AuditData": "{"}, (Code.UNPARSEABLE, "/AuditData")),
        ({"AuditData": "{}"}, (Code.NOT_AN_EVENT, "/AuditData")),
        ({"AuditData": a_record(CreationTime="3/4/2025 9:15")}, (Code.BAD_TIME, "/AuditData/CreationTime")),
        (a_record(CreationTime=None), (Code.MISSING_FIELD, "/CreationTime")),
        (a_record(CreationTime="soon"), (Code.BAD_TIME, "/CreationTime")),
        (a_record(Operation=5), (Code.WRONG_TYPE, "/Operation")),
        (a_record(UserId=None), (Code.NO_ACTOR, "/UserId")),
        (a_record(Folders=[5]), (Code.WRONG_TYPE, "/Folders/0")),
        (a_record(UserId="x" * 300), (Code.BAD_VALUE, "/UserId")),
    ],
)
def test_what_is_no_event_is_refused_where_it_is_wrong(document: object, why: tuple[Code, str]) -> None:
    """Each refusal has a code and a pointer to what is wrong."""
    assert refusals(SOURCE, document) == [why]


def test_an_export_in_csv_is_read_as_a_file_and_line_by_line() -> None:
    """Its header is no record and no refusal."""
    data = (GOLDEN / "export.csv").read_bytes()
    whole, lines = SOURCE.decode(split(data)), SOURCE.decode(data.splitlines())
    assert len(whole.rows) == 2
    assert lines.rows == whole.rows
    assert not lines.rejections


def test_a_time_is_utc() -> None:
    """Microsoft writes UTC, without saying so; what says otherwise is believed."""
    times = ("2025-03-04T09:15:30", "2025-03-04T09:15:30Z", "2025-03-04T10:15:30+01:00")
    decoded = SOURCE.decode([json.dumps(a_record(CreationTime=time)).encode() for time in times])
    assert len({row.occurred_at for row in decoded.rows}) == 1


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("ListUpdated", "update"),
        ("FolderDeletedSecondStageRecycleBin", "delete"),
        ("TeamSettingChanged", "update"),
        ("New-DlpCompliancePolicy", "permission-change"),
        ("Get-MailboxPermission", "read"),
        ("Add member to role.", "permission-change"),
        ("Quarantine", "other"),
        ("", "other"),
    ],
)
def test_an_operation_that_nobody_listed_means_what_its_words_say(operation: str, action: str) -> None:
    """Cmdlets by their verb, sentences by their words, the others by how they end."""
    assert meaning_of(operation).action == action
