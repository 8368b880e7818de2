"""What references, identifiers and search URLs of an AuditEvent point at."""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from streams.sources.fhir.codes import RPPS_SYSTEMS
from streams.sources.fhir.elements import Concept, Contained, Identifier
from streams.sources.fhir.kept import Kept
from streams.sources.shared.documents import BROKEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from msgspec import Raw

    from streams.sources.fhir.elements import Reference

REFERENCES_MAX: Final = 2_048
REFERENCE_CHARS_MAX: Final = 1_024
IDPNS_LENGTH: Final = 12  # IDNPS: one digit for the kind of number, 8 for RPPS, then its eleven

_KIND: Final = r"[A-Z][a-z][A-Za-z]{1,62}"
_LITERAL: Final = re.compile(rf"(?:^|/)({_KIND})/([^/?#|\s]+)(?:/_history/[^/]+)?(?:/\$[a-z-]+)?$")
_KIND_ALONE: Final = re.compile(rf"/({_KIND})/?$")


class Named(Struct, frozen=True, gc=False):
    """Who or what a Reference names; `identifiers` are the business identifiers told with it."""

    type: str = ""
    id: str = ""
    display: str = ""
    identifiers: tuple[Identifier, ...] = ()
    organization: str = ""  # of a contained PractitionerRole, as is the role
    role: Concept | None = None


NOTHING: Final = Named()
_decode_contained: Final = msgspec.json.Decoder(Contained).decode


class Contents:
    """The contained resources of an event, by their ids; read when a `#` reference asks for them."""

    def __init__(self, documents: Sequence[Raw] = ()) -> None:
        self._documents = documents

    @cached_property
    def _by_id(self) -> dict[str, Contained]:
        return {one.id: one for one in map(_contained, self._documents) if one.id}

    def named(self, id_: str) -> Named:
        """Return who or what a contained resource is; a PractitionerRole is its practitioner, at its organisation."""
        resource = self._by_id.get(id_)
        if resource is None:
            return Named(id=id_)
        told = resource.identifier
        own = tuple(told) if isinstance(told, list) else (told,) if told is not None else ()
        person = self._practitioner(resource)
        value = person.id or next((one.value for one in own if one.value), None) or id_
        unit = named(resource.organization)
        organization = unit.id or unit.display
        role = resource.code[0] if isinstance(resource.code, list) and resource.code else None
        return Named(resource.resourceType or "", value, person.display, (*person.identifiers, *own), organization, role)

    def _practitioner(self, role: Contained) -> Named:
        reference = role.practitioner.reference if role.practitioner is not None else None
        if not reference or reference[0] != "#":
            return named(role.practitioner)
        practitioner = self._by_id.get(reference[1:])
        # Followed once: a practitioner has no practitioner, and what refers to itself must end.
        return NOTHING if practitioner is None or practitioner.practitioner is not None else self.named(reference[1:])


def _contained(document: Raw) -> Contained:
    try:
        return _decode_contained(document)
    except BROKEN:
        return Contained()  # of a kind whose fields have other types: nobody we could name


NO_CONTENTS: Final = Contents()


@lru_cache(maxsize=REFERENCES_MAX)
def target(reference: str) -> tuple[str, str]:
    """Return the type and id a literal reference points at: `Patient/1`, absolute, versioned; else the text as an id."""
    path, _, query = reference[:REFERENCE_CHARS_MAX].partition("?")
    if match := _LITERAL.search(path):
        return match[1], match[2]
    if match := _KIND_ALONE.search(f"/{path}" if query else path):
        return match[1], ""
    return "", reference[:REFERENCE_CHARS_MAX]


def pointed_at(reference: Reference | None, contents: Contents = NO_CONTENTS) -> tuple[str, str]:
    """Return the type and id of what a Reference names, empty when not told: all that is needed of a thing."""
    if reference is None:
        return "", ""
    text = reference.reference
    if text:
        base, _, id_ = text.rpartition("/")
        if (kind := _kinds[base]) and (id_.isalnum() or id_.replace("-", "").isalnum()):
            return kind, id_  # nearly all: what `target` would say, in a third of the time
        if text[0] == "#":
            found = contents.named(text[1:])
            return found.type, found.id
    type_, id_ = target(text) if text else _NOWHERE
    identifier = reference.identifier
    return type_ or reference.type or "", id_ or (identifier.value if identifier is not None else None) or ""


_NOWHERE: Final = ("", "")
_BASE_CHARS_MAX: Final = REFERENCE_CHARS_MAX // 2  # what is cut after it is no id by then


def _kind_of(base: str) -> str:
    """Return the type at the end of what stands before an id, empty when there is none or it takes a closer look."""
    kind = base.rpartition("/")[2]
    return kind if re.fullmatch(_KIND, kind) and len(base) <= _BASE_CHARS_MAX and _ODD.isdisjoint(base) else ""


_ODD: Final = frozenset("?#")
_kinds: Final = Kept(_kind_of, room=1 << 16)


def named(reference: Reference | None, contents: Contents = NO_CONTENTS) -> Named:
    """Return what a Reference names; one to a contained resource is followed to its identifiers."""
    if reference is None:
        return NOTHING
    text, identifier, display = reference.reference, reference.identifier, reference.display
    if text and text[0] == "#":
        found = contents.named(text[1:])
        return replace(found, display=found.display or display or "")
    return Named(*pointed_at(reference), display or "", (identifier,) if identifier is not None else ())


def rpps(identifiers: Sequence[Identifier]) -> str:
    """Return the eleven digits of a French health professional's national number, empty when not told."""
    for identifier in identifiers:
        value = identifier.value
        if value and identifier.system in RPPS_SYSTEMS:
            return value[1:] if len(value) == IDPNS_LENGTH and value[0] == "8" else value
    return ""


def cx_id(value: str) -> str:
    """Return the id of an HL7 v2 CX (`id^^^authority`), anything else as it is."""
    return value.partition("^^^")[0]


def text_of(concepts: Sequence[Concept]) -> str:
    """Return the first text, empty when there is none."""
    for concept in concepts:
        if concept.text:
            return concept.text
    return ""


def codes(concepts: Sequence[Concept | None] | None) -> Iterator[str]:
    """Yield the codes of Codings and CodeableConcepts in their order."""
    for concept in concepts or ():
        if concept is None:
            continue
        if concept.code:
            yield concept.code
        for coding in concept.coding or ():
            if coding.code:
                yield coding.code


def code(concept: Concept | None) -> str:
    """Return the first code, empty when there is none."""
    if concept is None:
        return ""
    if concept.code:
        return concept.code
    for coding in concept.coding or ():
        if coding.code:
            return coding.code
    return ""
