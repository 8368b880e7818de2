"""ArcSight's Common Event Format (CEF 0 and 1), with or without a syslog header or a shipper's JSON around it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from sentinel.core.ids import derive
from streams.sources.shared.lines import line_source
from streams.sources.shared.meanings import OTHER
from streams.sources.shared.values import HUMAN, SERVICE, SUCCESS, address, host, row, told
from streams.sources.siem.products import Meaning, is_session, meaning_of, names_patient, occurred_at, one_of

if TYPE_CHECKING:
    from sentinel.core.event import EventRow

HEADER_PARTS: Final = 7  # after the version: vendor, product, its version, event class, name, severity, extension

_MARK: Final = "CEF:"
_part: Final = re.compile(r"((?:[^|\\]|\\.)*+)\|", re.DOTALL).match
_key: Final = re.compile(r"(?:^|\s)([A-Za-z0-9_][\w.\[\]-]{0,127}+)=").finditer
_escaped: Final = re.compile(r"\\([\\=|nr])").sub
_TIMES: Final = ("start", "rt", "deviceReceiptTime", "end")
_USERS: Final = ("suser", "sourceUserName", "suid", "sourceUserId")
_TARGETS: Final = ("duser", "destinationUserName", "duid", "destinationUserId")
_THINGS: Final = (
    ("file", ("filePath", "fname", "fileName", "fileId")),
    ("url", ("request", "requestUrl")),
    ("process", ("dproc", "destinationProcessName", "sproc")),
)
_LABEL: Final = "Label"


def _read(line: str) -> list[EventRow]:
    at = line.find(_MARK)
    if at < 0:
        raise RejectedError(Code.NOT_AN_EVENT, detail="not a line of CEF")
    product, class_, name, extension = _header(line[at + len(_MARK) :])
    fields = _fields(extension)
    results = (one_of(fields, ("outcome", "categoryOutcome")), told(fields.get("act")))
    meaning = meaning_of((name, class_, results[1], told(fields.get("cat"))), results)
    actor = one_of(fields, _USERS) or one_of(fields, _TARGETS) or _labelled(fields, _names_user)
    kind, thing = _thing(fields, meaning, actor)
    own = (name for name in fields if name.endswith("eventtime"))  # FortiGate's, under several prefixes
    time = occurred_at(fields, (*_TIMES, *own), ("dtz", "deviceTimeZone"), line[:at])
    return [
        row(
            derive("event", str(time), line[at:]),
            time,
            meaning.action,
            actor.lower(),
            meaning.outcome,
            actor_at="/suser",
            actor_type=SERVICE if actor.endswith("$") else HUMAN,
            role=told(fields.get("spriv")),
            resource_type=(name or class_) if meaning.action == OTHER else kind,
            resource_id=thing,
            reason=told(fields.get("reason")) if meaning.outcome != SUCCESS else "",
            client=address(one_of(fields, ("src", "sourceAddress", "c6a2"))),
            device=host(one_of(fields, ("shost", "sourceHostName"))),
            application=product,
            session=_labelled(fields, _names_session),
            patient=_labelled(fields, names_patient),
        )
    ]


def _header(text: str) -> tuple[str, str, str, str]:
    """Return the product, the class and the name of an event, and its extension.

    Raises:
        RejectedError: `unparseable` for fewer parts than a header has.
    """
    if "\\" not in text and text.count("|") >= HEADER_PARTS:
        plain = text.split("|", HEADER_PARTS)
        return plain[2].strip(), plain[4].strip(), plain[5].strip(), plain[7]
    parts: list[str] = []
    at = 0
    while len(parts) < HEADER_PARTS and (found := _part(text, at)) is not None:
        parts.append(_escaped(_meant, found[1]).strip())
        at = found.end()
    if len(parts) < HEADER_PARTS:
        if len(parts) < HEADER_PARTS - 1:
            raise RejectedError(Code.UNPARSEABLE, detail="fewer parts than a header of CEF has")
        at = len(text)  # some leave out the last bar when there is no extension
    return parts[2], parts[4], parts[5], text[at:]


def _meant(escaped: re.Match[str]) -> str:
    return {"n": "\n", "r": "\r"}.get(escaped[1], escaped[1])


def _fields(extension: str) -> dict[str, str]:
    """Return what an extension tells: a value ends where the next name and its sign begin."""
    names = list(_key(extension))
    ends = [one.start() for one in names[1:]] + [len(extension)]
    told_ = {one[1]: extension[one.end() : end].strip() for one, end in zip(names, ends, strict=False)}
    return {name: _escaped(_meant, text) for name, text in told_.items()} if "\\" in extension else told_


def _thing(fields: dict[str, str], meaning: Meaning, actor: str) -> tuple[str, str]:
    """Return what an event is about: the file, the address; an account, when another did it."""
    for kind, names in _THINGS:
        if name := one_of(fields, names):
            return kind, name
    target = one_of(fields, _TARGETS)
    return ("account", target.lower()) if target and target != actor and not is_session(meaning.action) else ("", "")


def _labelled(fields: dict[str, str], is_it: Callable[[str], bool]) -> str:
    """Return the value of a custom field (`cs1`) whose label (`cs1Label`) says what is looked for."""
    labels = (name for name, label in fields.items() if name.endswith(_LABEL) and is_it(label))
    return next((text for name in labels if (text := told(fields.get(name.removesuffix(_LABEL))))), "")


def _names_user(label: str) -> bool:
    return label.lower().replace(" ", "") in ("user", "username", "userid", "login", "account", "actor")


def _names_session(label: str) -> bool:
    return label.lower().replace(" ", "") in ("session", "sessionid")


SOURCE: Final = line_source("cef", "Common Event Format (CEF)", _read, begins=_MARK.encode())
