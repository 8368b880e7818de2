"""A feed as life has it: each day of the simulated hospital is another hospital of a group, and all live that day at once.

Events come evenly, and are told the moment at which they are sent: hours close when they end, not many a second.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from deploy.bench.inputs import OWN, Input

MOMENT: Final = b'"occurred_at":"@"'  # in the feed's lines, until they are sent
NAMES: Final = ("id", "actor_id", "patient_id", "resource_id", "device", "session")
KINDS: Final = ("Practitioner", "PractitionerRole", "Patient", "Encounter", "Appointment", "ServiceRequest")
DAYS_BEFORE: Final = 2  # that an order is still asked about
_REFERENCE: Final = re.compile(rb'"reference":"([A-Za-z]+)/')
_TIME: Final = re.compile(rb'"(start|end|authoredOn|created|lastUpdated)":"(\d{4}-\d\d-\d\d)[^"]*"')


@dataclass(slots=True)
class _Day:
    """Who and whose records are in the events of a day."""

    actors: set[str] = field(default_factory=set)
    patients: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Made:
    """The feed with its context, and how many hospitals are in it."""

    given: Input
    hospitals: int


def make(base: Input, folder: Path, today: date) -> Made:
    """Write the feed and its context, of `today`, into `folder`; equal inputs and days give equal bytes."""
    (folder / "context").mkdir(parents=True)
    events = [json.loads(line) for line in base.file(OWN).read_bytes().splitlines()]
    days: dict[date, _Day] = {}
    for event in events:
        day = days.setdefault(_day(event), _Day())
        day.actors.add(event["actor_id"])
        day.patients.add(event.get("patient_id", ""))
    made = Input(folder, 0, len(events), 0, 0)
    numbers = {day: b"h%02d." % number for number, day in enumerate(sorted(days))}
    lines = list(_feed(events, {day: number.decode() for day, number in numbers.items()}))
    made.file(OWN).write_bytes(b"".join(lines))
    for kind in KINDS:
        known = (base.context / f"{kind}.ndjson").read_bytes().splitlines()
        told = [_moved(line, numbers[day], today - day) for day, line in _of_days(known, days)]
        (made.context / f"{kind}.ndjson").write_bytes(b"".join(line + b"\n" for line in told))
    return Made(made, len(days))


def stamped(line: bytes, moment: float) -> bytes:
    """Return a line of the feed with the moment (seconds since 1970 UTC) at which it happened."""
    told = datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")
    return line.replace(MOMENT, b'"occurred_at":"%s"' % told.encode(), 1)


def of_turn(line: bytes, turn: int) -> bytes:
    """Return a line of the feed as the day is lived once more: an event of its own, of the same people."""
    return line.replace(b'"id":"', b'"id":"t%d-' % turn, 1) if turn else line


def _feed(events: Iterable[dict[str, Any]], numbers: Mapping[date, str]) -> Iterator[bytes]:
    """Yield the lines in their order: that of the time of day, in all hospitals."""
    for event in sorted(events, key=lambda event: (str(event["occurred_at"])[10:], str(event["id"]))):
        number = numbers[_day(event)]
        told = event | {name: f"{number}{event[name]}" for name in NAMES if event.get(name)} | {"occurred_at": "@"}
        yield json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _day(event: Mapping[str, Any]) -> date:
    return date.fromisoformat(event["occurred_at"][:10])


def _of_days(known: Iterable[bytes], days: Mapping[date, _Day]) -> Iterator[tuple[date, bytes]]:
    """Yield the resources that the events of each day rest on."""
    for line in known:
        resource = json.loads(line)
        kind, first, last = resource["resourceType"], *_span(resource)
        for day, who in days.items():
            if first <= day <= last and _is_of(kind, resource, who):
                yield day, line


def _is_of(kind: str, resource: dict[str, Any], who: _Day) -> bool:
    match kind:
        case "Practitioner":
            return resource["id"] in who.actors
        case "PractitionerRole":
            return _named(resource["practitioner"]) in who.actors
        case "Patient":
            return resource["id"] in who.patients
        case "Appointment":
            return any(_named(one["actor"]) in who.patients for one in resource["participant"])
        case _:
            return _named(resource["subject"]) in who.patients


def _named(reference: Mapping[str, str]) -> str:
    return reference["reference"].partition("/")[2]


def _span(resource: dict[str, Any]) -> tuple[date, date]:
    """Return the first and the last day on which a resource says something."""
    match resource["resourceType"]:
        case "Appointment":
            day = date.fromisoformat(resource["start"][:10])
            return day, day
        case "ServiceRequest":
            day = date.fromisoformat(resource["authoredOn"][:10])
            return day, day + timedelta(days=DAYS_BEFORE)
        case _:
            period = resource.get("period", {})
            first, last = period.get("start", "0001-01-01"), period.get("end", "9999-12-31")
            return date.fromisoformat(first[:10]), date.fromisoformat(last[:10])


def _moved(line: bytes, number: bytes, by: timedelta) -> bytes:
    """Return a resource as that of the hospital of this number, moved by whole days and holding from midnight to midnight."""

    def moved(found: re.Match[bytes]) -> bytes:
        name, day = found.groups()
        then = date.fromisoformat(day.decode()) + by + timedelta(days=name == b"end")
        return b'"%s":"%sT00:00:00Z"' % (name, then.isoformat().encode())

    line = _REFERENCE.sub(rb'"reference":"\1/' + number, line)
    return _TIME.sub(moved, line.replace(b'"id":"', b'"id":"' + number, 1))
