"""SCH, AIP, AIL and what else a scheduling message tells, as the Appointment that it amounts to."""

from __future__ import annotations

from typing import Final

import msgspec

from sentinel.core.errors import RejectedError, RejectionCode
from streams.context.hl7.memory import Memory, Resource, moment, reference
from streams.context.hl7.message import Message, Segment
from streams.context.hl7.patients import Site

_SECONDS: Final = {
    "": 60,
    "MIN": 60,
    "M": 60,
    "MINUTE": 60,
    "MINUTES": 60,
    "S": 1,
    "SEC": 1,
    "H": 3_600,
    "HR": 3_600,
    "HOUR": 3_600,
}
_STARTS: Final = {"AIS": (4, 7), "AIP": (6, 9), "AIL": (6, 9), "AIG": (8, 11)}  # start, and duration with its units behind


class Booked(msgspec.Struct, frozen=True):
    """Someone, or a place, that is booked. `kind`: the type of resource."""

    kind: str
    id: str


class Booking(msgspec.Struct):
    """An appointment as far as messages told it; times in µs."""

    id: str
    patients: list[str]
    status: str
    start: int
    end: int
    booked: list[Booked] = []


def appointment_of(message: Message, status: str, patient: str, site: Site, memory: Memory) -> None:
    """Take in what a message says of an appointment.

    Raises:
        RejectedError: it cannot be told from others, or no start is told of one that was not known.
    """
    sch = message.need("SCH")
    id_ = sch.text(2) or sch.text(1)
    if not id_:
        raise RejectedError(RejectionCode.MISSING_FIELD, "/SCH/2", "no appointment number")
    before = memory.get("Appointment", id_, Booking)
    window = _window(message, sch, site) or ((before.start, before.end) if before else None)
    if window is None:
        if status in ("cancelled", "entered-in-error"):
            return  # never heard of
        raise RejectedError(RejectionCode.MISSING_FIELD, "/SCH/11", "no start is told")
    booking = before or Booking(id_, [patient], status, *window)
    booking.patients, booking.status, (booking.start, booking.end) = [patient], status, window
    booking.booked = _booked(message, booking.booked)
    memory.put(_appointment(booking), booking)


def _window(message: Message, sch: Segment, site: Site) -> tuple[int, int] | None:
    """Return start and end: of SCH-11 (until 2.6), TQ1, or the first resource that tells its own."""
    start, end = sch.span(11, site.zone, 4), sch.span(11, site.zone, 5)
    tq1 = message.first("TQ1")
    if start is None and tq1:
        start, end = tq1.span(7, site.zone), tq1.span(8, site.zone)
    length = _seconds(sch, 9, 10)
    for segment in message.segments:
        if segment.name in _STARTS:
            at, lasts = _STARTS[segment.name]
            start = start or segment.span(at, site.zone)
            length = length or _seconds(segment, lasts, lasts + 1)
    if start is None:
        return None
    return start[0], end[0] if end else start[0] + length * 1_000_000


def _seconds(segment: Segment, duration: int, unit: int) -> int:
    told, per = segment.text(duration), _SECONDS.get(segment.text(unit).upper(), 60)
    if not told:
        return 0
    if not (told.isascii() and told.replace(".", "", 1).isdigit() and len(told) <= 8):
        raise RejectedError(RejectionCode.WRONG_TYPE, segment.pointer(duration), "not a number")
    return int(float(told) * per)


def _booked(message: Message, before: list[Booked]) -> list[Booked]:
    """Return who and what is booked: told anew as a whole, unless action codes say what is added and what goes."""
    told = [(segment.text(2), one) for segment in message.segments for one in _resources(segment)]
    if not told:
        return before
    is_change = any(action for action, _ in told)
    gone = {one for action, one in told if action == "D"}
    kept = [one for one in before if one not in gone] if is_change else []
    return list(dict.fromkeys([*kept, *(one for action, one in told if action != "D")]))


def _resources(segment: Segment) -> list[Booked]:
    """Return the people of AIP and PV1, the places of AIL and PV1."""
    if segment.name == "AIP":
        return [Booked("Practitioner", one.text()) for one in segment.repetitions(3) if one.text()]
    if segment.name == "AIL":
        return [Booked("Location", one.text()) for one in segment.repetitions(3) if one.text()]
    return []


def _appointment(booking: Booking) -> Resource:
    people = [("Patient", one) for one in booking.patients] + [(one.kind, one.id) for one in booking.booked]
    return {
        "resourceType": "Appointment",
        "id": booking.id,
        "status": booking.status,
        "start": moment(booking.start),
        "end": moment(max(booking.start, booking.end)),
        "participant": [{"actor": reference(kind, id_)} for kind, id_ in people],
    }
