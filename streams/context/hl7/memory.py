"""What earlier messages said of patients, visits and appointments: a message tells what changed, a resource how things stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Any, Final, TypeVar

import msgspec

from sentinel.core.event import EPOCH

State = TypeVar("State")
Resource = dict[str, Any]
Recall = Callable[[str, str], bytes | None]
"""Gives what is remembered of a kind of thing and an id; None: nothing is."""

KINDS: Final = ("Patient", "Encounter", "Appointment")
_json: Final = msgspec.json.Encoder(order="deterministic")


@dataclass(slots=True)
class Memory:
    """What is remembered, and what one or several messages change of it.

    `changed`: what is to be remembered instead, by kind and id. `told`: the resources as they stand now, by the same names.
    """

    recall: Recall
    changed: dict[tuple[str, str], bytes] = field(default_factory=dict)
    told: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def get(self, kind: str, id_: str, type_: type[State]) -> State | None:
        """Return what is remembered."""
        raw = self.changed.get((kind, id_)) or self.recall(kind, id_)
        return msgspec.json.decode(raw, type=type_) if raw else None

    def put(self, resource: Mapping[str, Any], state: object) -> None:
        """Remember `state`, and tell the resource that it amounts to."""
        name = (resource["resourceType"], resource["id"])
        self.changed[name] = _json.encode(state)
        self.told[name] = _json.encode(resource)


def moment(us: int) -> str:
    """Return a time in µs as FHIR writes it."""
    return (EPOCH + timedelta(microseconds=us)).astimezone(UTC).isoformat().replace("+00:00", "Z")


def period(start: int | None, end: int | None) -> Resource:
    """Return a Period; an end that is not known, or before the start, is left out or put there."""
    told = {} if start is None else {"start": moment(start)}
    if end is not None:
        told["end"] = moment(end if start is None else max(start, end))
    return told


def reference(kind: str, id_: str) -> Resource:
    """Return a reference to what events name so."""
    return {"type": kind, "identifier": {"value": id_}}
