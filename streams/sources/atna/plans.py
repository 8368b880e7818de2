"""Messages of one sender differ in a few values alone: what stands between them is parsed once, and kept.

A message is cut at its quotes. What is left without the values is looked up; the first time it is parsed, with a mark
in the place of each. When each mark turns out to be the whole value of an attribute, any value without `<`, quotes and
control characters may stand there and changes nothing else: such a message is known to be well formed, and what it
says, without parsing it again, in a third of the time. Whatever is not as plain is parsed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import unescape

from msgspec import Struct

from sentinel.core.errors import RejectedError
from streams.sources.atna.elements import Message, Thing, parsed
from streams.sources.fhir.kept import KEPT_LENGTH_MAX, Kept
from streams.sources.markup import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.sources.atna.elements import Attributes

PLACEHOLDER: Final = "<_/>"  # stands where the participants and the source stood, whose values are known together
_OF_PARTICIPANTS: Final = ("RoleIDCode", "UserIDTypeCode", "MediaType")
_PLANS_ROOM: Final = 4 << 20

_MARK: Final = "\ue000"  # of Unicode's private use
_DECLARATION: Final = re.compile(rb'<\?xml version="1\.0"(?: encoding="(?i:utf-8)")?(?: standalone="(?:yes|no)")? ?\?>|(?!<\?)')
# Characters that are read, or that name a patient, are put into an attribute, where values are.
_HOLDERS: Final = ("EventOutcomeDescription", "ParticipantObjectQuery", "ParticipantObjectName")
_HELD: Final = re.compile(rb'<(\w+) _="([^"<]*)"/>')
_REFERENCE: Final = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)")
_QUOTES: Final = {"&quot;": '"', "&apos;": "'"}

Places = tuple[tuple[str, int], ...]  # of attributes, by name


class ThingPlan(Struct, frozen=True, gc=False):
    """Where the values of a `Thing` stand; -1: nowhere."""

    attributes: Places
    id_type: int
    details: tuple[Places, ...]
    classes: tuple[int, ...]
    query: int


class Plan(Struct, frozen=True, gc=False):
    """Where the values of a `Message` stand among all values."""

    values: int
    event: Places
    types: tuple[int, ...]
    subtypes: tuple[int, ...]
    purposes: tuple[int, ...]
    description: int
    things: tuple[ThingPlan, ...]


def planned(document: bytes) -> Message | None:
    """Return what a message says, a `PLACEHOLDER` in the place of its participants; None when it has to be parsed."""
    declaration = _DECLARATION.match(document)
    if declaration is None or b' _="' in document:
        return None
    try:
        text = document[declaration.end() :].decode()
    except UnicodeDecodeError:
        return None
    for name in _HOLDERS:
        if name in text:
            text = _texts_as_values(text, name)
    parts = text.split('"')
    skeleton, values = '"'.join(parts[::2]), parts[1::2]
    plan = _plans[skeleton] if len(skeleton) <= KEPT_LENGTH_MAX else None
    if plan is None or plan.values != len(values):
        return None
    together = "".join(values)
    if not together.isprintable() or "<" in together:
        return None
    if "&" in together:
        if _REFERENCE.search(together):
            return None
        values = [unescape(value, _QUOTES) if "&" in value else value for value in values]
    return _filled(plan, values)


def _texts_as_values(text: str, name: str) -> str:
    """Return a message with the characters in each `name` as its attribute `_`, but where they may be markup."""
    opening, closing = f"<{name}>", f"</{name}>"
    head, *others = text.split(opening)
    done = [head]
    for one in others:
        held, closed, after = one.partition(closing)
        is_plain = closed and '"' not in held and ">" not in held and "]" not in held
        done.append(f'<{name} _="{held}"/>{after}' if is_plain else opening + one)
    return "".join(done)


def _filled(plan: Plan, values: Sequence[str]) -> Message | None:
    message = Message(
        event=_attributes(plan.event, values),
        types=_texts(plan.types, values),
        subtypes=_texts(plan.subtypes, values),
        purposes=_texts(plan.purposes, values),
        description=_text(plan.description, values),
        things=[_thing(one, values) for one in plan.things],
    )
    # An empty code may have another beside it.
    return message if all(message.types) and all(message.subtypes) and all(message.purposes) else None


def _thing(plan: ThingPlan, values: Sequence[str]) -> Thing:
    return Thing(
        {name: values[at] for name, at in plan.attributes},
        _text(plan.id_type, values),
        [_attributes(places, values) for places in plan.details] if plan.details else [],
        _texts(plan.classes, values),
        _text(plan.query, values),
    )


def _attributes(places: Places, values: Sequence[str]) -> Attributes:
    return {name: values[at] for name, at in places}


def _texts(places: Sequence[int], values: Sequence[str]) -> list[str]:
    return [values[at].strip() for at in places] if places else []


def _text(place: int, values: Sequence[str]) -> str:
    return values[place].strip() if place >= 0 else ""


def _plan_of(skeleton: str) -> Plan | None:
    """Return where the values of a message stand; None when one is not the whole value of an attribute."""
    if "<!" in skeleton or "<?" in skeleton:
        return None
    parts = skeleton.split('"')
    marks = [f"{_MARK}{place}" for place in range(len(parts) - 1)]
    marked = "".join(f'{part}"{mark}"' for part, mark in zip(parts, marks, strict=False)) + parts[-1]
    return _plan_by(marked.encode(), marks, skeleton)


def _plan_by(marked: bytes, marks: Sequence[str], skeleton: str) -> Plan | None:
    names: list[str] = []
    found: list[str] = []

    def start(name: str, attributes: Attributes) -> None:
        names.append(name)
        found.extend(attributes.values())

    try:
        parse(marked, start)
        message = parsed(_HELD.sub(rb"<\1>\2</\1>", marked))
        is_apart = names.count("_") == 1 and not any(name in skeleton for name in _OF_PARTICIPANTS)
        is_whole = is_apart and message.roots == 1 and not message.participants and not message.source
        return _plan(message, marks) if is_whole and found == marks else None
    except (RejectedError, KeyError):  # or a text that is no mark
        return None


def _plan(message: Message, marks: Sequence[str]) -> Plan:
    """Return the places of a message whose values are marks; raises KeyError when one is not."""
    places = {mark: place for place, mark in enumerate(marks)}
    return Plan(
        values=len(marks),
        event=_places(message.event, places),
        types=tuple(places[mark] for mark in message.types),
        subtypes=tuple(places[mark] for mark in message.subtypes),
        purposes=tuple(places[mark] for mark in message.purposes),
        description=_place(message.description.strip(), places),
        things=tuple(_thing_plan(thing, places) for thing in message.things),
    )


def _thing_plan(thing: Thing, places: dict[str, int]) -> ThingPlan:
    return ThingPlan(
        attributes=_places(thing.attributes, places),
        id_type=_place(thing.id_type, places),
        details=tuple(_places(one, places) for one in thing.details),
        classes=tuple(places[mark] for mark in thing.classes if mark),
        query=_place(thing.query.strip(), places),
    )


def _place(mark: str, places: dict[str, int]) -> int:
    return places[mark] if mark else -1


def _places(attributes: Attributes, places: dict[str, int]) -> Places:
    return tuple((name, places[mark]) for name, mark in attributes.items())


_plans: Final = Kept[str, "Plan | None"](_plan_of, room=_PLANS_ROOM)
