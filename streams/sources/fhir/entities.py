"""What an AuditEvent is about: the patients, the resource, how many records, under which protection."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from sentinel.core.event import COUNT_MAX
from streams.sources.fhir.codes import COUNT_TYPES, LABEL_RANK_OTHER, LABEL_RANKS, LIFECYCLES, REQUEST_TYPES
from streams.sources.fhir.queries import decoded, query_of
from streams.sources.fhir.references import Named, code, codes, cx_id, named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.sources.fhir.elements import AuditEvent, Concept, Detail, Entity, Extension
    from streams.sources.fhir.references import Contents

PATIENT_ROLE: Final = "1"  # http://terminology.hl7.org/CodeSystem/object-role
QUERY_ROLE: Final = "24"
PERSON_TYPE: Final = "1"  # http://terminology.hl7.org/CodeSystem/audit-entity-type
# A domain resource says best what was touched, then a report, then whatever else there is.
_RANKS: Final = {"4": 0, "3": 1}
_RANK_OTHER: Final = 2
_RANK_NONE: Final = 3
_NOT_TOUCHED: Final = "OperationOutcome"  # what went wrong
_COUNT_DIGITS_MAX: Final = 10


class Touched(Struct):
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

    def add(self, entity: Entity, contents: Contents) -> None:
        """Take in one entity."""
        kind, role = code(entity.type), code(entity.role)
        what = named(entity.what or entity.reference, contents)
        if entity.identifier is not None and not what.id:  # STU3
            what = replace(what, id=entity.identifier.value or "")
        if len(kind) > 2 and _plain(kind) in REQUEST_TYPES:  # the numbered types are no words
            self._add_request(kind, what.id)
            return
        if is_patient := _is_patient(what.type, kind, role):
            self._add_patient(what)
        if entity.query or role == QUERY_ROLE:
            self._add_query(entity)
        if not is_patient or (what.type and role != PATIENT_ROLE):  # a Patient resource may be what was read
            self._add_resource(entity, what, kind, role)
        if entity.securityLabel:
            self._add_labels(entity.securityLabel)
        if entity.lifecycle is not None and not self.lifecycle:
            self.lifecycle = LIFECYCLES.get(code(entity.lifecycle), "")
        if entity.detail or entity.extension:
            self._add_properties(entity)

    def _add_request(self, kind: str, id_: str) -> None:
        if "session" in kind.lower():
            self.session = self.session or id_
        else:
            self.request_id = self.request_id or id_

    def _add_patient(self, what: Named) -> None:
        if id_ := cx_id(what.id):
            among = self.patients if what.type else self.patients_by_identifier
            among[id_] = None

    def _add_query(self, entity: Entity) -> None:
        self.queries = True
        query = query_of(decoded(entity.query) if entity.query else entity.description or "")
        self.queried_type = self.queried_type or query.type
        self.patients_queried.update(dict.fromkeys(query.patients))
        self.request_id = self.request_id or query.request_id
        self.exports = self.exports or query.exports

    def _add_resource(self, entity: Entity, what: Named, kind: str, role: str) -> None:
        id_ = what.id or entity.name or ""
        type_ = what.type or (kind if kind[:1].isupper() else "")
        if type_ == _NOT_TOUCHED or not (id_ or type_):
            return
        self.resources += 1
        rank = _RANKS.get(role, _RANK_OTHER)
        if rank < self.resource_rank:
            self.resource_rank, self.resource_type, self.resource_id = rank, type_, id_

    def _add_labels(self, labels: Sequence[Concept]) -> None:
        """Keep the most protecting label, the first of equals."""
        for label in codes(labels):
            rank = LABEL_RANKS.get(label, LABEL_RANK_OTHER)
            if not self.sensitivity or rank > LABEL_RANKS.get(self.sensitivity, LABEL_RANK_OTHER):
                self.sensitivity = label

    def _add_properties(self, entity: Entity) -> None:
        """Take in details and extensions. Several numbers on one entity are one number told twice."""
        told = [self._detail(detail) for detail in entity.detail or ()]
        told += [self._extension(extension) for extension in entity.extension or ()]
        if (count := max(told)) >= 0:
            self.records = min(max(self.records, 0) + count, COUNT_MAX)

    def _detail(self, detail: Detail) -> int:
        """Return the number of records a detail tells, -1 when it tells something else."""
        concept = detail.type
        name = concept if isinstance(concept, str) else code(concept) or (concept.text if concept else None)
        plain = _plain(name or "")
        if plain in COUNT_TYPES:
            return _count(detail)
        if plain in REQUEST_TYPES and detail.valueString:
            self._add_request(plain, detail.valueString)
        return -1

    def _extension(self, extension: Extension) -> int:
        url = extension.url or ""
        if url.endswith("/auditevent-Lifecycle"):
            self.lifecycle = self.lifecycle or LIFECYCLES.get(code(extension.valueCodeableConcept), "")
        if url.endswith("/auditevent-NumberOfInstances") and extension.valueInteger is not None:
            return extension.valueInteger
        return -1

    def settle(self, event: AuditEvent, contents: Contents) -> None:
        """Decide who the patients are, after all entities, and what was touched when no entity tells.

        R5's `patient` leads; an identifier alone may be that patient's, so it counts only without it.
        """
        told = named(event.patient, contents) if event.patient is not None else _in_extension(event, contents)
        if told.id:
            self.patients = {cx_id(told.id): None, **self.patients}
        else:
            self.patients.update(self.patients_by_identifier)
        if not self.resource_type and not self.resource_id:
            self.resource_type = self.queried_type
            if not self.queried_type and self.patients:
                self.resource_type, self.resource_id = "Patient", next(iter(self.patients))
        self.patients = self.patients or self.patients_queried


def touched(event: AuditEvent, contents: Contents) -> Touched:
    """Return what the elements and entities of an event tell together."""
    found = Touched()
    for entity in event.entity or ():
        found.add(entity, contents)
    found.settle(event, contents)
    return found


@lru_cache(maxsize=256)
def _plain(name: str) -> str:
    """Return a name without its case and signs: `X-Request-Id` and `XrequestId` are the same."""
    return "".join(filter(str.isalpha, name)).lower()


def _in_extension(event: AuditEvent, contents: Contents) -> Named:
    """Return the patient that an extension tells, as R4 has no element for it."""
    for extension in event.extension or ():
        if "patient" in (extension.url or "").rpartition("/")[2].lower():
            identifier = extension.valueIdentifier
            told = Named(id=identifier.value or "") if identifier else named(extension.valueReference, contents)
            if told.id:
                return told
    return Named()


def _is_patient(type_: str, kind: str, role: str) -> bool:
    """Return whether an entity is a patient: by its reference, else by its role, else a person without any."""
    if type_:
        return type_ == "Patient"
    return role == PATIENT_ROLE or kind == "Patient" or (kind == PERSON_TYPE and not role)


def _count(detail: Detail) -> int:
    """Return a number of records told as integer, quantity, text or base64 of text; -1 when it is none."""
    if detail.valueInteger is not None:
        return min(detail.valueInteger, COUNT_MAX)
    if detail.valueQuantity is not None:
        return int(min(max(detail.valueQuantity.value or 0, -1), COUNT_MAX))
    encoded = detail.valueBase64Binary or detail.value
    text = (detail.valueString or (decoded(encoded) if encoded else "")).strip()
    return min(int(text), COUNT_MAX) if len(text) <= _COUNT_DIGITS_MAX and text.isascii() and text.isdigit() else -1
