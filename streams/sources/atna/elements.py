"""The elements of an audit message that are read: DICOM PS3.15 A.5, RFC 3881 before it, and what senders made of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from streams.sources.markup import parse

if TYPE_CHECKING:
    from collections.abc import Callable

Attributes = dict[str, str]

ROOT: Final = "AuditMessage"
_HELD: Final = (b"EventOutcomeDescription", b"ParticipantObjectQuery")  # elements whose characters are read


class Participant(Struct, gc=False):
    """`ActiveParticipant`: who or what took part."""

    attributes: Attributes
    roles: list[Attributes] = []  # RoleIDCode
    id_type: str = ""  # UserIDTypeCode
    medium: str = ""  # MediaIdentifier/MediaType


class Thing(Struct, gc=False):
    """`ParticipantObjectIdentification`: what was touched."""

    attributes: Attributes
    id_type: str = ""  # ParticipantObjectIDTypeCode
    details: list[Attributes] = []  # ParticipantObjectDetail
    classes: list[str] = []  # SOPClass@NumberOfInstances
    query: str = ""  # ParticipantObjectQuery, base64


class Message(Struct, gc=False):
    """`AuditMessage`, as far as it is parsed."""

    roots: int = 0
    event: Attributes = {}  # EventIdentification
    types: list[str] = []  # EventID
    subtypes: list[str] = []  # EventTypeCode
    purposes: list[str] = []  # PurposeOfUse
    description: str = ""  # EventOutcomeDescription
    participants: list[Participant] = []
    source: Attributes = {}  # AuditSourceIdentification
    things: list[Thing] = []
    holder: str = ""  # whose characters come next

    def add_text(self, text: str) -> None:
        """Take in characters."""
        held = self.holder.rpartition(":")[2]
        if held == "EventOutcomeDescription":
            self.description += text
        elif held == "ParticipantObjectQuery" and self.things:
            self.things[-1].query += text


def parsed(document: bytes) -> Message:
    """Return the message that the elements of a document make: known by name, wherever they stand; others are skipped.

    Raises:
        RejectedError: it cannot be parsed.
    """
    message = Message()
    takes = _TAKES.get

    def start(name: str, attributes: Attributes) -> None:
        if (take := takes(name) or takes(name.rpartition(":")[2])) is not None:
            take(message, attributes)

    if any(name in document for name in _HELD):
        parse(document, lambda name, attributes: _hold(message, start, name, attributes), text=message.add_text)
    else:
        parse(document, start)
    return message


def _hold(message: Message, start: Callable[[str, Attributes], None], name: str, attributes: Attributes) -> None:
    message.holder = name
    start(name, attributes)


def code_of(attributes: Attributes) -> str:
    """Return a coded value's code: DICOM's `csd-code`, RFC 3881's `code`; empty when not told."""
    return (attributes.get("csd-code") or attributes.get("code") or "").strip()


def _take_root(message: Message, _: Attributes) -> None:
    message.roots += 1


def _take_event(message: Message, attributes: Attributes) -> None:
    message.event = attributes


def _take_type(message: Message, attributes: Attributes) -> None:
    message.types.append(code_of(attributes))


def _take_subtype(message: Message, attributes: Attributes) -> None:
    message.subtypes.append(code_of(attributes))


def _take_purpose(message: Message, attributes: Attributes) -> None:
    message.purposes.append(code_of(attributes))


def _take_participant(message: Message, attributes: Attributes) -> None:
    message.participants.append(Participant(attributes))


def _take_role(message: Message, attributes: Attributes) -> None:
    if message.participants:
        message.participants[-1].roles.append(attributes)


def _take_user_type(message: Message, attributes: Attributes) -> None:
    if message.participants:
        message.participants[-1].id_type = code_of(attributes)


def _take_medium(message: Message, attributes: Attributes) -> None:
    if message.participants:
        message.participants[-1].medium = code_of(attributes)


def _take_source(message: Message, attributes: Attributes) -> None:
    message.source = message.source or attributes


def _take_thing(message: Message, attributes: Attributes) -> None:
    message.things.append(Thing(attributes))


def _take_thing_type(message: Message, attributes: Attributes) -> None:
    if message.things:
        message.things[-1].id_type = code_of(attributes)


def _take_detail(message: Message, attributes: Attributes) -> None:
    if message.things:
        message.things[-1].details.append(attributes)


def _take_class(message: Message, attributes: Attributes) -> None:
    if message.things:
        message.things[-1].classes.append(attributes.get("NumberOfInstances", "").strip())


_TAKES: Final[dict[str, Callable[[Message, Attributes], None]]] = {
    ROOT: _take_root,
    "EventIdentification": _take_event,
    "EventID": _take_type,
    "EventTypeCode": _take_subtype,
    "PurposeOfUse": _take_purpose,
    "ActiveParticipant": _take_participant,
    "RoleIDCode": _take_role,
    "UserIDTypeCode": _take_user_type,
    "MediaType": _take_medium,
    "AuditSourceIdentification": _take_source,
    "ParticipantObjectIdentification": _take_thing,
    "ParticipantObjectIDTypeCode": _take_thing_type,
    "ParticipantObjectDetail": _take_detail,
    "SOPClass": _take_class,
}
