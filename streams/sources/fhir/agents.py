"""Who took part in an AuditEvent: which agent is the person who acts, which machines carry it out."""

from __future__ import annotations

from enum import IntEnum
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import REASON_MAX, TEXT_MAX, ActorType, Destination, normal_address
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
    SOURCE_MEDIUM,
    STAFF_RESOURCES,
    TOKEN_AGENTS,
)
from streams.sources.fhir.concepts import BETWEEN, concept, concepts, joined
from streams.sources.fhir.elements import Agent, AgentParts
from streams.sources.fhir.kept import Kept
from streams.sources.fhir.references import NO_CONTENTS, Contents, Named, code, codes, cx_id, named, rpps, text_of
from streams.sources.shared.documents import BROKEN, refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.sources.fhir.elements import Concept, Identifier

_EMAIL: Final = Destination.EMAIL.value
EMAIL_NETWORK, URI_NETWORK = "4", "5"  # http://hl7.org/fhir/network-type


_decode_agents: Final = msgspec.json.Decoder(list[AgentParts] | None).decode
_decode_agent: Final = msgspec.json.Decoder(Agent).decode
_decode_policy: Final = msgspec.json.Decoder(list[str] | None).decode


class Kind(IntEnum):
    """What an agent is, as far as it is told."""

    PERSON = 0
    UNTOLD = 1
    MACHINE = 2
    ORGANISATION = 3
    MEDIUM = 4


class Party(Struct, frozen=True, gc=False):
    """One agent, digested, but for where it is. Texts are cut to what a row takes, and empty when not told."""

    id: str
    # How early this agent is asked whether it acted, and whether it is where the person sat if it has
    # an address: when data flows from who acts, and when it flows to them.
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
    label: str  # what a machine is called
    medium: str  # data went to
    is_destination: bool
    purposes: tuple[str, ...]
    reason: str
    asks_policy: bool  # known by a token alone, whose id would be its policy


class Place(Struct, frozen=True, gc=False):
    """Where an agent is: an IP, or a machine's name, or neither; or a mailbox."""

    ip: str = ""
    host: str = ""
    is_mailbox: bool = False


class Participants(Struct, frozen=True, gc=False):
    """All agents of an event together: who acted, from where and to where. Texts are empty when not told."""

    who: Party
    actor_type: str
    unit: str
    patient_id: str
    ip: str
    device: str
    destination: str


def participants(agents: Sequence[tuple[Party, Place]], *, pulls: bool) -> Participants | None:
    """Return who acted, None when nobody can be named; `pulls`: data flows to who acts (read, import), not from."""
    who = seat = _NOBODY
    organisation = patient_id = destination = ""
    for agent in agents:
        one, where = agent
        if one.acting_ranks[pulls] < who[0].acting_ranks[pulls]:
            who = agent
        if one.seat_ranks[pulls] < seat[0].seat_ranks[pulls] and (where.ip or where.host):
            seat = agent
        organisation = organisation or one.organisation
        patient_id = patient_id or one.patient_id
        destination = destination or one.medium or (_EMAIL if where.is_mailbox and one.is_destination else "")
    if who is _NOBODY:
        return None
    return _participants(who, who if who[0].is_machine else seat, organisation, patient_id, destination)


def _participants(
    who: tuple[Party, Place], seat: tuple[Party, Place], organisation: str, patient_id: str, destination: str
) -> Participants:
    acting, where = who
    return Participants(
        who=acting,
        actor_type=_actor_type(acting),
        unit=acting.unit or organisation,
        patient_id=patient_id,
        ip=where.ip or seat[1].ip,
        device=where.host or seat[1].host or seat[0].label,
        destination=destination,
    )


def _actor_type(who: Party) -> str:
    """Return what acted. Equal ids of a person and a patient say nothing: each kind of resource counts for itself."""
    if not who.is_person:
        return ActorType.SERVICE.value
    return ActorType.PATIENT.value if who.is_patient else ActorType.HUMAN.value


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
    label="",
    medium="",
    is_destination=False,
    purposes=(),
    reason="",
    asks_policy=False,
)
_NOBODY: Final = (NOBODY, Place())


class Part(Struct, frozen=True, gc=False):
    """What the codes of an agent tell: its part in the event, its role at work, and what for."""

    told: frozenset[str]
    role: str | None  # in words where there are any; None: no code is a role
    purposes: tuple[str, ...]
    reason: str


def _part_of(parts: bytes) -> Part:
    type_, role, purpose, authorization = parts.split(BETWEEN)
    kind, roles = concept(type_, "/type"), concepts(role, "/role")
    purposes = (*concepts(purpose, "/purposeOfUse"), *concepts(authorization, "/authorization"))
    return Part(
        told=frozenset((*codes((kind,)), *codes(roles))),
        role=_role((*roles, kind)),
        purposes=tuple(codes(purposes)),
        reason=text_of(purposes)[:REASON_MAX],
    )


_parts: Final = Kept(_part_of)


def party(agent: Agent, contents: Contents = NO_CONTENTS) -> Party:
    """Return the digest of an agent."""
    who = named(agent.who or agent.reference, contents)
    part = _parts[joined((agent.type, agent.role, agent.purposeOfUse, agent.authorization))]
    told = part.told
    alternative, unit = _extensions(agent, contents)
    identifiers = (*who.identifiers, *(one for one in (agent.userId, alternative) if one is not None))
    kind = _kind(agent, who, told)
    id_ = _id(agent, who, identifiers, told)
    name = id_ or agent.name or who.display
    patient_id = _patient_id(who, id_, told)
    is_patient = bool(patient_id) or _acts_as_patient(who, told)
    role = part.role if part.role is not None else _role((who.role,))
    return Party(
        id=name,
        acting_ranks=_acting_ranks(agent, kind, told, is_patient=is_patient) if name else _LAST,
        seat_ranks=_seat_ranks(told) if kind is Kind.MACHINE else _LAST,
        rpps=rpps(identifiers)[:TEXT_MAX],
        role=(role or "")[:TEXT_MAX],
        unit=(unit or who.organization)[:TEXT_MAX],
        organisation=name[:TEXT_MAX] if kind is Kind.ORGANISATION and EXCHANGE_ENDS.isdisjoint(told) else "",
        is_person=kind < Kind.MACHINE,
        is_machine=kind is Kind.MACHINE,
        is_patient=is_patient,
        patient_id=patient_id,
        label=(who.display or agent.name or id_)[:TEXT_MAX],
        medium="" if SOURCE_MEDIUM in told else _medium(agent),
        is_destination=DESTINATION_END in told,
        purposes=part.purposes,
        reason=part.reason,
        asks_policy=not (name or who.display or TOKEN_AGENTS.isdisjoint(told)),
    )


def _acting_ranks(agent: Agent, kind: Kind, told: frozenset[str], *, is_patient: bool) -> tuple[int, int]:
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


def _seat_ranks(told: frozenset[str]) -> tuple[int, int]:
    """Return how early a machine is taken for the person's: the acting end, an application, the other end."""
    if EXCHANGE_ENDS.isdisjoint(told):
        return 1, 1
    return 2 * (SOURCE_END not in told), 2 * (DESTINATION_END not in told)


def _medium(agent: Agent) -> str:
    medium = code(agent.media)
    return MEDIA.get(medium, Destination.OTHER.value) if medium else ""


def _id(agent: Agent, who: Named, identifiers: Sequence[Identifier], told: frozenset[str]) -> str:
    """Return what identifies an agent: reference, identifier, alternative id; of a token's holder, the token."""
    if id_ := who.id or next((one.value for one in identifiers if one.value), None) or agent.altId:
        return id_
    named_otherwise = agent.name or who.display or TOKEN_AGENTS.isdisjoint(told)
    return "" if named_otherwise or not agent.policy else agent.policy[0]


def _kind(agent: Agent, who: Named, told: frozenset[str]) -> Kind:
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


def _kind_by_part(agent: Agent, told: frozenset[str]) -> Kind:
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


def _role(told: Sequence[Concept | None]) -> str | None:
    """Return the first role a person has at work, in words where there are any; None when none is told."""
    for one in told:
        if one is not None and NOT_ROLES.isdisjoint(codes((one,))):
            return one.text or one.display or _display(one) or code(one)
    return None


def _display(concept: Concept) -> str:
    return next((coding.display for coding in concept.coding or () if coding.display), "")


def _patient_id(who: Named, id_: str, told: frozenset[str]) -> str:
    if who.type == "Patient" or not told.isdisjoint(("PAT", "datasubject", DELEGATOR)):
        return cx_id(id_)
    return next((one.value or "" for one in who.identifiers if one.system in PATIENT_SYSTEMS), "")


def _acts_as_patient(who: Named, told: frozenset[str]) -> bool:
    """Return whether it is the patient or who acts for them; a practitioner who is somebody's advocate is at work."""
    return who.type in PATIENT_RESOURCES or (who.type not in STAFF_RESOURCES and not PATIENTS.isdisjoint(told))


def _network(agent: Agent) -> tuple[str, str]:
    """Return the address and its R4 type code; R5 tells a URI by the element's name and nothing else."""
    if agent.network is not None:
        return agent.network.address or "", agent.network.type or ""
    return (agent.networkUri, URI_NETWORK) if agent.networkUri else (agent.networkString or "", "")


def _place_of(parts: bytes) -> Place:
    address, network = _network(_agent_of(_PLACE_PARTS, parts))
    return place(address[:TEXT_MAX], network)


def place(address: str, network: str) -> Place:
    """Return the IP or the machine name that an address is; a URI, a telephone, an e-mail are neither.

    `network` is a code of http://hl7.org/fhir/network-type, empty when not told.
    """
    is_mailbox = network == EMAIL_NETWORK
    try:
        ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        is_name = network in ("", "1") and "/" not in address and "@" not in address
        return Place(host=address if is_name and any(map(str.isalpha, address)) else "", is_mailbox=is_mailbox)
    return Place(ip=normal_address(address), is_mailbox=is_mailbox)


_POLICY: Final = AgentParts.__struct_fields__.index("policy")
_PARTY_PARTS: Final = AgentParts.__struct_fields__[: _POLICY + 1]
_PLACE_PARTS: Final = AgentParts.__struct_fields__[_POLICY + 1 :]


def _agent_of(names: Sequence[str], parts: bytes) -> Agent:
    """Return an agent of whom nothing is told but some parts, joined in the order of their names."""
    told = (b'"%b":%b' % (name.encode(), part) for name, part in zip(names, parts.split(BETWEEN), strict=False) if part)
    return _decode_agent(b"{%b}" % b",".join(told))


def _party_of(parts: bytes, contents: Contents = NO_CONTENTS) -> Party:
    return party(_agent_of(_PARTY_PARTS, parts), contents)


_places: Final = Kept(_place_of, room=1 << 18)
_parties: Final = Kept(_party_of, room=2 << 20)


def told_agents(agents: bytes, contents: Contents = NO_CONTENTS) -> list[tuple[Party, Place]]:
    """Return the digests of `AuditEvent.agent`, a list of Agent, and where each was.

    Raises:
        RejectedError: a field of another type than FHIR says.
    """
    try:
        told = (_decode_agents(agents) if agents else None) or ()
    except BROKEN as error:
        raise refusal(error, agents, "/agent") from None
    return [_told_agent(parts, number, contents) for number, parts in enumerate(told)]


def _told_agent(parts: AgentParts, number: int, contents: Contents) -> tuple[Party, Place]:
    try:
        return _told_party(parts, contents), _places[joined((parts.network, parts.networkString, parts.networkUri))]
    except (RejectedError, *BROKEN) as error:
        raise refusal(error, joined(astuple(parts)), f"/agent/{number}") from None


def _told_party(parts: AgentParts, contents: Contents) -> Party:
    """Return the digest of an agent, by all but its policy, unless that is all there is to know it by."""
    told = astuple(parts)
    known = joined(told[:_POLICY])
    one = _parties[known] if contents is NO_CONTENTS else _party_of(known, contents)
    if not parts.policy:
        return one
    try:
        policy = _decode_policy(parts.policy)  # nearly always only to see that it can be read
    except BROKEN as error:
        raise refusal(error, parts.policy, "/policy") from None
    return _party_of(joined(told[: _POLICY + 1]), contents) if policy and one.asks_policy else one


def _participants_of(agents: bytes, contents: Contents = NO_CONTENTS, *, pulls: bool = False) -> Participants | None:
    return participants(told_agents(agents, contents), pulls=pulls)


_pushing: Final = Kept(_participants_of, room=4 << 20)  # one a session of a person at a machine
_pulling: Final = Kept(partial(_participants_of, pulls=True), room=4 << 20)


def told_participants(agents: bytes, contents: Contents, *, pulls: bool) -> Participants:
    """Return who took part by `AuditEvent.agent`.

    Raises:
        RejectedError: as `told_agents` does, and when nobody can be named.
    """
    if contents is NO_CONTENTS:
        found = _pulling[agents] if pulls else _pushing[agents]
    else:
        found = _participants_of(agents, contents, pulls=pulls)
    if found is not None:
        return found
    raise RejectedError(Code.NO_ACTOR, "/agent", "nobody told by reference, identifier or name")
