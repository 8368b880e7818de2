"""Records that others wrote (standards bodies, vendors, nations) go through, but for those listed with their reason."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from streams.sources.fhir_auditevent import SOURCE
from tests.real import REAL, needs_real

FOLDERS: Final = ("fhir_auditevent", "fhir_balp", "fhir_national")
FILES: Final = sorted(path for folder in FOLDERS for kind in ("*.json", "*.xml") for path in (REAL / folder).rglob(kind))

# A person agreed to each of these.
REFUSED: Final = {
    # Every element replaced by the extension that says it is absent: no time, nobody.
    "minimal-AuditEvent-1.json": {("missing-field", "/recorded")},
    "minimal-AuditEvent-2.json": {("missing-field", "/recorded")},
    # Two appointments that a process engine logged without any agent; the 825 others have one.
    "auditEvents.json": {("no-actor", "/entry/0/resource/agent"), ("no-actor", "/entry/3/resource/agent")},
}
pytestmark = needs_real


def is_context(path: Path) -> bool:
    """Return whether a file holds what AuditEvents refer to, rather than one of them."""
    return path.parent.name == "_context"


each_file = pytest.mark.parametrize("path", [path for path in FILES if not is_context(path)], ids=lambda path: path.stem)


@each_file
def test_a_real_record_becomes_rows(path: Path) -> None:
    """All that says when and who is taken; what is refused is in the table, with code and place."""
    assert SOURCE.split is not None
    decoded = SOURCE.decode(SOURCE.split(path.read_bytes()))
    refused = {(one.code.value, one.pointer) for one in decoded.rejections}
    assert refused == REFUSED.get(path.name, set())
    assert decoded.rows or path.name in REFUSED


@pytest.mark.parametrize("path", [path for path in FILES if is_context(path)], ids=lambda path: path.stem)
def test_a_real_resource_of_another_kind_is_no_event(path: Path) -> None:
    """Patients, devices and consents that events refer to are refused when they come alone."""
    (rejection,) = SOURCE.decode([path.read_bytes()]).rejections
    assert rejection.code == "not-an-event"


def test_the_process_engines_bundle_loses_nothing() -> None:
    """827 entries: 825 rows and the two that name nobody."""
    path = next(path for path in FILES if path.name == "auditEvents.json")
    decoded = SOURCE.decode([path.read_bytes()])
    assert (len(decoded.rows), len(decoded.rejections)) == (825, 2)


def test_balp_patterns_tell_action_patient_and_person() -> None:
    """Every IHE pattern that has a patient or a user gives them, and the action its name says."""
    rows = {
        path.stem.removeprefix("AuditEvent-ex-auditBasic"): SOURCE.decode([path.read_bytes()]).rows[0]
        for path in FILES
        if path.stem.startswith("AuditEvent-ex-auditBasic")
    }
    said = {"Query": "search", "Patch": "update"}
    for name, row in rows.items():
        kind = next(kind for kind in ("Create", "Read", "Update", "Delete", "Query", "Patch") if name.startswith(kind))
        assert row.action == said.get(kind, kind.lower()), name
        assert row.patient_id == ("" if "NoPatient" in name else "ex-patient"), name
        assert row.client_address == "2001:db8:85a3::8a2e:370:7334", name
    services = {name for name, row in rows.items() if row.actor_type == "service"}
    assert services == {name for name in rows if "NoUser" in name} | {"UpdateNoPatient"}


def test_nations_tell_who_acts_for_the_patient() -> None:
    """New Zealand: patients, caregivers and delegatees act as the patient, providers as persons at work."""
    types = {path.stem[-3:].lstrip("e"): SOURCE.decode([path.read_bytes()]).rows[0] for path in FILES if "Hira" in path.stem}
    acting = {name: (row.actor_type, row.patient_id) for name, row in types.items()}
    assert {acting[name] for name in ("C1A", "C1B", "C1C", "UC2", "UC3")} == {("patient", "NHI123")}
    assert acting["UC4"] == ("human", "NHI123")
    assert types["UC4"].actor_unit == "org-123"


def test_xml_tells_what_json_does() -> None:
    """The Swiss audit trail consumption and HL7's own sources of R5: eleven files, thirteen events."""
    files = [path for path in FILES if path.suffix == ".xml"]
    rows = {row.id: row for row in SOURCE.decode([path.read_bytes() for path in files]).rows}
    assert (len(files), len(rows)) == (11, 13)
    read = rows["atc-doc-read-ass-hpc"]
    assert (read.action, read.purpose, read.patient_id, read.actor_role) == ("read", "EMER", "761337610469261945", "Assistant")
    assert rows["example-advanced-create"].resource_type == "List"
