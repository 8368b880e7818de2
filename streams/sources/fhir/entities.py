"""What an AuditEvent is about: the patients, the resource, how many records, under which protection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from sentinel.core.errors import RejectedError
from sentinel.core.event import COUNT_MAX, TEXT_MAX
from streams.sources.fhir.codes import COUNT_TYPES, LABEL_RANK_OTHER, LABEL_RANKS, LIFECYCLES, REQUEST_TYPES, SESSION_TYPES
from streams.sources.fhir.concepts import BETWEEN, concept, concepts, joined
from streams.sources.fhir.kept import Kept
from streams.sources.fhir.queries import decoded, query_of
from streams.sources.fhir.references import Named, code, codes, cx_id, named, pointed_at
from streams.sources.shared.documents import refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.sources.fhir.elements import AuditEvent, Detail, Entity, Extension
    from streams.sources.fhir.references import Contents

PATIENT_ROLE: Final = "1"  # http://terminology.hl7.org/CodeSystem/object-role
QUERY_ROLE: Final = "24"
PERSON_TYPE: Final = "1"  # http://terminology.hl7.org/CodeSystem/audit-entity-type
# A domain resource says best what was touched, then a report, then whatever else there is.
_RANKS: Final = {"4": 0, "3": 1}
_RANK_OTHER: Final = 2
_RANK_NONE: Final = 3
_NOWHERE: Final = ("", "")
_NOT_TOUCHED: Final = "OperationOutcome"  # what went wrong
_COUNT_DIGITS_MAX: Final = 10


class Part(Struct, frozen=True, gc=False):
    """What the codes of an entity tell: its part in the event, and how it is protected."""

    is_session: bool
    is_request: bool  # or a session: nothing that was touched
    is_patient: bool  # as long as no reference says otherwise: by role, else a person without any
    is_patient_role: bool
    queries: bool
    resource_type: str
    rank: int
    lifecycle: str  # the action that a life cycle tells
    sensitivity: str  # the most protecting label, the first of equals
    is_plain: bool  # a part and a type alone, as nearly all: no query, life cycle or label


def _part_of(parts: bytes) -> Part:
    raw_type, raw_role, raw_lifecycle, labels = parts.split(BETWEEN)
    kind, role = code(concept(raw_type, "/type")), code(concept(raw_role, "/role"))
    lifecycle = code(concept(raw_lifecycle, "/lifecycle"))
    return part_of(kind, kind, role, lifecycle, codes(concepts(labels, "/securityLabel")))


def part_of(kind: str, names: str, role: str, lifecycle_code: str, labels: Iterable[str]) -> Part:
    """Return what codes tell; `kind`: a person, a system object …; `names`: a kind of resource, a session, a request."""
    lifecycle = LIFECYCLES.get(lifecycle_code, "")
    sensitivity = max(labels, key=_protection, default="")[:TEXT_MAX]
    plain = _plain[names]
    return Part(
        is_session=plain in SESSION_TYPES,
        is_request=plain in SESSION_TYPES or plain in REQUEST_TYPES,
        is_patient=role == PATIENT_ROLE or kind == "Patient" or (kind == PERSON_TYPE and not role),
        is_patient_role=role == PATIENT_ROLE,
        queries=role == QUERY_ROLE,
        resource_type=names if names[:1].isupper() else "",
        rank=_RANKS.get(role, _RANK_OTHER),
        lifecycle=lifecycle,
        sensitivity=sensitivity,
        is_plain=role != QUERY_ROLE and not lifecycle and not sensitivity,
    )


def _protection(label: str) -> int:
    return LABEL_RANKS.get(label, LABEL_RANK_OTHER) if label else -1


_parts: Final = Kept(_part_of)


class Touched(Struct, gc=False):
    """What an event was about, gathered entity by entity. Texts are empty when not told."""

    patients: dict[str, None] = {}  # in the order told
    patients_by_identifier: dict[str, None] = {}
    patients_queried: dict[str, None] = {}

    resource_type: str = ""
    resource_id: str = ""
    resource_rank: int = _RANK_NONE
    resources: int = 0
    records: int = -1  # how many records the details tell; -1: they don't
    sensitivity: str = ""
    session: str = ""
    request_id: str = ""
    lifecycle: str = ""  # the action that a life cycle tells
    queried_type: str = ""
    queries: bool = False
    exports: bool = False

    def add_request(self, id_: str, part: Part) -> None:
        """Take in the id of a session, or of a request: each the first that is told."""
        if part.is_session:
            self.session = id_
        else:
            self.request_id = self.request_id or id_

    def add_resource(self, type_: str, id_: str, rank: int) -> None:
        """Take in a resource, unless it is none: the first of those of the best rank is what was touched."""
        if type_ == _NOT_TOUCHED or not (id_ or type_):
            return
        self.resources += 1
        if rank < self.resource_rank:
            self.resource_rank, self.resource_type, self.resource_id = rank, type_, id_

    def add_rest(self, entity: Entity, part: Part) -> None:
        """Take in what few entities tell."""
        if entity.query or part.queries:
            self._add_query(entity)
        self.add_marks(part)
        if entity.detail or entity.extension:
            self._add_properties(entity)

    def add_marks(self, part: Part) -> None:
        """Take in a label and a life cycle."""
        self.sensitivity = max(self.sensitivity, part.sensitivity, key=_protection)
        self.lifecycle = self.lifecycle or part.lifecycle

    def _add_query(self, entity: Entity) -> None:
        self.queries = True
        query = query_of(decoded(entity.query) if entity.query else entity.description or "")
        self.queried_type = self.queried_type or query.type
        self.patients_queried.update(dict.fromkeys(query.patients))
        self.request_id = self.request_id or query.request_id
        self.exports = self.exports or query.exports

    def _add_properties(self, entity: Entity) -> None:
        """Take in details and extensions. Several numbers on one entity are one number told twice."""
        told = [self._detail(detail) for detail in entity.detail or ()]
        told += [self._extension(extension) for extension in entity.extension or ()]
        if (count := max(told)) >= 0:
            self.add_records(count)

    def add_records(self, count: int) -> None:
        """Take in how many records one entity stands for."""
        self.records = min(max(self.records, 0) + count, COUNT_MAX)

    def _detail(self, detail: Detail) -> int:
        """Return the number of records a detail tells, -1 when it tells something else."""
        concept = detail.type
        name = concept if isinstance(concept, str) else code(concept) or (concept.text if concept else None)
        plain = _plain[name or ""]
        if plain in COUNT_TYPES:
            return _count(detail)
        if plain in SESSION_TYPES:
            self.session = self.session or detail.valueString or ""
        elif plain in REQUEST_TYPES:
            self.request_id = self.request_id or detail.valueString or ""
        return -1

    def _extension(self, extension: Extension) -> int:
        url = extension.url or ""
        if url.endswith("/auditevent-Lifecycle"):
            self.lifecycle = self.lifecycle or LIFECYCLES.get(code(extension.valueCodeableConcept), "")
        if url.endswith("/auditevent-NumberOfInstances") and extension.valueInteger is not None:
            return extension.valueInteger
        return -1

    def settle(self, told: str = "") -> None:
        """Decide who the patients are, after all entities, and what was touched when no entity tells.

        `told`, the event's own patient (R5's `patient`), leads; an identifier alone may be that patient's, so it
        counts only without it.
        """
        if told:
            self.patients = {told: None, **self.patients}
        elif self.patients_by_identifier:
            self.patients.update(self.patients_by_identifier)
        if not self.resource_type and not self.resource_id:
            self.resource_type = self.queried_type
            if not self.queried_type and self.patients:
                self.resource_type, self.resource_id = "Patient", next(iter(self.patients))
        self.patients = self.patients or self.patients_queried


def touched(event: AuditEvent, contents: Contents) -> Touched:
    """Return what the elements and entities of an event tell together."""
    found = Touched()
    for number, entity in enumerate(event.entity or ()):
        try:
            part = _parts[joined((entity.type, entity.role, entity.lifecycle, entity.securityLabel))]
        except RejectedError as error:
            raise refusal(error, b"", f"/entity/{number}") from None
        if part.is_request and found.session:  # which leads: nothing else of a request is read
            continue
        what = entity.what or entity.reference
        type_, id_ = pointed_at(what, contents) if what is not None else _NOWHERE
        if not id_ and entity.identifier is not None:  # STU3
            id_ = entity.identifier.value or ""
        if part.is_request:
            found.add_request(id_, part)
            continue
        is_patient = type_ == "Patient" if type_ else part.is_patient
        if is_patient and (patient := cx_id(id_)):
            (found.patients if type_ else found.patients_by_identifier)[patient] = None
        if not is_patient or (type_ and not part.is_patient_role):  # a Patient resource may be what was read
            found.add_resource(type_ or part.resource_type, id_ or entity.name or "", part.rank)
        if not part.is_plain or entity.query or entity.detail or entity.extension:
            found.add_rest(entity, part)
    found.settle(_told_patient(event, contents) if event.patient is not None or event.extension else "")
    return found


def _plain_name(name: str) -> str:
    """Return a name without its case and signs: `X-Request-Id` and `XrequestId` are the same."""
    return "".join(filter(str.isalpha, name)).lower()


_plain: Final = Kept(_plain_name, room=1 << 16)


def _told_patient(event: AuditEvent, contents: Contents) -> str:
    """Return the patient that the event's element tells, or, as R4 has none, an extension."""
    if event.patient is not None:
        return cx_id(named(event.patient, contents).id)
    for extension in event.extension or ():
        if "patient" in (extension.url or "").rpartition("/")[2].lower():
            identifier = extension.valueIdentifier
            told = Named(id=identifier.value or "") if identifier else named(extension.valueReference, contents)
            if told.id:
                return cx_id(told.id)
    return ""


def _count(detail: Detail) -> int:
    """Return a number of records told as integer, quantity, text or base64 of text; -1 when it is none."""
    if detail.valueInteger is not None:
        return min(detail.valueInteger, COUNT_MAX)
    if detail.valueQuantity is not None:
        return int(min(max(detail.valueQuantity.value or 0, -1), COUNT_MAX))
    encoded = detail.valueBase64Binary or detail.value
    text = (detail.valueString or (decoded(encoded) if encoded else "")).strip()
    return min(int(text), COUNT_MAX) if len(text) <= _COUNT_DIGITS_MAX and text.isascii() and text.isdigit() else -1
