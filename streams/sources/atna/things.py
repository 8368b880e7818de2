"""What an audit message is about: patients, studies, documents, queries, how many records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sentinel.core.event import COUNT_MAX
from streams.sources.atna.codes import RESOURCES, UNKNOWN_PATIENTS
from streams.sources.fhir.elements import Detail, Entity, Extension
from streams.sources.fhir.entities import PATIENT_ROLE, PERSON_TYPE, Part, Touched, part_of
from streams.sources.fhir.kept import Kept
from streams.sources.fhir.references import cx_id, target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.sources.atna.elements import Attributes, Thing

_BETWEEN: Final = "\0"  # which no XML holds
_DIGITS_MAX: Final = 10
_INSTANCES: Final = "/auditevent-NumberOfInstances"


def _part_of(codes: str) -> Part:
    kind, role, id_type, lifecycle, sensitivity = codes.split(_BETWEEN)
    names = RESOURCES.get(id_type) or ("" if id_type[:1].isupper() else id_type)
    # A patient's life cycle is the record's at the registry: the letter says what was done to it.
    of_person = kind == PERSON_TYPE and role in (PATIENT_ROLE, "")
    return part_of(kind, names, role, "" if of_person else lifecycle, (sensitivity,) if sensitivity else ())


_parts: Final = Kept[str, Part](_part_of)


def touched(things: Sequence[Thing]) -> Touched:
    """Return what the objects of a message tell together."""
    found = Touched()
    for thing in things:
        _take(found, thing, _parts[_codes(thing)])
    found.settle()
    return found


def _codes(thing: Thing) -> str:
    get = thing.attributes.get
    return (
        f"{get('ParticipantObjectTypeCode', '')}\0{get('ParticipantObjectTypeCodeRole', '')}\0{thing.id_type}\0"
        f"{get('ParticipantObjectDataLifeCycle', '')}\0{get('ParticipantObjectSensitivity', '')}"
    )


def _take(found: Touched, thing: Thing, part: Part) -> None:
    id_ = thing.attributes.get("ParticipantObjectID", "").strip()
    if part.is_session:
        found.session = found.session or id_
    elif part.is_request:
        found.request_id = found.request_id or id_
    elif part.is_patient:
        if patient := _patient_id(id_):
            found.patients_by_identifier[patient] = None
        _take_rest(found, thing, part)
    else:
        found.add_resource(part.resource_type, id_, part.rank)
        _take_rest(found, thing, part)


def _take_rest(found: Touched, thing: Thing, part: Part) -> None:
    if thing.query or thing.details:
        found.add_rest(_entity(thing), part)
        return
    if not part.is_plain:
        found.add_marks(part)
    if thing.classes and (instances := _instances(thing)) >= 0:
        found.add_records(instances)


def _entity(thing: Thing) -> Entity:
    """Return of an object what few objects tell, as FHIR's AuditEvent would tell it."""
    instances = _instances(thing)
    return Entity(
        query=thing.query.strip() or None,
        detail=[_detail(one) for one in thing.details],
        extension=[Extension(url=_INSTANCES, valueInteger=instances)] if instances >= 0 else None,
    )


def _instances(thing: Thing) -> int:
    """Return how many instances the SOP classes of a study have together, -1 when none tells."""
    told = [int(one) for one in thing.classes if len(one) <= _DIGITS_MAX and one.isascii() and one.isdigit()]
    return min(sum(told), COUNT_MAX) if told else -1


def _detail(told: Attributes) -> Detail:
    return Detail(type=told.get("type"), value=told.get("value"))


def _patient_id(text: str) -> str:
    """Return the id of a CX, a FHIR reference or a token (`system|id`), as FHIR's AuditEvent has it; empty: nobody."""
    id_ = cx_id(text).rpartition("|")[2]
    if "/" in id_:
        id_ = target(id_)[1]
    return "" if id_ in UNKNOWN_PATIENTS else id_
