"""FHIR references and identifiers as the plain ids that events use."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import msgspec

from sentinel.core.context import EVER, FOREVER
from sentinel.core.errors import RejectedError, RejectionCode
from sentinel.core.event import TEXT_MAX
from streams.context.dates import NO_END_YEAR, PARIS, span
from streams.context.resources import Period, Reference, References

UNIT_KINDS: Final = frozenset({"Organization", "Location", "HealthcareService"})
STAFF_KINDS: Final = frozenset({"Practitioner", "PractitionerRole"})
_KIND: Final = re.compile(r"[A-Z][A-Za-z]+")


class Target(NamedTuple):
    """What a reference points at: a resource type (empty when nothing tells) and an id."""

    kind: str
    id: str


class Scope(msgspec.Struct, frozen=True, gc=False):
    """What is needed to understand a resource's fields: who it is, its contained resources, its Bundle, the site's zone."""

    name: str = ""  # "Encounter/e1"
    id: str = ""
    also_known: tuple[str, ...] = ()  # the end of its fullUrl, where that is another id
    last_updated: str | None = None
    contained: Sequence[Mapping[str, Any]] = ()
    kinds: Mapping[str, str] = {}  # a Bundle's fullUrl: the type of its resource
    zone: ZoneInfo = PARIS

    def period(self, period: Period | None, pointer: str) -> tuple[int, int]:
        """Return start and end in µs; `EVER` and `FOREVER` when not told."""
        start, end = EVER, FOREVER
        if period is None:
            return start, end
        if period.start:
            start, _ = self.moment(period.start, pointer, "/start")
        if period.end:
            last, end = self.moment(period.end, pointer, "/end")
            if end <= start and last < start:  # a day ends after a start within it
                raise RejectedError(RejectionCode.BAD_VALUE, f"{pointer}/end", "a period ends before it starts")
        return start, end

    def start(self, text: str | None, pointer: str) -> int:
        """Return the first moment of a date; `EVER` when not told."""
        return self.moment(text, pointer)[0] if text else EVER

    def end(self, text: str | None, pointer: str) -> int:
        """Return the moment when a date is over; `FOREVER` when not told, or told by a year from 2100 on."""
        return self.moment(text, pointer)[1] if text else FOREVER

    def moment(self, text: str, pointer: str, field: str = "") -> tuple[int, int]:
        """Return the first moment of a date, and when it is over: `FOREVER` for a year from 2100 on.

        It stands at `field` of what `pointer` names.
        """
        try:
            first, after = span(text, self.zone)
        except (ValueError, OverflowError):
            raise RejectedError(RejectionCode.BAD_TIME, pointer + field, "not a FHIR date") from None
        return first, after if text[:4] < NO_END_YEAR else FOREVER

    def closed(self, window: tuple[int, int]) -> tuple[int, int]:
        """Return a window known to be over: without an end it closes at `meta.lastUpdated`, else at its start."""
        start, end = window
        if end != FOREVER:
            return window
        return start, max(start, self.start(self.last_updated, "/meta/lastUpdated"))

    def target(self, reference: Reference | None, pointer: str, kind: str = "") -> Target | None:
        """Return what a reference points at; None when it names nothing but a display text.

        `kind` is the type the field holds when neither the reference nor its Bundle tells one.
        """
        if reference is None:
            return None
        text = reference.reference
        known = _known(text) if isinstance(text, str) else None
        return known or self._unusual(_innermost(reference), pointer, kind)

    def _unusual(self, reference: Reference, pointer: str, kind: str) -> Target | None:
        text = reference.reference
        found = (self._literal(text) if text and isinstance(text, str) else None) or _logical(reference)
        if found is None:
            return None
        return Target(found.kind or _tail(reference.type) or kind, checked_id(found.id, pointer))

    def _literal(self, text: str) -> Target | None:
        if text.startswith("#"):
            return self._in_contained(text[1:])
        kind, name = parse(text)
        return Target(kind or self.kinds.get(text, ""), name) if name else None

    def _in_contained(self, name: str) -> Target | None:
        """A contained resource has no id of its own in the world: its identifier, or the person whose role it is."""
        for resource in self.contained:
            if resource.get("id") == name:
                return _contained(resource)
        return None


def checked_id(text: str, pointer: str) -> str:
    """Return `text` when it is an id."""
    if is_id(text):
        return text
    raise RejectedError(RejectionCode.BAD_VALUE, pointer, "an id has 1 to 256 printable characters")


def is_id(text: str) -> bool:
    """Tell whether `text` can name something in an event: 1 to 256 printable characters."""
    return 0 < len(text) <= TEXT_MAX and text.isprintable()


def each(references: References) -> Sequence[tuple[str, Reference]]:
    """Return the references of a field that holds one or many, each with its pointer's end ("" or "/0")."""
    if not references:
        return ()
    if isinstance(references, Reference):
        return (("", references),)
    return [(f"/{index}", reference) for index, reference in enumerate(references)]


def _innermost(reference: Reference) -> Reference:
    """Return the Reference within a CodeableReference or a backbone element."""
    while not isinstance(reference.reference, str):
        inner = reference.reference or reference.actor or reference.party
        if inner is None:
            return reference
        reference = inner
    return reference


def _logical(reference: Reference) -> Target | None:
    identifier = reference.identifier
    return Target("", identifier.value.strip()) if identifier and identifier.value else None


def _contained(resource: Mapping[str, Any]) -> Target | None:
    kind = resource.get("resourceType")
    inner = resource.get("practitioner")
    text = inner.get("reference") if isinstance(inner, dict) else None
    if isinstance(text, str) and not text.startswith("#"):
        return parse(text)
    identifiers = resource.get("identifier")
    for identifier in identifiers if isinstance(identifiers, list) else [identifiers]:
        value = identifier.get("value") if isinstance(identifier, dict) else None
        if isinstance(value, str) and value.strip():
            return Target(kind if isinstance(kind, str) else "", value.strip())
    return None


@lru_cache(maxsize=65_536)
def _known(text: str) -> Target | None:
    """Return what an ordinary reference, type and good id, points at: the same for every field and Bundle."""
    target = parse(text)
    return target if target.kind and not text.startswith("#") and is_id(target.id) else None


def parse(text: str) -> Target:
    """Return type and id of a relative, absolute, versioned, urn or conditional reference; each empty when not told."""
    path, _, query = text.partition("?")
    path = path.partition("/_history/")[0]
    if query:  # conditional, in transactions: Practitioner?identifier=system|value
        return Target(_tail(path), parse_qs(query).get("identifier", [""])[0].lstrip("|"))
    if path.startswith(("urn:uuid:", "urn:oid:")):
        return Target("", path.rpartition(":")[2])
    base, _, last = path.rpartition("/")
    kind = base.rpartition("/")[2]
    return Target(kind if _KIND.fullmatch(kind) else "", last)


def _tail(uri: str | None) -> str:
    return uri.rpartition("/")[2] if uri else ""
