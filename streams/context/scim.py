"""Users of SCIM 2.0 (RFC 7643) as people at work: names, account, title, department, groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from streams.context.staff import Person

ENTERPRISE: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def person_of(user: Mapping[str, Any], groups: Iterable[str], names_before: Iterable[str] = (), actor: str = "") -> Person:
    """Return the person that a user is. `groups`: the names of theirs; `names_before`: user names that they had.

    `actor`: what events were told to name them by, when that is known: it never changes.
    """
    enterprise: Mapping[str, Any] = user.get(ENTERPRISE) or {}
    name, id_ = user.get("name") or {}, actor or user["userName"]
    emails = [one["value"] for one in user.get("emails") or () if one.get("value") and one.get("type") != "home"]
    aliases = [user["userName"], *names_before, user["id"], user.get("externalId"), enterprise.get("employeeNumber")]
    named = [alias for alias in dict.fromkeys(aliases) if alias and alias != id_]
    return Person(
        id=id_,
        aliases=tuple(dict.fromkeys([*named, *(alias.lower() for alias in (id_, *named) if alias.lower() != id_)])),
        emails=tuple(emails),
        family=name.get("familyName") or "",
        given=name.get("givenName") or "",
        role=user.get("title") or "",
        units=tuple(dict.fromkeys(unit for unit in (enterprise.get("department"), *groups) if unit)),
        active=user.get("active") is not False,
    )
