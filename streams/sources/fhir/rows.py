"""One AuditEvent into rows: what was done, by whom, when, to which patients, from where."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import (
    CONTROLS,
    EPOCH,
    REASON_MAX,
    TEXT_MAX,
    TIME_MAX_US,
    TIME_MIN_US,
    Action,
    Destination,
    EventRow,
    Outcome,
    moment,
)
from sentinel.core.ids import derive
from streams.sources.fhir.agents import Participants, told_participants
from streams.sources.fhir.codes import ACTIONS, EMERGENCY_PURPOSES, IMPORT_EVENT, LETTERS, OUTCOMES, TELLING_ACTIONS
from streams.sources.fhir.concepts import BETWEEN, concept, concepts, joined
from streams.sources.fhir.elements import Origin
from streams.sources.fhir.entities import Touched, touched
from streams.sources.fhir.kept import Kept
from streams.sources.fhir.references import NO_CONTENTS, Contents, code, codes, named, text_of
from streams.sources.shared.documents import BROKEN, refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.sources.fhir.elements import AuditEvent

# Plain strings, looked up once: an enumeration's member costs as much as the rest of its function.
_READ, _IMPORT, _SEARCH, _EXECUTE = (one.value for one in (Action.READ, Action.IMPORT, Action.SEARCH, Action.EXECUTE))
_LOGIN, _LOGIN_FAILED, _LOGOUT = (one.value for one in (Action.LOGIN, Action.LOGIN_FAILED, Action.LOGOUT))
_EXPORT, _SHARE, _PRINT, _OTHER = (one.value for one in (Action.EXPORT, Action.SHARE, Action.PRINT, Action.OTHER))
_UNKNOWN: Final = Outcome.UNKNOWN.value
REFINABLE: Final = frozenset({_LOGIN, _EXPORT})  # what outcome or destination say more of
PULLS: Final = frozenset({_READ, _IMPORT})  # data flows to who acts
_FAILURES: Final = frozenset(one.value for one in Outcome) - {Outcome.SUCCESS.value, _UNKNOWN}
_SESSIONS: Final = frozenset({_LOGIN, _LOGIN_FAILED, _LOGOUT})
_TO_SOMEBODY: Final = frozenset({Destination.EMAIL.value, Destination.LINK.value})

_decode_origin: Final = msgspec.json.Decoder(Origin | None).decode
_new_row: Final[Any] = tuple.__new__  # half the time of EventRow(...)


def rows_of(event: AuditEvent, document: bytes) -> list[EventRow]:
    """Return one row a patient, in the order they are told; one row when there is none.

    Raises:
        RejectedError: no time, nobody who acted, a field of another type than FHIR says, an id too long.
    """
    occurred_at = _occurred_at(event)
    contents = Contents(event.contained) if event.contained else NO_CONTENTS
    about = touched(event, contents)
    outcome, reason = _outcome(event)
    frame = _told_frame(event)
    action = action_told(frame.action, event.action or "", about)
    agents = told_participants(bytes(event.agent), contents, pulls=action in PULLS)
    if action in REFINABLE:
        action = refined(action, outcome, about, agents.destination)
    patients = list(about.patients) or patient_among(agents, action)
    who = agents.who
    purpose = leading((*frame.purposes, *who.purposes)) if who.purposes else frame.purpose
    id_, patient = event.id or _derived_id(document), patients[0] if patients else ""
    values = (
        id_,
        "",
        occurred_at,
        action,
        outcome,
        who.id,
        agents.actor_type,
        who.role,
        agents.unit,
        who.rpps,
        patient,
        about.resource_type[:TEXT_MAX],
        about.resource_id[:TEXT_MAX],
        about.sensitivity,
        about.records if about.records >= 0 else max(about.resources, 1),
        purpose,
        reason or frame.text or who.reason,
        agents.ip,
        agents.device,
        frame.application,
        frame.site,
        (about.session or about.request_id)[:TEXT_MAX],
        agents.destination,
        "",
    )
    row: EventRow = _new_row(EventRow, values)
    rows = [row] if len(patients) < 2 else one_a_patient(row, patients)
    if len(patients) > 1 or b"\\" in document or len(id_) + len(who.id) + len(patient) > TEXT_MAX:
        _check(rows, document)
    return rows


def one_a_patient(row: EventRow, patients: Sequence[str]) -> list[EventRow]:
    """Return a row a patient. How many records is told of the whole act: the first carries it, so that sums stay true."""
    others = enumerate(patients[1:], start=1)
    return [row, *(row._replace(sub=str(number), patient_id=one, resource_count=1) for number, one in others)]


def _occurred_at(event: AuditEvent) -> int:
    """Return when it happened, else when it was recorded, in µs since 1970 UTC."""
    if event.occurredDateTime:
        return instant(event.occurredDateTime, "/occurredDateTime")
    if event.occurredPeriod is not None and event.occurredPeriod.start:
        return instant(event.occurredPeriod.start, "/occurredPeriod/start")
    if event.period is not None and event.period.start:
        return instant(event.period.start, "/period/start")
    if event.recorded:
        return instant(event.recorded, "/recorded")
    raise RejectedError(Code.MISSING_FIELD, "/recorded", "no time at all")


def instant(text: str, pointer: str) -> int:
    """Return a time in µs since 1970 UTC.

    Raises:
        RejectedError: at `pointer`, it names no instant or is out of range.
    """
    try:
        time = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        time = _rare_instant(text, pointer)
    if time.tzinfo is None:
        raise RejectedError(Code.BAD_TIME, pointer, "a time without an offset names no instant")
    delta = time - _epoch(time.tzinfo)
    result = (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
    if not TIME_MIN_US <= result < TIME_MAX_US:
        raise RejectedError(Code.BAD_TIME, pointer, "out of 1990..2100")
    return result


@lru_cache(maxsize=64)
def _epoch(offset: tzinfo) -> datetime:
    """Return the epoch as told with an offset: times of one offset are subtracted in a tenth of the time."""
    return EPOCH.astimezone(offset)


_DATE_ALONE: Final = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?)?", re.ASCII)


def _rare_instant(text: str, pointer: str) -> datetime:
    """Return a leap second. A date alone is FHIR too, but names no instant."""
    try:
        return moment(text)
    except ValueError:
        alone = _DATE_ALONE.fullmatch(text)
        detail = "a date alone names no instant" if alone else "not an RFC 3339 time with an offset"
        raise RejectedError(Code.BAD_TIME, pointer, detail) from None


class Frame(Struct, frozen=True, gc=False):
    """What few combinations of an event's elements tell: the same for most events of a system. Empty when not told."""

    action: str  # by the most telling code
    purposes: tuple[str, ...]
    purpose: str  # which of them leads
    text: str  # of the purposes, the first
    application: str
    site: str


def _told_frame(event: AuditEvent) -> Frame:
    raws = (event.type, event.subtype, event.code, event.category, event.purposeOfEvent, event.authorization, event.source)
    return _frames[joined(raws)]


def _frame_of(parts: bytes) -> Frame:
    type_, subtype, code_, category, purpose, authorization, source = parts.split(BETWEEN)
    action = _action_of(type_, subtype, code_, category)
    purposes = [*concepts(purpose, "/purposeOfEvent"), *concepts(authorization, "/authorization")]
    told = tuple(codes(purposes))
    return Frame(action, told, leading(told), text_of(purposes)[:REASON_MAX], *_application_and_site(source))


_frames: Final = Kept(_frame_of)


def action_told(coded: str, letter: str, about: Touched) -> str:
    """Return what was done: what the codes tell, else the entity's life cycle, else the letter (C, R, U, D, E)."""
    if told := coded or about.lifecycle:
        return told
    if about.exports:
        return _EXPORT
    if letter == "E":
        return _SEARCH if about.queries else _EXECUTE
    return LETTERS.get(letter, _OTHER)


def _action_of(type_: bytes, subtype: bytes, code_: bytes, category: bytes) -> str:
    types = tuple(codes([concept(type_, "/type"), *concepts(category, "/category")]))
    return action_coded(types, tuple(codes([*concepts(subtype, "/subtype"), concept(code_, "/code")])))


def action_coded(types: Sequence[str], subtypes: Sequence[str]) -> str:
    """Return what subtypes, then types, tell, empty when nothing; a disclosure seen by who receives it is an import."""
    told = (*subtypes, *types)
    for meaning in (TELLING_ACTIONS, ACTIONS):
        if action := next((meaning[one] for one in told if one in meaning), ""):
            return _IMPORT if action == _SHARE and IMPORT_EVENT in types else action
    return ""


def refined(action: str, outcome: str, about: Touched, destination: str) -> str:
    """Return `login-failed` for a login that did; where an export went to, `share` or `print`."""
    if action == _LOGIN and outcome in _FAILURES:
        return _LOGIN_FAILED
    if action == _EXPORT:
        if about.lifecycle == _SHARE or destination in _TO_SOMEBODY:
            return _SHARE
        if destination == Destination.PAPER:
            return _PRINT
    return action


def patient_among(agents: Participants, action: str) -> list[str]:
    """Return the patient that an agent is, who acts on their own record or is acted for, when no entity tells one."""
    return [agents.patient_id] if agents.patient_id and action not in _SESSIONS else []


def _outcome(event: AuditEvent) -> tuple[str, str]:
    """Return how it ended, and the text about it; what is not told is unknown, not a success."""
    told, text = event.outcome, event.outcomeDesc
    if told is None or isinstance(told, str):
        return OUTCOMES.get(told or "", _UNKNOWN), text[:REASON_MAX] if text else ""
    texts = (one.text or one.display or "" for one in told.detail or ())
    return OUTCOMES.get(code(told.code), _UNKNOWN), next(filter(None, texts), "")[:REASON_MAX]


def leading(purposes: Sequence[str]) -> str:
    """Return the purpose that counts: an emergency wherever it stands, else the first; empty when there is none."""
    first = purposes[0] if purposes else ""
    return next((one for one in purposes if one in EMERGENCY_PURPOSES), first)[:TEXT_MAX]


def _application_and_site(raw: bytes) -> tuple[str, str]:
    """Return the application that recorded the event, and its site."""
    try:
        origin = (_decode_origin(raw) if raw else None) or Origin()
    except BROKEN as error:
        raise refusal(error, raw, "/source") from None
    observer = named(origin.observer)
    application = observer.display or observer.id or (origin.identifier.value if origin.identifier else None) or ""
    if isinstance(origin.site, str):
        return application[:TEXT_MAX], origin.site[:TEXT_MAX]
    site = named(origin.site)
    return application[:TEXT_MAX], (site.display or site.id)[:TEXT_MAX]


def _derived_id(document: bytes) -> str:
    """Return an id that depends on what the resource says, not on the order of its keys or its blanks."""
    try:
        content = msgspec.json.decode(document)
    except BROKEN as error:  # in what was skipped until here
        raise refusal(error, document) from None
    return derive("event", msgspec.json.encode(content, order="sorted").decode())


_may_hold_controls: Final = re.compile(rb"\\(?:u00[01]|[bf])").search
_IDS: Final = {"/id": "id", "/agent": "actor_id", "/entity": "patient_id"}


def _check(rows: Sequence[EventRow], document: bytes) -> None:
    """Refuse ids that would have to be cut, and control characters, which FHIR strings cannot hold."""
    for row in rows:
        if len(row.id) > TEXT_MAX or len(row.actor_id) > TEXT_MAX or len(row.patient_id) > TEXT_MAX:
            pointer = next(pointer for pointer, name in _IDS.items() if len(getattr(row, name)) > TEXT_MAX)
            raise RejectedError(Code.BAD_VALUE, pointer, f"an id of more than {TEXT_MAX} characters")
    if _may_hold_controls(document):
        texts = (text for row in rows for text in row if isinstance(text, str))
        if any(map(CONTROLS.search, texts)):
            raise RejectedError(Code.BAD_VALUE, "", "control character")
