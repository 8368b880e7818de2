"""QRadar's Log Event Extended Format (LEEF 1.0 and 2.0), with or without a syslog header or a shipper's JSON around it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from sentinel.core.ids import derive
from streams.sources.shared.lines import line_source
from streams.sources.shared.meanings import LOGIN, LOGIN_FAILED, LOGOUT, OTHER
from streams.sources.shared.values import FAILURE, HUMAN, SERVICE, SUCCESS, address, host, row, told
from streams.sources.siem.products import Meaning, is_session, meaning_of, names_patient, occurred_at, one_of

if TYPE_CHECKING:
    from sentinel.core.event import EventRow

_MARK: Final = "LEEF:"
_header: Final = re.compile(
    r"LEEF:(?P<version>[12])(?:\.\d)?\|(?P<vendor>[^|]*)\|(?P<product>[^|]*)\|(?P<release>[^|]*)\|(?P<id>[^|]*)\|"
).match
# Version 2 names what stands between attributes: a character, or its number in hexadecimal.
_delimiter: Final = re.compile(r"(?:(?:0?x)(?P<code>[0-9A-Fa-f]{1,4})|(?P<sign>\\t|[^|]?))\|").match
_SIGNS: Final = {"": "\t", "\\t": "\t"}
_USERS: Final = ("usrName", "identUserName", "srcUserName", "suser")
_TARGETS: Final = ("accountName", "dstUserName", "duser", "targetUser")
_RESULTS: Final = ("outcome", "result", "status", "action")
_THINGS: Final = (
    ("file", ("filePath", "fileName", "file")),
    ("url", ("url",)),
    ("resource", ("resource", "object")),
    ("group", ("groupName", "groupID")),
    ("policy", ("policy",)),
)


def _read(line: str) -> list[EventRow]:
    at = line.find(_MARK)
    if at < 0:
        raise RejectedError(Code.NOT_AN_EVENT, detail="not a line of LEEF")
    found = _header(line, at)
    if found is None:
        raise RejectedError(Code.UNPARSEABLE, detail="not a header of LEEF")
    fields = _fields(line[found.end() :], int(found["version"]))
    id_ = found["id"].strip()
    meaning = _meaning(fields, id_)
    actor = one_of(fields, _USERS) or one_of(fields, _TARGETS)
    kind, thing = _thing(fields, meaning, actor)
    time = occurred_at(fields, ("devTime",), ("devTimeZone", "tz"), line[:at])
    return [
        row(
            derive("event", str(time), line[at:]),
            time,
            meaning.action,
            actor.lower(),
            meaning.outcome,
            actor_at="/usrName",
            actor_type=SERVICE if actor.endswith("$") else HUMAN,
            role=told(fields.get("role")),
            resource_type=id_ if meaning.action == OTHER else kind,
            resource_id=thing,
            reason=told(fields.get("reason")) if meaning.outcome != SUCCESS else "",
            client=address(one_of(fields, ("src", "identSrc"))),
            device=host(one_of(fields, ("identHostName", "srcHostName"))),
            application=found["product"].strip(),
            session=one_of(fields, ("sessionID", "session")),
            patient=next((text for name in fields if names_patient(name) and (text := told(fields[name]))), ""),
        )
    ]


def _fields(text: str, version: int) -> dict[str, str]:
    """Return the attributes. Between them stands a tab, or what a header of version 2 says."""
    sign = "\t"
    if version == 2 and (found := _delimiter(text)) is not None:
        text = text[found.end() :]
        sign = chr(int(found["code"], 16)) if found["code"] else _SIGNS.get(found["sign"], found["sign"])
    pairs = (one.partition("=") for one in text.split(sign))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def _meaning(fields: dict[str, str], id_: str) -> Meaning:
    """Return what was done: a login or logout where the event says that it is one, else by words."""
    results = tuple(told(fields.get(name)) for name in _RESULTS)
    said = meaning_of((id_, results[-1], told(fields.get("cat")), told(fields.get("msg"))), results)
    if told(fields.get("isLogoutEvent")).lower() == "true":
        return Meaning(LOGOUT, said.outcome)
    if told(fields.get("isLoginEvent")).lower() == "true":
        return Meaning(LOGIN_FAILED if said.outcome == FAILURE else LOGIN, said.outcome)
    return said


def _thing(fields: dict[str, str], meaning: Meaning, actor: str) -> tuple[str, str]:
    """Return what an event is about; an account, when another did it."""
    target = one_of(fields, _TARGETS)
    if target and target != actor and not is_session(meaning.action):
        return "account", target.lower()
    return next(((kind, name) for kind, names in _THINGS if (name := one_of(fields, names))), ("", ""))


SOURCE: Final = line_source("leef", "Log Event Extended Format (LEEF)", _read, begins=_MARK.encode())
