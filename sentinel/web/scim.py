"""SCIM 2.0 (RFC 7644): identity providers push who works here, in which department and groups, and who does no more."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request, Response

from sentinel.core.errors import RejectedError
from sentinel.core.ids import derive
from sentinel.web.body import Budget, read_body, size_expected
from sentinel.web.ports import Ports, Staff
from sentinel.web.problem import ProblemError
from streams.context.scim import person_of
from streams.context.staff import Person

ROOT: Final = "/scim/v2"
MEDIA_TYPE: Final = "application/scim+json"
COUNT_MAX: Final = 200
MEMBERS_MAX: Final = 50_000
_TYPES: Final = frozenset({MEDIA_TYPE, "application/json"})
_ERROR: Final = "urn:ietf:params:scim:api:messages:2.0:Error"
_LIST: Final = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
_IS: Final = re.compile(r'\s*(userName|externalId|displayName)\s+eq\s+"([^"\\]*)"\s*', re.IGNORECASE)
_SCIM_TYPES: Final = {"invalidFilter", "invalidPath", "invalidSyntax", "invalidValue", "noTarget", "uniqueness", "mutability"}
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the two kinds of resources. `name`: the attribute that is unlike among them."""

    path: str
    name: str


USERS: Final = _Kind("Users", "userName")
GROUPS: Final = _Kind("Groups", "displayName")
_KINDS: Final = {kind.path: kind for kind in (USERS, GROUPS)}


class Scim:
    """The users and groups that one provider pushes. Each change is told on before it is answered."""

    def __init__(self, staff: Staff) -> None:
        self._staff = staff
        self._found: dict[tuple[str, str], Document] = {name: msgspec.json.decode(raw) for name, raw in staff.documents.items()}

    def all(self, kind: _Kind) -> list[Document]:
        """Return the resources of a kind, in the order they came."""
        return [one for (path, _), one in self._found.items() if path == kind.path]

    def get(self, kind: _Kind, id_: str) -> Document:
        """Return one.

        Raises:
            ProblemError: 404.
        """
        found = self._found.get((kind.path, id_))
        if found is None:
            raise ProblemError(404, "not-found")
        return found

    async def put(self, kind: _Kind, told: Document, id_: str = "") -> Document:
        """Keep a resource, new or in place of what was known under its id, and return it as it is kept."""
        async with self._staff.lock:
            return await self._put(kind, told, id_)

    async def patch(self, kind: _Kind, id_: str, told: Document) -> Document:
        """Change what operations say, and return the resource."""
        async with self._staff.lock:
            return await self._put(kind, _schema().patched(kind.path, self.get(kind, id_), told), id_)

    async def _put(self, kind: _Kind, told: Document, id_: str) -> Document:
        one = self._checked(kind, told, id_) | {"id": id_ or self._new_id(kind, told)}
        before = self._found.get((kind.path, one["id"]), {})
        one["meta"] = self._meta(kind, one["id"], before)
        await self._tell({(kind.path, one["id"]): one}, self._touched(kind, one, before))
        return one

    async def delete(self, kind: _Kind, id_: str) -> None:
        """Forget a resource: its person has left, its members are in it no more."""
        async with self._staff.lock:
            gone = self.get(kind, id_)
            await self._tell({(kind.path, id_): None}, self._touched(kind, {}, gone))

    def _new_id(self, kind: _Kind, told: Document) -> str:
        return derive("scim", kind.path, str(told.get("externalId") or ""), told[kind.name].lower())

    def _checked(self, kind: _Kind, told: Document, id_: str) -> Document:
        """Return what is told, as the schema has it; refuse a name that another has."""
        one: Document = _schema().checked(kind.path, told)
        name = one.get(kind.name)
        if not name:
            raise ProblemError(400, "invalidValue", f"{kind.name} is required")
        if any(other["id"] != id_ and other[kind.name].lower() == name.lower() for other in self.all(kind)):
            raise ProblemError(409, "uniqueness", f"another has this {kind.name}")
        if len(one.get("members") or ()) > MEMBERS_MAX:
            raise ProblemError(413, "too-large", f"a group has at most {MEMBERS_MAX} members")
        names = [*before.get("names", ()), before[kind.name]] if (before := self._found.get((kind.path, id_))) else []
        return one | {"names": [old for old in dict.fromkeys(names) if old != name]}

    def _meta(self, kind: _Kind, id_: str, before: Document) -> Document:
        now = self._staff.now()
        created = before.get("meta", {}).get("created", now)
        location = f"{ROOT}/{kind.path}/{id_}"
        return {"resourceType": kind.path[:-1], "created": created, "lastModified": now, "location": location}

    def _touched(self, kind: _Kind, now: Document, before: Document) -> set[str]:
        """Return the users whose person a change may change."""
        if kind is USERS:
            return {(now or before)["id"]}
        return {member["value"] for one in (now, before) for member in one.get("members") or () if member.get("value")}

    async def _tell(self, documents: Mapping[tuple[str, str], Document | None], users: set[str]) -> None:
        """Make durable how things stand after a change, and tell on what it says of people."""
        found = {name: one for name, one in {**self._found, **documents}.items() if one is not None}
        groups = _groups_of(users, found)
        known = {user for user in users if ("Users", user) in found or ("Users", user) in self._found}
        people = {user: self._person(user, found, groups.get(user, ())) for user in known}
        encoded = {name: b"" if one is None else msgspec.json.encode(one) for name, one in documents.items()}
        units = {one["displayName"]: _unit(one) for (path, _), one in documents.items() if path == "Groups" and one}
        await self._staff.tell(people, encoded, units)
        self._found = found

    def _person(self, user: str, found: Mapping[tuple[str, str], Document], groups: Sequence[str]) -> Person:
        one = found.get(("Users", user)) or self._found["Users", user] | {"active": False}
        known = self._staff.people.get(user)
        return person_of(one, groups, one.get("names", ()), known.person.id if known else "")


def _groups_of(users: Container[str], found: Mapping[tuple[str, str], Document]) -> dict[str, list[str]]:
    """Return the names of the groups that each of some users is in."""
    groups: dict[str, list[str]] = {}
    for (path, _), group in found.items():
        for member in group.get("members") or () if path == GROUPS.path else ():
            if member.get("value") in users:
                groups.setdefault(member["value"], []).append(group["displayName"])
    return groups


def _schema() -> ModuleType:
    """Return the schemas, which a service that nobody pushes to does without: they take half a second to load."""
    from sentinel.web import scim_schema  # noqa: PLC0415

    return scim_schema


def _unit(group: Document) -> bytes:
    numbers = [{"value": value} for value in (group["id"], group.get("externalId")) if value]
    name = group["displayName"]
    return msgspec.json.encode({"resourceType": "Organization", "id": name, "name": name, "identifier": numbers})


def router(ports: Ports, budget: Budget, staff: Staff) -> APIRouter:
    """Return the routes that identity providers call."""
    routes, scim = APIRouter(prefix=ROOT, tags=["scim"]), Scim(staff)

    @routes.get("/ServiceProviderConfig", summary="What is taken")
    async def get_config() -> Response:
        """Say what of SCIM is spoken here."""
        return _answer(_CONFIG)

    @routes.get("/{path}", summary="Find users or groups")
    async def find(path: str, request: Request) -> Response:
        """Return those that a filter matches, a page at a time."""
        kind, asked = _kind(path), request.query_params
        found = _matching(kind, scim.all(kind), asked.get("filter", ""))
        start, count = max(1, _number(asked.get("startIndex"), 1)), min(COUNT_MAX, _number(asked.get("count"), COUNT_MAX))
        page = [_shown(one, asked.get("excludedAttributes", "")) for one in found[start - 1 : start - 1 + count]]
        told = {"schemas": [_LIST], "totalResults": len(found), "startIndex": start, "itemsPerPage": len(page)}
        return _answer(told | {"Resources": page})

    @routes.get("/{path}/{id_}", summary="Read a user or group")
    async def get(path: str, id_: str, request: Request) -> Response:
        """Return one."""
        return _answer(_shown(scim.get(_kind(path), id_), request.query_params.get("excludedAttributes", "")))

    @routes.post("/{path}", status_code=201, summary="Add a user or group")
    async def post(path: str, request: Request) -> Response:
        """Take one; 201 once it is on disk."""
        kind, told = _kind(path), await _body(request, ports, budget)
        one = await _refusing(scim.put(kind, told))
        return _answer(_shown(one), 201, {"Location": one["meta"]["location"]})

    @routes.put("/{path}/{id_}", summary="Replace a user or group")
    async def put(path: str, id_: str, request: Request) -> Response:
        """Take how one stands now."""
        kind, told = _kind(path), await _body(request, ports, budget)
        scim.get(kind, id_)
        return _answer(_shown(await _refusing(scim.put(kind, told, id_))))

    @routes.patch("/{path}/{id_}", summary="Change a user or group")
    async def patch(path: str, id_: str, request: Request) -> Response:
        """Take what changes of one."""
        kind, told = _kind(path), await _body(request, ports, budget)
        return _answer(_shown(await _refusing(scim.patch(kind, id_, told))))

    @routes.delete("/{path}/{id_}", status_code=204, summary="Remove a user or group")
    async def delete(path: str, id_: str) -> Response:
        """Take that a person has left, or that a group is no more."""
        await scim.delete(_kind(path), id_)
        return Response(status_code=204)

    return routes


async def _refusing(change: Any) -> Document:
    """Return what a change gives, unless it cannot be told on."""
    try:
        found: Document = await change
    except RejectedError as error:
        raise ProblemError(400, "invalidValue", error.detail) from None
    return found


def _kind(path: str) -> _Kind:
    if path not in _KINDS:
        raise ProblemError(404, "not-found")
    return _KINDS[path]


async def _body(request: Request, ports: Ports, budget: Budget) -> Document:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in _TYPES:
        raise ProblemError(415, "unsupported-media-type")
    async with budget.hold(size_expected(request, ports.limits)):
        try:
            told = msgspec.json.decode(await read_body(request, ports.limits))
        except (ValueError, RecursionError):
            raise ProblemError(400, "invalidSyntax") from None
    if not isinstance(told, dict):
        raise ProblemError(400, "invalidSyntax")
    return told


def _matching(kind: _Kind, found: list[Document], told: str) -> Sequence[Document]:
    if not told:
        return found
    if match := _IS.fullmatch(told):  # what providers ask before each change, by a name: quicker so
        name = next((field for field in ("userName", "externalId", "displayName") if field.lower() == match[1].lower()), "")
        return [one for one in found if str(one.get(name) or "").lower() == match[2].lower()]
    found_by: list[Document] = _schema().matching(kind.path, found, told)
    return found_by


def _shown(one: Document, excluded: str = "") -> Document:
    without = {"names", *(name.strip() for name in excluded.split(","))} - {"id", "schemas"}
    return {name: value for name, value in one.items() if name not in without}


def _number(told: str | None, default: int) -> int:
    return int(told) if told and told.isdigit() and len(told) < 10 else default


def _answer(told: Document, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(told), status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def answer_of(problem: ProblemError) -> Response:
    """Return a problem as SCIM tells it (RFC 7644, 3.12); never with what was sent."""
    told: Document = {"schemas": [_ERROR], "status": str(problem.status), "detail": problem.detail}
    told |= {"scimType": problem.code} if problem.code in _SCIM_TYPES else {}
    return _answer(told, problem.status, problem.headers)


def _supported(**told: Any) -> Document:
    return {"supported": True, **told}


_CONFIG: Final = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
    "patch": _supported(),
    "filter": _supported(maxResults=COUNT_MAX),
    "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
    "changePassword": {"supported": False},
    "sort": {"supported": False},
    "etag": {"supported": False},
    "authenticationSchemes": [{"type": "oauthbearertoken", "name": "Bearer", "description": "The intake key"}],
}
