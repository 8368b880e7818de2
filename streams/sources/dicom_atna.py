"""DICOM audit messages (PS3.15 A.5, RFC 3881, IHE ATNA): XML, with or without the syslog header that carried it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sentinel.core.errors import RejectedError, Rejection
from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import REASON_MAX, TEXT_MAX, EventRow, Outcome
from sentinel.core.ids import derive
from streams.sources.atna.cast import Cast, cast_of
from streams.sources.atna.codes import FIXED_LETTERS
from streams.sources.atna.elements import Message, parsed
from streams.sources.atna.framing import document_of, split
from streams.sources.atna.plans import PLACEHOLDER, planned
from streams.sources.atna.things import touched
from streams.sources.contract import Decoded, Source
from streams.sources.fhir.codes import OUTCOMES
from streams.sources.fhir.kept import Kept
from streams.sources.fhir.rows import (
    PULLS,
    REFINABLE,
    action_coded,
    action_told,
    instant,
    leading,
    one_a_patient,
    patient_among,
    refined,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.sources.fhir.agents import Participants
    from streams.sources.fhir.entities import Touched

RECORD_BYTES_MAX: Final = 1 << 20  # PS3.15 A.6 wants 32 KiB at least
CAST_ROOM: Final = 8 << 20

_UNKNOWN: Final = Outcome.UNKNOWN.value
_PARTICIPANT, _THING, _END = b"<ActiveParticipant", b"<ParticipantObjectIdentification", b"</AuditMessage"
_PLACEHOLDER: Final = PLACEHOLDER.encode()
_OF_OTHERS: Final = (b"Event", b"PurposeOfUse", b"ParticipantObject", b"SOPClass", b"AuditMessage")
_BETWEEN, _THEN = "\0", "\1"  # which no XML holds
_new_row: Final[Any] = tuple.__new__  # half the time of EventRow(...)


def decode(records: Sequence[bytes]) -> Decoded:
    """Return the rows of all messages in their order, several for several patients, and what was refused."""
    decoded = Decoded()
    for index, record in enumerate(records):
        _take(decoded, index, record, "")
    return decoded


def _take(decoded: Decoded, index: int, record: bytes, pointer: str) -> None:
    """Add the rows of a record, or why there are none; one that nobody cut is cut here."""
    try:
        rows = _rows(record)
    except RejectedError as error:
        if not pointer and len(several := split(record)) > 1:
            for number, one in enumerate(several):
                _take(decoded, index, one, f"/{number}")
            return
        decoded.rejections.append(Rejection(index, error.code, pointer + error.pointer, error.detail))
    else:
        decoded.rows += rows
        decoded.records += [index] * len(rows)


def _rows(record: bytes) -> list[EventRow]:
    """Return one row a patient, in the order they are told; one row when there is none."""
    if len(record) > RECORD_BYTES_MAX:
        raise RejectedError(Code.TOO_LARGE, detail=f"more than {RECORD_BYTES_MAX} bytes")
    document = document_of(record)
    message, cast = _read(document)
    event = message.event
    about = touched(message.things)
    outcome = OUTCOMES.get(event.get("EventOutcomeIndicator", ""), _UNKNOWN)
    action, agents = _told(message, cast, about, outcome)
    patients = list(about.patients) or patient_among(agents, action)
    who = agents.who
    values = (
        derive("event", _content(document)),
        "",
        _occurred_at(event.get("EventDateTime", "")),
        action,
        outcome,
        who.id,
        agents.actor_type,
        who.role,
        agents.unit,
        who.rpps,
        patients[0] if patients else "",
        about.resource_type[:TEXT_MAX],
        about.resource_id[:TEXT_MAX],
        about.sensitivity,
        about.records if about.records >= 0 else max(about.resources, 1),
        leading(message.purposes) if message.purposes else "",
        message.description.strip()[:REASON_MAX],
        agents.ip,
        agents.device,
        cast.application,
        cast.site,
        (about.session or about.request_id)[:TEXT_MAX],
        agents.destination,
        "",
    )
    row: EventRow = _new_row(EventRow, values)
    if len(who.id) + sum(map(len, patients)) > TEXT_MAX:
        _check(who.id, patients)
    return [row] if len(patients) < 2 else one_a_patient(row, patients)


def _read(document: bytes) -> tuple[Message, Cast]:
    """Return what a message says, and who took part in it: the same people at the same machines come again and again."""
    begin = document.find(_PARTICIPANT)
    end = document.find(_THING, begin)
    end = end if end > 0 else document.rfind(_END)
    cast = _casts[document[begin:end]] if 0 < begin < end else None
    if cast is not None:
        message = planned(b"%b%b%b" % (document[:begin], _PLACEHOLDER, document[end:]))
        if message is not None:
            return message, cast
    message = parsed(document)
    if message.roots != 1:
        raise RejectedError(Code.NOT_AN_EVENT, detail="not one AuditMessage")
    return message, cast_of(message)


def _cast_alone(elements: bytes) -> Cast | None:
    """Return who took part by elements cut out of a message; None when they are not whole, or not about that alone."""
    if any(name in elements for name in _OF_OTHERS):
        return None
    try:
        message = parsed(b"<_>%b</_>" % elements)
    except RejectedError:
        return None
    return cast_of(message) if message.participants and message.source else None


_casts: Final = Kept[bytes, "Cast | None"](_cast_alone, room=CAST_ROOM)


def _told(message: Message, cast: Cast, about: Touched, outcome: str) -> tuple[str, Participants]:
    """Return what was done, and who did it."""
    coded = _actions[f"{_BETWEEN.join(message.types)}{_THEN}{_BETWEEN.join(message.subtypes)}"]
    letter = message.event.get("EventActionCode") or next((FIXED_LETTERS.get(one, "") for one in message.types), "")
    action = action_told(coded, letter, about)
    agents = cast.pulling if action in PULLS else cast.pushing
    if agents is None:
        raise RejectedError(Code.NO_ACTOR, "/ActiveParticipant", "nobody told by id or name")
    if action in REFINABLE:
        action = refined(action, outcome, about, agents.destination)
    return action, agents


def _action_of(codes: str) -> str:
    types, _, subtypes = codes.partition(_THEN)
    return action_coded(types.split(_BETWEEN), subtypes.split(_BETWEEN))


_actions: Final = Kept[str, str](_action_of)


def _occurred_at(text: str) -> int:
    if not text:
        raise RejectedError(Code.MISSING_FIELD, "/EventIdentification/EventDateTime", "no time at all")
    return instant(text.strip(), "/EventIdentification/EventDateTime")


def _content(document: bytes) -> str:
    """Return what tells a message from all others: all of it but its declaration and its blanks."""
    if document.startswith(b"<?xml"):
        document = document.partition(b"?>")[2]
    return document.translate(None, b" \t\r\n").decode("latin-1")  # whatever the encoding


def _check(actor: str, patients: Sequence[str]) -> None:
    """Refuse ids that would have to be cut."""
    if len(actor) > TEXT_MAX:
        raise RejectedError(Code.BAD_VALUE, "/ActiveParticipant", f"an id of more than {TEXT_MAX} characters")
    if any(len(patient) > TEXT_MAX for patient in patients):
        raise RejectedError(Code.BAD_VALUE, "/ParticipantObjectIdentification", f"an id of more than {TEXT_MAX} characters")


SOURCE: Final = Source(
    name="dicom_atna",
    title="DICOM audit messages, IHE ATNA, RFC 3881 (XML, syslog)",
    decode=decode,
    media_types=("application/xml", "text/xml", "text/plain"),
    split=split,
)
