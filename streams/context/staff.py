"""A person at work as a directory tells them, and the FHIR resources that they amount to: who they are, where and until when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from sentinel.core.ids import derive
from streams.context.identifiers import RPPS

Resource = dict[str, Any]
_json: Final = msgspec.json.Encoder(order="deterministic")


class Person(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a directory says of one account. Times are RFC 3339 texts, empty when not told.

    `id`: what events name them by; `aliases`: what else may. `units`: where they work, each by name or number. A person
    whose account is closed, or who is in the directory no more, is not `active`.
    """

    id: str
    aliases: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    rpps: str = ""
    family: str = ""
    given: str = ""
    role: str = ""
    units: tuple[str, ...] = ()
    start: str = ""
    end: str = ""
    active: bool = True


class Kept(msgspec.Struct, frozen=True):
    """A person as told last, and the positions told of them so far, by id: those that are over as well."""

    person: Person
    positions: dict[str, Resource] = {}
    told: bytes = b""  # the Practitioner


def kept(raw: bytes) -> Kept:
    """Return what was kept."""
    return msgspec.json.decode(raw, type=Kept)


def changed(feed: str, person: Person, before: Kept | None, now: str) -> tuple[Kept, dict[tuple[str, str], bytes]]:
    """Return what is to be kept of a person, and the resources that are to be told, by type and id.

    A position that is not told any more ended `now`, or when the directory says that the person left.
    """
    positions = dict(before.positions) if before else {}
    there = {name: position for name, position in _positions(feed, person) if person.active}
    for name, position in positions.items():
        if name not in there and position["active"]:
            period = position["period"] | {"end": min(person.end, now) if person.end else now}
            there[name] = position | {"active": False, "period": period}
    practitioner = _json.encode(_practitioner(person))
    told = {("PractitionerRole", name): _json.encode(one) for name, one in there.items() if one != positions.get(name)}
    if before is None or practitioner != before.told:
        told["Practitioner", person.id] = practitioner
    return Kept(person, positions | there, practitioner), told


def encoded(one: Kept) -> bytes:
    """Return what `kept` reads."""
    return _json.encode(one)


def _practitioner(person: Person) -> Resource:
    numbers: list[Resource] = [{"value": alias} for alias in dict.fromkeys(person.aliases) if alias and alias != person.id]
    numbers += [{"system": RPPS, "value": person.rpps}] if person.rpps else []
    told: Resource = {"resourceType": "Practitioner", "id": person.id, "active": person.active, "identifier": numbers}
    if person.family or person.given:
        told["name"] = [{"family": person.family, "given": [person.given] if person.given else []}]
    told["telecom"] = [{"system": "email", "value": email, "use": "work"} for email in dict.fromkeys(person.emails)]
    return told


def _positions(feed: str, person: Person) -> Iterable[tuple[str, Resource]]:
    for unit in dict.fromkeys(person.units) or [""]:
        name = derive("position", feed, person.id, unit)
        told: Resource = {
            "resourceType": "PractitionerRole",
            "id": name,
            "active": True,
            "practitioner": {"type": "Practitioner", "identifier": {"value": person.id}},
            "period": {key: time for key, time in (("start", person.start), ("end", person.end)) if time},
        }
        if person.role:
            told["code"] = [{"text": person.role}]
        if unit:
            told["organization"] = {"type": "Organization", "identifier": {"value": unit}}
        yield name, told
