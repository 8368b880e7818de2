"""Who works here and where, who is a patient here: units, staff, positions, patients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from sentinel.core.context import (
    EVER,
    FOREVER,
    ActorAlias,
    CareLink,
    ContextRecord,
    Identity,
    LinkKind,
    PatientAlias,
    PatientFlag,
    PatientRecord,
    Position,
    StaffMember,
    Unit,
)
from sentinel.core.errors import RejectedError, RejectionCode
from streams.context import resources as fhir
from streams.context.dates import is_date
from streams.context.folding import address_keys, fold
from streams.context.identifiers import aliases, is_fictitious, rpps
from streams.context.references import STAFF_KINDS, Scope, each

Used = TypeVar("Used", fhir.HumanName, fhir.Address)

_CONFIDENTIALITY: Final = "v3-Confidentiality"
_FLAGS: Final = {
    ("v3-ActCode", "CEL"): {PatientFlag.VIP},
    ("v3-ActCode", "EMP"): {PatientFlag.STAFF},
    ("v3-ActReason", "HTEST"): {PatientFlag.TEST},
    (_CONFIDENTIALITY, "R"): {PatientFlag.RESTRICTED},
    (_CONFIDENTIALITY, "V"): {PatientFlag.VIP, PatientFlag.RESTRICTED},
}
_NO_FLAGS: Final[frozenset[PatientFlag]] = frozenset()
_TEST: Final = frozenset({PatientFlag.TEST})
_SYSTEMS: Final = {  # the same code systems under the names they had before R4
    "urn:oid:2.16.840.1.113883.5.4": "v3-ActCode",
    "urn:oid:2.16.840.1.113883.5.8": "v3-ActReason",
    "urn:oid:2.16.840.1.113883.5.25": _CONFIDENTIALITY,
    "http://hl7.org/fhir/v3/ActCode": "v3-ActCode",
    "http://hl7.org/fhir/v3/ActReason": "v3-ActReason",
    "http://hl7.org/fhir/v3/Confidentiality": _CONFIDENTIALITY,
}
_NAME_USES: Final = ("official", "usual", None, "maiden", "temp", "old", "nickname")
_ADDRESS_USES: Final = ("home", None, "temp", "billing")  # never `work` (shared by colleagues) nor `old`


def organization(resource: fhir.Organization, at: Scope) -> Iterator[ContextRecord]:
    """Yield a unit."""
    yield _unit(at, resource.name, resource.identifier, resource.part_of, "/partOf")


def location(resource: fhir.Location, at: Scope) -> Iterator[ContextRecord]:
    """Yield a unit, below the place or else the organisation that it is part of."""
    if resource.part_of:
        yield _unit(at, resource.name, resource.identifier, resource.part_of, "/partOf")
    else:
        yield _unit(at, resource.name, resource.identifier, resource.managing_organization, "/managingOrganization")


def healthcare_service(resource: fhir.HealthcareService, at: Scope) -> Iterator[ContextRecord]:
    """Yield a unit, below the organisation that provides the service."""
    yield _unit(at, resource.name, resource.identifier, resource.provided_by, "/providedBy")


def _unit(
    at: Scope,
    name: str | None,
    identifiers: Sequence[fhir.Identifier] | None,
    above: fhir.Reference | None,
    pointer: str,
) -> Unit:
    parent = at.target(above, pointer)
    return Unit(at.id, name or "", parent.id if parent else "", aliases(identifiers, at.also_known, at.id))


def practitioner(resource: fhir.Practitioner, at: Scope) -> Iterator[ContextRecord]:
    """Yield a person at work."""
    name = _best(resource.name, _NAME_USES)
    others = (*at.also_known, *_mailboxes(resource.telecom))
    yield StaffMember(
        actor_id=at.id,
        name=_display(name),
        identity=_identity(name, resource.birth_date, resource.address),
        aliases=aliases(resource.identifier, others, at.id),
        rpps=rpps(resource.identifier),
        active=resource.active is not False,
    )


def _mailboxes(telecom: Sequence[fhir.ContactPoint] | None) -> Iterator[str]:
    """Yield work e-mail addresses: single sign-on and cloud logs name people by them."""
    for contact in telecom or ():
        if contact.system == "email" and contact.value and contact.use not in ("home", "old"):
            yield from (contact.value.strip(), contact.value.strip().lower())


def device(resource: fhir.Device, at: Scope) -> Iterator[ContextRecord]:
    """Yield a program or machine that acts on its own."""
    names = [*(resource.device_name or ()), *(resource.name or ())]
    told = [name.name or name.value for name in names]
    yield StaffMember(
        actor_id=at.id,
        name=resource.display_name or next((name for name in told if name), ""),
        identity=Identity(),
        aliases=aliases(resource.identifier, at.also_known, at.id),
        active=resource.status in (None, "active", "unknown"),
        is_service=True,
    )


def practitioner_role(resource: fhir.PractitionerRole, at: Scope) -> Iterator[ContextRecord]:
    """Yield the ids of a role as its holder's, and a position for each unit and role."""
    person = at.target(resource.practitioner, "/practitioner", "Practitioner")
    if person is None:
        return  # a vacant role says nothing of anybody
    window = at.period(resource.period, "/period")
    start, end = at.closed(window) if resource.active is False else window
    for alias in (at.id, *aliases(resource.identifier, at.also_known, at.id)):
        yield ActorAlias(alias, person.id)
    for unit in _role_units(resource, at) or [""]:
        for role in _roles(resource):
            yield Position(at.name, person.id, unit, role, start, end)


def _role_units(resource: fhir.PractitionerRole, at: Scope) -> list[str]:
    """Return each distinct unit of a role, the most precise first."""
    fields = {"/location": resource.location, "/healthcareService": resource.healthcare_service}
    found = [at.target(one, f"{path}{end}") for path, many in fields.items() for end, one in each(many)]
    found.append(at.target(resource.organization, "/organization"))
    return list(dict.fromkeys(unit.id for unit in found if unit))


def _roles(resource: fhir.PractitionerRole) -> list[str]:
    """Return each distinct role, folded, with the specialty that tells a radiologist from a surgeon."""
    specialty = next((fold(_text(one)) for one in resource.specialty or ()), "")
    codes = [fold(_text(code)) for code in resource.code or ()] or [""]
    return list(dict.fromkeys(code if specialty in code else f"{code} {specialty}".strip() for code in codes))


def _text(concept: fhir.CodeableConcept) -> str:
    """Return what people call a code: its display, else the text, else the code."""
    codings = concept.coding or ()
    shown = next((coding.display for coding in codings if coding.display), None)
    return shown or concept.text or next((coding.code for coding in codings if coding.code), None) or ""


def person(resource: fhir.Person, at: Scope) -> Iterator[ContextRecord]:
    """One human under several ids: each linked record gets the person's id and identifiers as aliases."""
    others = (at.id, f"Person|{at.id}", *aliases(resource.identifier, at.also_known, at.id))
    for index, link in enumerate(resource.link or ()):
        linked = at.target(link.target, f"/link/{index}/target")
        if linked and linked.kind == "Practitioner":
            yield from (ActorAlias(alias, linked.id) for alias in others)
        elif linked and linked.kind == "Patient":
            yield from (PatientAlias(alias, linked.id) for alias in others)


def patient(resource: fhir.Patient, at: Scope) -> Sequence[ContextRecord]:
    """Return a patient and their general practitioners; of a record merged into another, its ids alone."""
    links = list(_patient_links(resource, at)) if resource.link else []
    survivor = next((other for kind, other in links if kind == "replaced-by"), None)
    if survivor is not None:
        names = (at.id, *aliases(resource.identifier, at.also_known, at.id))
        return [PatientAlias(alias, survivor) for alias in names]
    replaced = [other for kind, other in links if kind == "replaces"]
    told = PatientRecord(
        patient_id=at.id,
        identity=_identity(_best(resource.name, _NAME_USES), resource.birth_date, resource.address),
        aliases=aliases(resource.identifier, (*at.also_known, *replaced), at.id),
        flags=_flags(resource.meta) | _TEST if is_fictitious(resource.identifier) else _flags(resource.meta),
        deceased_at=_deceased_at(resource, at),
        birth_date=_birth_date(resource.birth_date),
    )
    return (told, *_general_practitioners(resource, at)) if resource.general_practitioner else (told,)


def _patient_links(resource: fhir.Patient, at: Scope) -> Iterator[tuple[str, str]]:
    for index, link in enumerate(resource.link or ()):
        other = at.target(link.other, f"/link/{index}/other", "Patient")
        if other and other.kind == "Patient" and other.id != at.id:
            yield link.type or "", other.id


def _general_practitioners(resource: fhir.Patient, at: Scope) -> Iterator[ContextRecord]:
    for end, reference in each(resource.general_practitioner):
        doctor = at.target(reference, f"/generalPractitioner{end}", "Practitioner")
        if doctor and doctor.kind in STAFF_KINDS:
            yield CareLink(at.name, at.id, doctor.id, LinkKind.GENERAL_PRACTITIONER, EVER, FOREVER)


def _deceased_at(resource: fhir.Patient, at: Scope) -> int:
    """Return when the patient is surely dead: the end of the day told, else the day the record last changed."""
    if resource.deceased_date_time:
        return at.end(resource.deceased_date_time, "/deceasedDateTime")
    if resource.deceased_boolean:
        return at.end(at.last_updated, "/meta/lastUpdated")
    return FOREVER


def _flags(meta: fhir.Meta | None) -> frozenset[PatientFlag]:
    labels = meta.security if meta else None
    if not labels:
        return _NO_FLAGS
    return frozenset().union(*(_FLAGS.get((_system(label.system), label.code or ""), ()) for label in labels))


def _system(uri: str | None) -> str:
    return _SYSTEMS.get(uri or "") or (uri or "").rpartition("/")[2]


def _identity(name: fhir.HumanName | None, birth_date: str | None, addresses: Sequence[fhir.Address] | None) -> Identity:
    home = _best(addresses, _ADDRESS_USES)
    address, street = address_keys(*_where(home)) if home else ("", "")
    return Identity(
        family=fold(name.family or "") if name else "",
        given=fold(_first_given(name)) if name else "",
        birth_date=_birth_date(birth_date),
        address=address,
        street=street,
    )


def _where(address: fhir.Address) -> tuple[Sequence[str], str, str]:
    """Return lines, postal code and town; an address told as one text is all in its only line."""
    lines = [line for line in address.line or () if line]
    if not lines and address.text:
        return [address.text], "", ""
    return lines, address.postal_code or "", address.city or ""


def _birth_date(text: str | None) -> str:
    if text and not is_date(text):
        raise RejectedError(RejectionCode.BAD_TIME, "/birthDate", "not a FHIR date")
    return text or ""


def _best(items: Sequence[Used] | None, uses: tuple[str | None, ...]) -> Used | None:
    """Return the item whose use comes first in `uses`, those still valid before those that ended."""
    if not items:
        return None
    if len(items) == 1:
        return items[0] if items[0].use in uses else None

    def rank(item: Used) -> tuple[bool, int]:
        return bool(item.period and item.period.end), uses.index(item.use)

    return min((item for item in items if item.use in uses), key=rank, default=None)


def _first_given(name: fhir.HumanName) -> str:
    told = name.given
    return (told[0] if told and told[0] else next(filter(None, told or ()), None)) or ""


def _display(name: fhir.HumanName | None) -> str:
    if name is None:
        return ""
    return name.text or " ".join(part for part in (*(name.given or ()), name.family) if part)
