"""Who took part in an audit message, and who recorded it, as FHIR's AuditEvent would say it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw, Struct

from sentinel.core.event import TEXT_MAX
from streams.sources.atna.codes import DESTINATION_MEDIUM, UNKNOWN_USERS, USERS, USERS_BY_TYPE
from streams.sources.atna.elements import code_of
from streams.sources.fhir.agents import Participants, Party, Place, participants, party, place
from streams.sources.fhir.codes import EXCHANGE_ENDS, MACHINES
from streams.sources.fhir.elements import Agent, Concept, Identifier, Reference
from streams.sources.fhir.kept import Kept

if TYPE_CHECKING:
    from streams.sources.atna.elements import Message, Participant

_BETWEEN: Final = "\0"  # which no XML holds
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
    agents = [(_parties[_BETWEEN.join(_told(one))], _places[_address(one)]) for one in message.participants]
    return Cast(
        pushing=participants(agents, pulls=False),
        pulling=participants(agents, pulls=True),
        application=message.source.get("AuditSourceID", "")[:TEXT_MAX],
        site=message.source.get("AuditEnterpriseSiteID", "")[:TEXT_MAX],
    )


def _told(one: Participant) -> list[str]:
    """Return what tells who a participant is. Where they are does so when nothing else names a machine.

    A machine's process has a number (IHE's AlternativeUserID) that changes, and a URI says what was asked for, of
    which patient, rather than who asked.
    """
    get = one.attributes.get
    user = _known(get("UserID", ""))
    at = "" if user and "/" not in user else get("NetworkAccessPointID", "").strip()
    requestor = get("UserIsRequestor", "").strip().lower()
    told = [user, at, get("AlternativeUserID", "").strip(), get("UserName", "").strip(), requestor, get("UserTypeCode", "")]
    told += [one.id_type, one.medium]
    for role in one.roles:
        told += [code_of(role), role.get("originalText") or role.get("displayName") or ""]
    return told


def _party_of(joined: str) -> Party:
    """Return the digest of a participant, as FHIR's AuditEvent would tell it: the mapping of IHE's RESTful ATNA."""
    user, at, alternative, name, requestor, user_type, id_type, medium, *told = joined.split(_BETWEEN)
    roles = [{"code": code, "display": display or None} for code, display in zip(told[::2], told[1::2], strict=True)]
    codes = set(told[::2])
    kind = USERS.get(id_type) or USERS_BY_TYPE.get(user_type)
    if kind == "Device" or (kind is None and not name and not codes.isdisjoint(MACHINES | EXCHANGE_ENDS)):
        user = _ae_title(alternative) or at or user
    medium = medium or (DESTINATION_MEDIUM if DESTINATION_MEDIUM in codes else "")
    return party(
        Agent(
            who=Reference(type=kind, identifier=_identifier(user)),
            role=Raw(msgspec.json.encode(roles)),
            requestor=requestor in ("true", "1"),
            altId=_known(alternative) or None,
            name=name or None,
            media=Concept(code=medium) if medium else None,
        )
    )


def _identifier(user: str) -> Identifier | None:
    if authority := _AUTHORITY.search(user):
        return Identifier(system=f"urn:oid:{authority[1]}", value=user.partition("^")[0])
    return Identifier(value=user) if user else None


def _known(user: str) -> str:
    user = user.strip()
    return "" if user.lower() in UNKNOWN_USERS else user


def _ae_title(alternative: str) -> str:
    """Return the first AE title of `AETITLES=one;two`, which says more than the process's id; empty when it is none."""
    name, _, titles = alternative.partition("=")
    return titles.partition(";")[0].strip() if name.upper().startswith(_AE_TITLES) else ""


def _address(one: Participant) -> str:
    get = one.attributes.get
    return f"{get('NetworkAccessPointTypeCode', '')}{_BETWEEN}{get('NetworkAccessPointID', '').strip()[:TEXT_MAX]}"


def _place_of(joined: str) -> Place:
    network, _, address = joined.partition(_BETWEEN)
    return place(address, network)


_parties: Final = Kept[str, Party](_party_of, room=2 << 20)
_places: Final = Kept[str, Place](_place_of, room=1 << 18)
