"""AuditEvents for tests, and what becomes of them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import EventRow
from streams.sources.fhir_auditevent import SOURCE
from tests.sources.records import refusals, told

GOLDEN = Path(__file__).parent / "golden" / "fhir_auditevent"
EVENTS = [
    json.loads(path.read_bytes())
    for path in sorted(GOLDEN.glob("*.json"))
    if not path.name.endswith(".expected.json") and not path.name.startswith("bundle")
]
DCM = "http://dicom.nema.org/resources/ontology/DCM"
PERSON = {"who": {"reference": "Practitioner/p-17"}, "requestor": True}


def an_event(**fields: Any) -> dict[str, Any]:
    """Return the smallest event that is taken, with these fields; None leaves one out."""
    event = {"resourceType": "AuditEvent", "id": "a-1", "recorded": "2025-03-04T09:15:30Z", "agent": [PERSON]}
    return told(event | fields)


def row_of(**fields: Any) -> EventRow:
    """Return the only row of an event."""
    (row,) = rows_of(**fields)
    return row


def rows_of(**fields: Any) -> list[EventRow]:
    """Return all rows of an event, which must not be refused."""
    decoded = SOURCE.decode([json.dumps(an_event(**fields)).encode()])
    assert not decoded.rejections
    return decoded.rows


def refusal(document: object) -> tuple[Code, str]:
    """Return why a document is refused, and where."""
    (why,) = refusals(SOURCE, document)
    return why


def coding(code: str, system: str = DCM) -> dict[str, Any]:
    """Return a Coding."""
    return {"system": system, "code": code}


def concept(code: str, system: str = DCM) -> dict[str, Any]:
    """Return a CodeableConcept."""
    return {"coding": [coding(code, system)]}


def encoded(text: str) -> str:
    """Return a base64Binary."""
    return base64.b64encode(text.encode()).decode()


ABSENT = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
QUERY = {"role": coding("24")}
