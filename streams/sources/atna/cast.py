"""Who took part in an audit message, and who recorded it, as FHIR's AuditEvent would say it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw, Struct

from sentinel.core.event import TEXT_MAX
from streams.sources.atna.codes import DESTINATION_MEDIUM, UNKNOWN_USERS, USERS, USERS_BY_TYPE
from streams.sources.atna.elements import code_of
from streams.sources.fhir.agents import Participants, participants, party, place
from streams.sources.fhir.codes import EXCHANGE_ENDS, MACHINES
from streams.sources.fhir.elements import Agent, Concept, Identifier, Reference

if TYPE_CHECKING:
    from streams.sources.atna.elements import Message, Participant

_AE_TITLES: Final = "AETITLE"  # PS3.15 says AETITLES=, some say AETITLE=
_AUTHORITY: Final = re.compile(r"\^&([0-9.]{1,128})&ISO")  # of an HL7 v2 CX or XCN


class Cast(Struct, frozen=True, gc=False):
    """Who acted when data flows from them, and when it flows to them; None when nobody can be named."""

    pushing: Participants | None
    pulling: Participants | None
    application: str
    site: str


def cast_of(message: Message) -> Cast:
    """Return who took part by the participants of a message, and the audit source."""
    agents = []
    for one in message.participants:
        agent = _agent(one)
        address, network = one.attributes.get("NetworkAccessPointID", ""), one.attributes.get("NetworkAccessPointTypeCode", "")
        agents.append((party(agent), place(address.strip()[:TEXT_MAX], network)))
    return Cast(
        pushing=participants(agents, pulls=False),
        pulling=participants(agents, pulls=True),
        application=message.source.get("AuditSourceID", "")[:TEXT_MAX],
        site=message.source.get("AuditEnterpriseSiteID", "")[:TEXT_MAX],
    )


def _agent(told: Participant) -> Agent:
    """Return a participant as FHIR's AuditEvent would tell it; the mapping of IHE's RESTful ATNA."""
    get = told.attributes.get
    roles = [{"code": code_of(role), "display": role.get("originalText") or role.get("displayName")} for role in told.roles]
    codes = {str(role["code"]) for role in roles}
    kind = USERS.get(told.id_type) or USERS_BY_TYPE.get(get("UserTypeCode", ""))
    name = get("UserName", "").strip()
    is_machine = kind == "Device" or (kind is None and not name and not codes.isdisjoint(MACHINES | EXCHANGE_ENDS))
    medium = told.medium or (DESTINATION_MEDIUM if DESTINATION_MEDIUM in codes else "")
    return Agent(
        who=Reference(type=kind, identifier=_identifier(told, is_machine=is_machine)),
        role=Raw(msgspec.json.encode(roles)),
        requestor=get("UserIsRequestor", "").strip().lower() in ("true", "1"),
        altId=_known(get("AlternativeUserID", "")) or None,
        name=name or None,
        media=Concept(code=medium) if medium else None,
    )


def _identifier(told: Participant, *, is_machine: bool) -> Identifier | None:
    """Return what identifies a participant.

    A machine's AE title says more than the process that used it, and where it ran more than the process's number
    (IHE's AlternativeUserID) or what it asked for (a URI, which may hold a patient).
    """
    get = told.attributes.get
    id_ = _known(get("UserID", ""))
    if is_machine:
        at = get("NetworkAccessPointID", "").strip()
        id_ = _ae_title(get("AlternativeUserID", "")) or (at if at and "/" in id_ else id_ or at)
    if authority := _AUTHORITY.search(id_):
        return Identifier(system=f"urn:oid:{authority[1]}", value=id_.partition("^")[0])
    return Identifier(value=id_) if id_ else None


def _known(user: str) -> str:
    user = user.strip()
    return "" if user.lower() in UNKNOWN_USERS else user


def _ae_title(alternative: str) -> str:
    """Return the first AE title of `AETITLES=one;two`, empty when it is something else."""
    name, _, titles = alternative.partition("=")
    return titles.partition(";")[0].strip() if name.upper().startswith(_AE_TITLES) else ""
