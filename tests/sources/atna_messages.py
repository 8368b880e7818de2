"""Audit messages for tests, put together from their parts, and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import quoteattr

from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import EventRow
from streams.sources.dicom_atna import SOURCE, split

GOLDEN = Path(__file__).parent / "golden" / "dicom_atna"
MESSAGES = [record for path in sorted(GOLDEN.glob("*.xml")) for record in split(path.read_bytes())]
HEADER = "<85>1 2025-03-04T09:15:30.300Z pacs-1 dcm 4711 IHE+RFC-3881 - "
TIME = "2025-03-04T10:15:30.250+01:00"


def attributes(**values: str | None) -> str:
    """Return attributes as XML, those that are None left out."""
    return "".join(f" {name}={quoteattr(value)}" for name, value in values.items() if value is not None)


def coded(element: str, code: str, **more: str) -> str:
    """Return a coded value as DICOM writes it."""
    return f"<{element}{attributes(**{'csd-code': code}, **more)}/>"


def event(
    id_: str = "110103", letter: str | None = "R", *types: str, outcome: str = "0", time: str | None = TIME, inner: str = ""
) -> str:
    """Return an EventIdentification."""
    told = attributes(EventActionCode=letter, EventDateTime=time, EventOutcomeIndicator=outcome)
    held = coded("EventID", id_) + "".join(coded("EventTypeCode", one) for one in types) + inner
    return f"<EventIdentification{told}>{held}</EventIdentification>"


def participant(user: str = "p-17", *roles: str, inner: str = "", requestor: str = "true", **more: str) -> str:
    """Return an ActiveParticipant."""
    told = attributes(UserID=user, UserIsRequestor=requestor, **more)
    return f"<ActiveParticipant{told}>{''.join(coded('RoleIDCode', role) for role in roles)}{inner}</ActiveParticipant>"


def thing(id_: str, type_: str = "2", role: str | None = "3", id_type: str = "110180", inner: str = "") -> str:
    """Return a ParticipantObjectIdentification."""
    told = attributes(ParticipantObjectID=id_, ParticipantObjectTypeCode=type_, ParticipantObjectTypeCodeRole=role)
    held = coded("ParticipantObjectIDTypeCode", id_type) + inner
    return f"<ParticipantObjectIdentification{told}>{held}</ParticipantObjectIdentification>"


def patient(id_: str) -> str:
    """Return a patient."""
    return thing(id_, "1", "1", "2")


def message(*parts: str, declaration: str = '<?xml version="1.0" encoding="UTF-8"?>') -> str:
    """Return an AuditMessage of an event, participants and objects; its source stands before the first object."""
    source = '<AuditSourceIdentification AuditSourceID="pacs"/>'
    at = next((number for number, part in enumerate(parts) if part.startswith("<ParticipantObject")), len(parts))
    return f"{declaration}<AuditMessage>{''.join((*parts[:at], source, *parts[at:]))}</AuditMessage>"


def rows_of(*parts: str) -> list[EventRow]:
    """Return all rows of a message, which must not be refused."""
    decoded = SOURCE.decode([message(*parts).encode()])
    assert not decoded.rejections
    return decoded.rows


def row_of(*parts: str) -> EventRow:
    """Return the only row of a message."""
    (row,) = rows_of(*parts)
    return row


def refusal(record: str | bytes) -> tuple[Code, str]:
    """Return why a record is refused, and where."""
    (rejection,) = SOURCE.decode([record.encode() if isinstance(record, str) else record]).rejections
    return rejection.code, rejection.pointer
