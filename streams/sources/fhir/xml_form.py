"""FHIR's XML into FHIR's JSON (https://hl7.org/fhir/json.html#xml), so that there is one mapping for both.

What repeats and what is no string is told by FHIR's definitions, not by the document: the tables hold it for
AuditEvent, Bundle and what both are made of, in all releases. Of a contained resource what repeats is a list.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import Struct

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from streams.sources.markup import parse

DOCUMENT_BYTES_MAX: Final = 16 << 20
DEPTH_MAX: Final = 64

_FHIR: Final = "http://hl7.org/fhir"
_SEPARATOR: Final = "}"
_TAG: Final = re.compile(
    rb"<!--.*?(?:-->|\Z)|<(/?)(?:[\w.-]+:)?(?:AuditEvent|Bundle)(?=[\s/>])[^<>]*?(/?)>",
    re.DOTALL,
)

Json = dict[str, Any]

# What repeats wherever it stands, and what repeats in some elements alone.
_LISTS: Final = frozenset(
    {
        *("agent", "authorization", "basedOn", "category", "coding", "contained", "detail", "entity", "entry", "extension"),
        *("link", "modifierExtension", "policy", "profile", "purposeOfEvent", "purposeOfUse", "security", "securityLabel"),
        *("subtype", "tag"),
    }
)
_LISTS_IN: Final = {
    "agent": frozenset({"role"}),
    "source": frozenset({"type"}),
    "Practitioner": frozenset({"identifier", "name", "telecom", "address", "qualification"}),
    "PractitionerRole": frozenset({"identifier", "code", "specialty", "location", "healthcareService", "telecom", "endpoint"}),
    "Patient": frozenset({"identifier", "name", "telecom", "address", "contact", "generalPractitioner"}),
    "Organization": frozenset({"identifier", "type", "alias", "telecom", "address"}),
    "Device": frozenset({"identifier", "deviceName", "name", "contact", "note"}),
}
_NONE: Final[frozenset[str]] = frozenset()
_BOOLEANS: Final = frozenset({"requestor", "valueBoolean", "userSelected", "active", "deceasedBoolean"})
_INTEGERS: Final = frozenset({"valueInteger", "valuePositiveInt", "valueUnsignedInt", "total"})
_QUANTITIES: Final = frozenset({"valueQuantity", "valueAge", "valueCount", "valueDistance", "valueDuration", "valueMoney"})
_TYPED: Final = _BOOLEANS | _INTEGERS | {"value"}
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})", re.ASCII)
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
# A primitive that holds nothing but extensions is absent; so are these, which are read through what they hold.
_OF_EXTENSIONS: Final = frozenset({"agent", "entity", "extension", "modifierExtension", "resource", "contained"})


class Node(Struct, gc=False):
    """An element that is being read: its value when it is a primitive, and what it holds."""

    name: str
    attributes: dict[str, str]
    held: Json = {}


def is_xml(document: bytes) -> bool:
    """Return whether a document is XML rather than JSON; blanks and a byte order mark may stand before it."""
    return document.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"


def to_json(document: bytes) -> bytes:
    """Return a resource in FHIR's JSON; narratives are left out.

    Raises:
        RejectedError: not XML, no FHIR, or more than the bounds.
    """
    if len(document) > DOCUMENT_BYTES_MAX:
        raise RejectedError(Code.TOO_LARGE, detail=f"more than {DOCUMENT_BYTES_MAX} bytes of XML")
    reader = Reader()
    parse(document.lstrip(), reader.start, reader.end, separator=_SEPARATOR)
    if not reader.resource:
        raise RejectedError(Code.NOT_AN_EVENT, detail="no FHIR resource")
    return msgspec.json.encode(reader.resource)


def split(text: bytes) -> list[bytes]:
    """Return the documents of a file of AuditEvents and Bundles, which may hold one another."""
    found, done, depth = [], 0, 0
    for tag in _TAG.finditer(text):
        if tag[1] is None:  # a comment
            continue
        depth += -1 if tag[1] else not tag[2]
        if depth <= 0:
            found.append(text[done : tag.end()].strip())
            done, depth = tag.end(), 0
    rest = text[done:].strip()
    return [*found, rest] if rest or not found else found


class Reader:
    """Builds a resource element by element. What is not in FHIR's namespace (a narrative) is skipped with all it holds."""

    def __init__(self) -> None:
        self.resource: Json = {}
        self._open: list[Node] = [Node("", {})]
        self._skipping = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        namespace, _, local = name.rpartition(_SEPARATOR)
        if self._skipping or namespace not in (_FHIR, ""):
            self._skipping += 1
        elif len(self._open) > DEPTH_MAX:
            raise RejectedError(Code.TOO_DEEP, detail=f"more than {DEPTH_MAX} elements in one another")
        else:
            self._open.append(Node(local, attributes))

    def end(self, _: str) -> None:
        """End an element: put it into the one that holds it."""
        if self._skipping:
            self._skipping -= 1
            return
        node, holder = self._open.pop(), self._open[-1]
        name, value = node.name, node.attributes.get("value")
        if value is not None:
            _put(holder, name, _typed(name, holder.name, value) if name in _TYPED else value)
            if node.held:
                _put(holder, f"_{name}", node.held)
        elif name[:1].isupper():
            self._end_resource(node, holder)
        elif held := _complex(node):
            is_absent = len(held) == 1 and "extension" in held and name not in _OF_EXTENSIONS
            _put(holder, f"_{name}" if is_absent else name, held)

    def _end_resource(self, node: Node, holder: Node) -> None:
        """End a resource: what holds it (`resource`, `contained`) stands for it."""
        resource = {**node.held, "resourceType": node.name}
        if holder.name:
            holder.held = resource
        else:
            self.resource = resource


def _complex(node: Node) -> Json:
    if not node.attributes:
        return node.held
    told = {name: node.attributes[name] for name in ("id", "url") if name in node.attributes}
    return told | node.held


def _put(holder: Node, name: str, value: Any) -> None:
    """Put an element into its holder: in a list if it repeats by definition, or does so here."""
    held = holder.held
    if name in held:
        before = held[name]
        if isinstance(before, list):
            before.append(value)
        else:
            held[name] = [before, value]
    elif name in _LISTS or name in _LISTS_IN.get(holder.name, _NONE):
        held[name] = [value]
    else:
        held[name] = value


def _typed(name: str, holder: str, value: str) -> Any:
    """Return a primitive in JSON's type; one that is not what FHIR says stays a string, and is refused as such."""
    if name in _BOOLEANS and value in ("true", "false"):
        return value == "true"
    if name in _INTEGERS and _INTEGER.fullmatch(value):
        return int(value)
    if name == "value" and holder in _QUANTITIES and _DECIMAL.fullmatch(value):
        return int(value) if _INTEGER.fullmatch(value) else float(value)
    return value
