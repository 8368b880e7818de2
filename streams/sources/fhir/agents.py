"""Who took part in an AuditEvent: which agent is the person who acts, which machines carry it out."""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from sentinel.core.event import REASON_MAX, TEXT_MAX, Destination, normal_address
from streams.sources.fhir.codes import (
    DELEGATOR,
    DESTINATION_END,
    EXCHANGE_ENDS,
    MACHINE_RESOURCES,
    MACHINES,
    MEDIA,
    NOT_ROLES,
    ORGANISATION_RESOURCES,
    ORGANISATION_SYSTEM,
    ORGANISATIONS,
    PARTICIPATIONS,
    PATIENT_RESOURCES,
    PATIENT_SYSTEMS,
    PATIENTS,
    PERSON_RESOURCES,
    PERSONS,
    SOURCE_END,
    STAFF_RESOURCES,
    TOKEN_AGENTS,
)
from streams.sources.fhir.references import NO_CONTENTS, Contents, Named, code, codes, cx_id, named, rpps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.sources.fhir.elements import Agent, Concept, Identifier

ADDRESSES_MAX: Final = 65_536
EMAIL_NETWORK, URI_NETWORK = "4", "5"  # http://hl7.org/fhir/network-type


class Kind(IntEnum):
    """What an agent is, as far as it is told."""

    PERSON = 0
    UNTOLD = 1
    MACHINE = 2
    ORGANISATION = 3
    MEDIUM = 4


class Party(Struct, frozen=True, gc=False):
    """One agent, digested. Texts are cut to what a row takes, and empty when not told."""

    id: str
    # How early this agent is asked whether it acted, and whether it is where the person sat: when data
    # flows from who acts, and when it flows to them.
    acting_ranks: tuple[int, int]
    seat_ranks: tuple[int, int]
    rpps: str
    role: str
    unit: str  # on whose behalf
    organisation: str  # when this agent is one, and not merely where data went
    is_person: bool
    is_machine: bool
    is_patient: bool  # or acts for the patient
    patient_id: str  # when this agent is the patient
    ip: str
    host: str
    label: str  # what a machine is called
    destination: str  # the medium data went to, or mail when this is a destination whose address is one
    purposes: tuple[str, ...]
    reason: str


class Participants(Struct, frozen=True, gc=False):
    """All agents of an event together: who acted, from where and to where. Texts are empty when not told."""

    who: Party
    unit: str
    patient_id: str
    ip: str
    device: str
    destination: str


def participants(parties: Sequence[Party], *, pulls: bool) -> Participants | None:
    """Return who acted, None when nobody can be named; `pulls`: data flows to who acts (read, import), not from."""
    who = seat = NOBODY
    organisation = patient_id = destination = ""
    for one in parties:
        if one.acting_ranks[pulls] < who.acting_ranks[pulls]:
            who = one
        if one.seat_ranks[pulls] < seat.seat_ranks[pulls]:
            seat = one
        organisation = organisation or one.organisation
        patient_id = patient_id or one.patient_id
        destination = destination or one.destination
    if who is NOBODY:
        return None
    if who.is_machine:
        seat = who
    return Participants(who, who.unit or organisation, patient_id, who.ip or seat.ip, who.host or seat.label, destination)


_LAST: Final = (9, 9)
NOBODY: Final = Party(
    id="",
    acting_ranks=_LAST,
    seat_ranks=_LAST,
    rpps="",
    role="",
    unit="",
    organisation="",
    is_person=False,
    is_machine=False,
    is_patient=False,
    patient_id="",
    ip="",
    host="",
    label="",
    destination="",
    purposes=(),
    reason="",
)


def party(agent: Agent, contents: Contents = NO_CONTENTS) -> Party:
    """Return the digest of an agent."""
    who = named(agent.who or agent.reference, contents)
    told = {*codes((agent.type,)), *codes(agent.role)}
    alternative, unit = _extensions(agent, contents)
    identifiers = (*who.identifiers, *(one for one in (agent.userId, alternative) if one is not None))
    kind = _kind(agent, who, told)
    id_ = _id(agent, who, identifiers, told)
    address, network = _network(agent)
    ip, host = _ip_or_host(address[:TEXT_MAX], network)
    name = id_ or agent.name or who.display
    patient_id = _patient_id(who, id_, told)
    is_patient = bool(patient_id) or _acts_as_patient(who, told)
    purposes = (*(agent.purposeOfUse or ()), *(agent.authorization or ()))
    return Party(
        id=name,
        acting_ranks=_acting_ranks(agent, kind, told, is_patient=is_patient) if name else _LAST,
        seat_ranks=_seat_ranks(told) if kind is Kind.MACHINE and (ip or host) else _LAST,
        rpps=rpps(identifiers)[:TEXT_MAX],
        role=_role(agent, who)[:TEXT_MAX],
        unit=(unit or who.organization)[:TEXT_MAX],
        organisation=name[:TEXT_MAX] if kind is Kind.ORGANISATION and EXCHANGE_ENDS.isdisjoint(told) else "",
        is_person=kind < Kind.MACHINE,
        is_machine=kind is Kind.MACHINE,
        is_patient=is_patient,
        patient_id=patient_id,
        ip=ip,
        host=host,
        label=(host or who.display or agent.name or id_)[:TEXT_MAX],
        destination=_destination(agent, told, network),
        purposes=tuple(codes(purposes)),
        reason=next((one.text for one in purposes if one.text), "")[:REASON_MAX],
    )


def _acting_ranks(agent: Agent, kind: Kind, told: set[str], *, is_patient: bool) -> tuple[int, int]:
    """Return how early a named agent is taken to have acted: persons, those who requested, the acting end.

    A patient said not to have requested it, and without a part in it, is whom the event is about.
    """
    if kind is Kind.MEDIUM:
        return _LAST
    if is_patient and agent.requestor is False and PARTICIPATIONS.isdisjoint(told):
        rank = 8
    elif kind < Kind.MACHINE:
        rank = kind if agent.requestor else kind + 2
    elif kind is Kind.ORGANISATION:
        rank = 7
    elif agent.requestor:
        rank = 4
    else:
        return 5 + (SOURCE_END not in told), 5 + (DESTINATION_END not in told)
    return rank, rank


def _seat_ranks(told: set[str]) -> tuple[int, int]:
    """Return how early a machine is taken for the person's: the acting end, an application, the other end."""
    if EXCHANGE_ENDS.isdisjoint(told):
        return 1, 1
    return 2 * (SOURCE_END not in told), 2 * (DESTINATION_END not in told)


def _destination(agent: Agent, told: set[str], network: str) -> str:
    if medium := code(agent.media):
        return MEDIA.get(medium, Destination.OTHER.value)
    return Destination.EMAIL.value if network == EMAIL_NETWORK and DESTINATION_END in told else ""


def _id(agent: Agent, who: Named, identifiers: Sequence[Identifier], told: set[str]) -> str:
    """Return what identifies an agent: reference, identifier, alternative id; of a token's holder, the token."""
    if id_ := who.id or next((one.value for one in identifiers if one.value), None) or agent.altId:
        return id_
    named_otherwise = agent.name or who.display or TOKEN_AGENTS.isdisjoint(told)
    return "" if named_otherwise or not agent.policy else agent.policy[0]


def _kind(agent: Agent, who: Named, told: set[str]) -> Kind:
    """Return what an agent is: the resource it refers to tells more than the codes of its part."""
    if who.type in PERSON_RESOURCES:
        return Kind.PERSON
    if agent.media is not None:
        return Kind.MEDIUM
    if who.type in MACHINE_RESOURCES or not MACHINES.isdisjoint(told):
        return Kind.MACHINE
    if who.type in ORGANISATION_RESOURCES or not ORGANISATIONS.isdisjoint(told) or _of_organisation(who):
        return Kind.ORGANISATION
    return _kind_by_part(agent, told)


def _kind_by_part(agent: Agent, told: set[str]) -> Kind:
    if not PERSONS.isdisjoint(told):
        return Kind.PERSON
    if EXCHANGE_ENDS.isdisjoint(told):
        return Kind.UNTOLD
    # DICOM gives these roles to the person who exports as well: told by asking, and having a name.
    return Kind.PERSON if agent.requestor and agent.name else Kind.MACHINE


def _of_organisation(who: Named) -> bool:
    return any(one.system and ORGANISATION_SYSTEM.search(one.system) for one in who.identifiers)


def _extensions(agent: Agent, contents: Contents) -> tuple[Identifier | None, str]:
    """Return R5's alternative user id, and on whose behalf the agent acts."""
    alternative, unit = None, ""
    for extension in agent.extension or ():
        url = extension.url or ""
        if url.endswith("/auditevent-AlternativeUserID"):
            alternative = alternative or extension.valueIdentifier
        elif url.endswith("/auditevent-OnBehalfOf"):
            behalf = named(extension.valueReference, contents)
            unit = unit or behalf.id or behalf.display
    return alternative, unit


def _role(agent: Agent, who: Named) -> str:
    """Return the role a person has at work, in words where there are any."""
    for concept in (*(agent.role or ()), agent.type, who.role):
        if concept is not None and NOT_ROLES.isdisjoint(codes((concept,))):
            return concept.text or concept.display or _display(concept) or code(concept)
    return ""


def _display(concept: Concept) -> str:
    return next((coding.display for coding in concept.coding or () if coding.display), "")


def _patient_id(who: Named, id_: str, told: set[str]) -> str:
    if who.type == "Patient" or not told.isdisjoint(("PAT", "datasubject", DELEGATOR)):
        return cx_id(id_)
    return next((one.value or "" for one in who.identifiers if one.system in PATIENT_SYSTEMS), "")


def _acts_as_patient(who: Named, told: set[str]) -> bool:
    """Return whether it is the patient or who acts for them; a practitioner who is somebody's advocate is at work."""
    return who.type in PATIENT_RESOURCES or (who.type not in STAFF_RESOURCES and not PATIENTS.isdisjoint(told))


def _network(agent: Agent) -> tuple[str, str]:
    """Return the address and its R4 type code; R5 tells a URI by the element's name and nothing else."""
    if agent.network is not None:
        return agent.network.address or "", agent.network.type or ""
    return (agent.networkUri, URI_NETWORK) if agent.networkUri else (agent.networkString or "", "")


@lru_cache(maxsize=ADDRESSES_MAX)
def _ip_or_host(address: str, network: str) -> tuple[str, str]:
    """Return the IP or the machine name that an address is; a URI, a telephone, an e-mail are neither."""
    try:
        ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        is_name = network in ("", "1") and "/" not in address and "@" not in address
        return "", address if is_name and any(character.isalpha() for character in address) else ""
    return normal_address(address), ""
