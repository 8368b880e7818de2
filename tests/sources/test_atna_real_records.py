"""Audit messages that archives, registries and standards bodies wrote go through, but for those listed with their reason."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from sentinel.core.event import EventRow
from streams.sources.dicom_atna import SOURCE, split
from tests.real import REAL, needs_real

FILES: Final = sorted(path for path in (REAL / "dicom_atna").rglob("*") if path.is_file())

# A person agreed to each of these.
TIME: Final = "/EventIdentification/EventDateTime"
REFUSED: Final = {
    "atna-record-1.xml": {("bad-time", TIME)},  # without an offset, which both standards want unambiguous
    "query-03.xml": {("missing-field", TIME)},  # dcm4chee's documentation left the time out
    "query-04.xml": {("missing-field", TIME)},
}

pytestmark = needs_real


def rows_of(name: str) -> list[EventRow]:
    """Return the rows of a file by its name."""
    return SOURCE.decode(split(next(path for path in FILES if path.name == name).read_bytes())).rows


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_real_message_becomes_rows(path: Path) -> None:
    """All that says when and who is taken; what is refused is in the table, with code and place."""
    records = split(path.read_bytes())
    decoded = SOURCE.decode(records)
    assert len(records) == 1
    assert {(one.code.value, one.pointer) for one in decoded.rejections} == REFUSED.get(path.name, set())
    assert decoded.rows or path.name in REFUSED


def test_an_archive_tells_action_person_and_study() -> None:
    """DICOM's own example: 1,503 instances sent by a person at a reading room."""
    (row,) = rows_of("dicom-instances-transferred.xml")
    assert (row.action, row.actor_id, row.actor_type) == ("create", "smitty@readingroom.hospital.org", "human")
    assert (row.patient_id, row.resource_type, row.resource_count) == ("ptid12345", "ImagingStudy", 1503)
    assert (row.client_address, row.device, row.application, row.site) == ("192.168.1.2", "AEFOO", "ReadingRoom", "Hospital")


def test_a_person_is_told_from_the_machines_they_used() -> None:
    """Swiss retrieval: the professional with their role, neither their token nor the two systems."""
    (row,) = rows_of("atna-record-2.xml")
    assert (row.action, row.actor_id, row.actor_role) == ("read", "7601002860123", "Healthcare Professional")
    assert (row.patient_id, row.purpose, row.client_address) == ("PATIENT1", "NORM", "10.0.1.42")
    (login,) = rows_of("user-authentication-01.xml")
    assert (login.action, login.actor_id, login.actor_type) == ("login", "admin", "human")


def test_several_patients_are_several_rows() -> None:
    """A demographics query that found four; a link of identities that touched four."""
    assert [row.patient_id for row in rows_of("pdq.xml")] == ["24", "78246", "27", "78106"]
    assert [row.sub for row in rows_of("xpidsource.xml")] == ["", "1", "2", "3"]


def test_a_syslog_line_is_read_with_its_header() -> None:
    """OpenHIM's, over many lines."""
    (row,) = rows_of("testAuditMessage.txt")
    assert (row.action, row.patient_id, row.client_address) == ("search", "fc133984036647e", "192.168.1.111")
