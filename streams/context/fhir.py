"""FHIR R4, R4B and R5 resources in, context records out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from operator import or_
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from sentinel.core.context import ContextRecord, Withdrawn
from sentinel.core.errors import RejectedError, RejectionCode
from streams.context import care, people
from streams.context import resources as fhir
from streams.context.care import REQUESTS
from streams.context.dates import PARIS
from streams.context.references import Scope, checked_id, parse

Mapper = Callable[[Any, Scope], Iterable[ContextRecord]]

_MAPPERS: Final[dict[type[fhir.Resource], Mapper]] = {
    fhir.Organization: people.organization,
    fhir.Location: people.location,
    fhir.HealthcareService: people.healthcare_service,
    fhir.Practitioner: people.practitioner,
    fhir.Device: people.device,
    fhir.PractitionerRole: people.practitioner_role,
    fhir.Person: people.person,
    fhir.Patient: people.patient,
    fhir.EpisodeOfCare: care.episode_of_care,
    fhir.Encounter: care.encounter,
    fhir.Appointment: care.appointment,
    fhir.CareTeam: care.care_team,
    **dict.fromkeys(fhir.Act.__subclasses__(), care.act),
}

CONTEXT_TYPES: Final = frozenset(kind.__name__ for kind in _MAPPERS)
"""The resource types that are read. A Bundle of them is read too; its other entries are passed over."""

_PEOPLE_AND_UNITS: Final = (
    fhir.Organization,
    fhir.Location,
    fhir.HealthcareService,
    fhir.Practitioner,
    fhir.Device,
    fhir.Person,
)
_WITHDRAWN: Final = frozenset({"entered-in-error", "cancelled", "not-done"})
_NEVER_ASKED: Final = frozenset({"entered-in-error"})
_BOM: Final = b"\xef\xbb\xbf"
_STEP: Final = re.compile(r"\.(\w+)|\[(\d+)\]")


class _Reading(NamedTuple):
    """How a resource of one type is read.

    `withdrawn`: the statuses that say it never held, being a mistake or planned and not happened. A request that was
    called off was made all the same, and whoever made it had a reason. `replaces`: what it said before is tied to its id.
    """

    kind: str
    records: Mapper
    withdrawn: frozenset[str]
    replaces: bool


_READINGS: Final = {
    kind: _Reading(kind.__name__, mapper, _NEVER_ASKED if kind in REQUESTS else _WITHDRAWN, kind not in _PEOPLE_AND_UNITS)
    for kind, mapper in _MAPPERS.items()
}
_decoder: Final[msgspec.json.Decoder[fhir.Resource]] = msgspec.json.Decoder(
    reduce(or_, (*_MAPPERS, fhir.Bundle))  # one union, told apart by resourceType
)
_kind: Final = msgspec.json.Decoder(fhir.Kind)


def decode(resource: bytes | Mapping[str, object], zone: ZoneInfo = PARIS) -> list[ContextRecord]:
    """Return what one resource, or all resources of a Bundle, tell of the hospital.

    Dates without a time of day are days of `zone`. Records about people, patients and units carry
    plain ids, as events do; the id of positions, stays and links is that of the resource
    ("Encounter/e1"). A resource that gives such records begins with its `Withdrawn`, so that what
    an earlier version of it said no longer holds.

    Raises:
        RejectedError: the first resource that cannot be read, with a code and a JSON pointer;
            `not-an-event` for a resource type that is not in `CONTEXT_TYPES`.
    """
    records: list[ContextRecord] = []
    for result in decode_each(resource, zone):
        if isinstance(result, RejectedError):
            raise result
        records += result
    return records


def decode_each(resource: bytes | Mapping[str, object], zone: ZoneInfo = PARIS) -> Iterable[list[ContextRecord] | RejectedError]:
    """Return the records of each resource: the resource itself, or each entry of a Bundle that is read.

    A resource that cannot be read gives the reason; the other entries go on.
    """
    try:
        found = _parsed(resource)
        return _entries(found, zone) if isinstance(found, fhir.Bundle) else (_records(found, zone),)
    except RejectedError as error:
        return (error,)


def told(resource: Mapping[str, object], zone: ZoneInfo = PARIS) -> list[ContextRecord]:
    """Return what one resource tells, beside what others of the same id told: a row of a table.

    Raises:
        RejectedError: as `decode`.
    """
    return _records(_parsed(resource), zone, replacing=False)


def _entries(bundle: fhir.Bundle, zone: ZoneInfo) -> Iterator[list[ContextRecord] | RejectedError]:
    entries = list(enumerate(bundle.entry or ()))
    kinds = {entry.full_url: _kind_of(entry.resource) for _, entry in entries if entry.full_url}
    for index, entry in reversed(entries) if bundle.type == "history" else entries:
        try:
            yield _entry(entry, zone, kinds)
        except RejectedError as error:
            yield RejectedError(error.code, f"/entry/{index}/resource{error.pointer}", error.detail)


def _entry(entry: fhir.Entry, zone: ZoneInfo, kinds: Mapping[str, str]) -> list[ContextRecord]:
    """Return an entry's records; nothing for a type that is not read, such as an OperationOutcome."""
    if _kind_of(entry.resource) in CONTEXT_TYPES:
        known_as = parse(entry.full_url).id if entry.full_url else ""
        return _records(_parsed(bytes(entry.resource)), zone, kinds, known_as)
    if entry.request and entry.request.method == "DELETE":
        deleted = parse(entry.request.url or "")
        return [Withdrawn(f"{deleted.kind}/{deleted.id}")] if deleted.kind in CONTEXT_TYPES else []
    return []


def _kind_of(raw: msgspec.Raw) -> str:
    """Return the resource type; empty when it cannot be read."""
    try:
        return _kind.decode(raw).resource_type or "" if raw else ""
    except (ValueError, RecursionError):
        return ""


def _records(
    resource: fhir.Resource,
    zone: ZoneInfo,
    kinds: Mapping[str, str] = MappingProxyType({}),
    known_as: str = "",
    *,
    replacing: bool = True,
) -> list[ContextRecord]:
    """Return the records of a resource, after the withdrawal of what it said before where they are tied to its id."""
    own = resource.id or known_as
    if not own:
        raise RejectedError(RejectionCode.MISSING_FIELD, "/id", "a resource is known by its id")
    kind, mapper, withdrawn, replaces = _READINGS[type(resource)]
    name = f"{kind}/{checked_id(own, '/id')}"
    is_withdrawn = getattr(resource, "status", None) in withdrawn
    records: list[ContextRecord] = [Withdrawn(name)] if is_withdrawn or (replacing and replaces) else []
    if not is_withdrawn:
        others = (known_as,) if known_as and known_as != own else ()
        changed = resource.meta.last_updated if resource.meta else None
        records += mapper(resource, Scope(name, own, others, changed, resource.contained or (), kinds, zone))
    return records


def _parsed(resource: bytes | Mapping[str, object]) -> fhir.Resource:
    try:
        raw = resource if isinstance(resource, bytes) else msgspec.json.encode(resource, enc_hook=_plain)
        return _decoder.decode(raw.removeprefix(_BOM))
    except msgspec.ValidationError as error:
        raise _mismatch(str(error)) from None
    except UnicodeError:
        raise RejectedError(RejectionCode.NOT_UTF8, "", "not UTF-8 text") from None
    except RecursionError:
        raise RejectedError(RejectionCode.TOO_DEEP, "", "nested too deep") from None
    except (ValueError, TypeError, OverflowError):
        raise RejectedError(RejectionCode.UNPARSEABLE, "", "not JSON") from None


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError("not a JSON value")


def _mismatch(message: str) -> RejectedError:
    """Return the rejection that a msgspec message stands for; the message names types and fields, we keep the path."""
    pointer = "".join(f"/{name or index}" for name, index in _STEP.findall(message.rpartition("`$")[2]))
    if pointer == "/resourceType":
        return RejectedError(RejectionCode.NOT_AN_EVENT, pointer, "not a resource type that is read")
    if "`resourceType`" in message:
        return RejectedError(RejectionCode.MISSING_FIELD, "/resourceType", "a resource says its type")
    return RejectedError(RejectionCode.WRONG_TYPE, pointer, "another type than FHIR says")
