"""PV1, PV2, ZBE and ROL as the Encounter that they amount to: where a patient was from when to when, and who took part."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from sentinel.core.errors import RejectedError, RejectionCode
from streams.context.hl7.memory import Memory, Resource, period, reference
from streams.context.hl7.message import Message, Segment
from streams.context.hl7.patients import Site

MOVEMENTS_MAX: Final = 2_000  # of one visit: psychiatry and dialysis keep one open for years
_DOCTORS: Final = (7, 8, 9, 17, 52)  # attending, referring, consulting, admitting, other
_NO_VISIT: Final = "N"


class Effect(StrEnum):
    """What a message does to a visit."""

    PLAN = "plan"
    BEGIN = "begin"
    MOVE = "move"
    END = "end"
    UPDATE = "update"
    CANCEL_BEGIN = "cancel-begin"  # also of what was planned, and of the whole visit
    CANCEL_MOVE = "cancel-move"
    CANCEL_END = "cancel-end"


_CANCELS: Final = {
    Effect.PLAN: Effect.CANCEL_BEGIN,
    Effect.BEGIN: Effect.CANCEL_BEGIN,
    Effect.MOVE: Effect.CANCEL_MOVE,
    Effect.END: Effect.CANCEL_END,
    Effect.UPDATE: Effect.UPDATE,
}


class Movement(msgspec.Struct):
    """The patient is in some places from `start` (µs) on. `id`: ZBE-1, else derived from the start."""

    id: str
    start: int
    places: list[tuple[str, str]]  # what kind of unit, and its id


class Seat(msgspec.Struct):
    """Someone takes part in a role, from `start` (None: the visit's) to `end`."""

    role: str
    id: str
    start: int | None = None
    end: int | None = None


class Visit(msgspec.Struct):
    """A visit as far as messages told it. Times in µs; `begin_id`, `end_id`: the movements (ZBE-1) that began and ended it."""

    id: str
    patient: str
    status: str = "in-progress"
    start: int | None = None
    end: int | None = None
    begin_id: str = ""
    end_id: str = ""
    movements: list[Movement] = []
    seats: list[Seat] = []


class Told(msgspec.Struct):
    """What a message says of a visit. `at`: when it happened; `movement`: ZBE-1."""

    effect: Effect
    at: int
    movement: str
    places: list[tuple[str, str]]


def visit_of(message: Message, effect: Effect, patient: str, site: Site, memory: Memory) -> None:
    """Take in what a message says of a visit; nothing when it is about none.

    Raises:
        RejectedError: the visit cannot be told from others, or a time cannot be read.
    """
    pv1 = message.first("PV1")
    if pv1 is None or pv1.text(2) == _NO_VISIT:
        return
    at = _happened(message, effect, site)
    visit_id = _visit_id(message, pv1, patient)
    before = memory.get("Encounter", visit_id, Visit)
    if before is None and effect in _CANCELS.values() and effect is not Effect.UPDATE:
        return  # never heard of
    visit = before or Visit(visit_id, patient)
    visit.patient = patient
    zbe = message.first("ZBE")
    _CHANGES[effect](visit, Told(effect, at, zbe.text(1) if zbe else "", _places(pv1, zbe)))
    _told_times(visit, effect, pv1, site)
    _seats(visit, message, pv1, at, site)
    if len(visit.movements) > MOVEMENTS_MAX:
        raise RejectedError(RejectionCode.TOO_LARGE, "/PV1", f"a visit has at most {MOVEMENTS_MAX} movements")
    memory.put(_encounter(visit), visit)


def corrected(effect: Effect, original: Effect | None, action: str) -> Effect:
    """Return what a message does whose ZBE says that it corrects (UPDATE) or takes back (CANCEL) what another did."""
    meant = original or effect
    if action == "CANCEL":
        return _CANCELS.get(meant, meant)
    return meant if action == "UPDATE" else effect


def _visit_id(message: Message, pv1: Segment, patient: str) -> str:
    """Return the visit number, else the account's, else what a patient's visit is known by: when it began."""
    pid = message.need("PID")
    found = pv1.text(19) or pid.text(18) or pv1.text(50)
    if not found and not pv1.text(44):
        raise RejectedError(RejectionCode.MISSING_FIELD, "/PV1/19", "no visit number, account number or admission time")
    return found or f"{patient}@{pv1.text(44)}"


def _happened(message: Message, effect: Effect, site: Site) -> int:
    """Return when what is told happened, or is planned to (µs)."""
    wanted = {
        Effect.PLAN: (("ZBE", 2), ("PV2", 8), ("PV1", 44)),
        Effect.BEGIN: (("ZBE", 2), ("PV1", 44)),
        Effect.END: (("PV1", 45), ("ZBE", 2)),
    }.get(effect, (("ZBE", 2),))
    for name, field in (*wanted, ("EVN", 6), ("EVN", 2), ("MSH", 7)):
        segment = message.first(name)
        told = segment.span(field, site.zone) if segment else None
        if told is not None:
            return told[1] if effect is Effect.END else told[0]
    raise RejectedError(RejectionCode.MISSING_FIELD, "/MSH/7", "no time is told")


def _places(pv1: Segment, zbe: Segment | None) -> list[tuple[str, str]]:
    """Return the point of care, the hospital service, and the units in charge (ZBE-7, ZBE-8: XON)."""
    found = [("Location", pv1.text(3)), ("HealthcareService", pv1.text(10))]
    for field in (7, 8):
        units = zbe.repetitions(field) if zbe else []
        found += [("Organization", unit.text(10) or unit.text(3) or unit.text(1)) for unit in units]
    return list({id_: (kind, id_) for kind, id_ in reversed(found) if id_}.values())[::-1]


def _plan(visit: Visit, told: Told) -> None:
    if visit.start is None or visit.status == "planned":
        visit.status, visit.start, visit.begin_id = "planned", told.at, told.movement
        visit.movements = [Movement(told.movement or "begin", told.at, told.places)]


def _begin(visit: Visit, told: Told) -> None:
    """Begin, or correct the beginning; what was planned is over.

    Whoever was registered in the emergency room and is admitted to a ward, as the same visit, moves there.
    """
    if not told.movement and visit.start is not None and visit.status == "in-progress" and _is_elsewhere(visit, told):
        return _move(visit, told)
    first = told.movement or "begin"
    old = {visit.begin_id, first, "begin"}
    visit.movements = [] if visit.status == "planned" else [one for one in visit.movements if one.id not in old]
    visit.status = "finished" if visit.end is not None else "in-progress"
    visit.start, visit.begin_id = told.at, first
    _insert(visit, Movement(first, told.at, told.places))
    return None


def _is_elsewhere(visit: Visit, told: Told) -> bool:
    return bool(visit.movements) and told.at > visit.movements[-1].start and told.places != visit.movements[-1].places


def _move(visit: Visit, told: Told) -> None:
    if visit.start is None:
        visit.start = told.at
    if told.places:
        _insert(visit, Movement(told.movement or f"@{told.at}", told.at, told.places))


def _end(visit: Visit, told: Told) -> None:
    if visit.start is None:
        visit.start = told.at
    if not visit.movements:
        _insert(visit, Movement("begin", visit.start, told.places))
    visit.status, visit.end, visit.end_id = "finished", told.at, told.movement


def _update(visit: Visit, told: Told) -> None:
    """Take the place over where it is another than is known: the transfer was not told, or told wrong."""
    if visit.start is None:
        visit.start = told.at
    is_known = bool(visit.movements) and visit.movements[-1].places == told.places
    if told.places and not is_known and visit.end is None:
        _insert(visit, Movement(told.movement or (f"@{told.at}" if visit.movements else "begin"), told.at, told.places))


def _cancel_begin(visit: Visit, told: Told) -> None:
    if not told.movement or told.movement == visit.begin_id or visit.begin_id in ("", "begin"):
        visit.status = "cancelled"


def _cancel_move(visit: Visit, told: Told) -> None:
    """Take back the movement that is named; else the last one, unless the patient is where the message says already."""
    named = [one for one in visit.movements if one.id == told.movement]
    last = visit.movements[-1:] if len(visit.movements) > 1 and visit.movements[-1].places != told.places else []
    for one in named or ([] if told.movement else last):
        visit.movements.remove(one)


def _cancel_end(visit: Visit, told: Told) -> None:
    if not told.movement or not visit.end_id or told.movement == visit.end_id:
        visit.status, visit.end, visit.end_id = "in-progress", None, ""


_CHANGES: Final = {
    Effect.PLAN: _plan,
    Effect.BEGIN: _begin,
    Effect.MOVE: _move,
    Effect.END: _end,
    Effect.UPDATE: _update,
    Effect.CANCEL_BEGIN: _cancel_begin,
    Effect.CANCEL_MOVE: _cancel_move,
    Effect.CANCEL_END: _cancel_end,
}


def _insert(visit: Visit, movement: Movement) -> None:
    """Put a movement at its time, in place of one of the same id."""
    others = [one for one in visit.movements if one.id != movement.id]
    visit.movements = sorted([*others, movement], key=lambda one: (one.start, one.id))


def _told_times(visit: Visit, effect: Effect, pv1: Segment, site: Site) -> None:
    """Take over PV1-44 and PV1-45, which any message may tell; "" in PV1-45 opens a visit again."""
    admitted, discharged = pv1.span(44, site.zone), pv1.span(45, site.zone)
    is_first = len(visit.movements) <= 1 or (admitted is not None and visit.start is not None and admitted[0] < visit.start)
    if admitted and is_first and visit.status != "planned":
        if visit.movements and visit.movements[0].start == visit.start:
            visit.movements[0].start = admitted[0]
        visit.start = admitted[0]
    if discharged and effect not in (Effect.CANCEL_END, Effect.CANCEL_BEGIN, Effect.PLAN):
        visit.status, visit.end = "finished" if visit.status == "in-progress" else visit.status, discharged[1]
    elif pv1.is_deleted(45) and visit.status == "finished":
        visit.status, visit.end = "in-progress", None


def _seats(visit: Visit, message: Message, pv1: Segment, at: int, site: Site) -> None:
    """Take over who takes part: whoever is not named in a role any more took part until then."""
    for field in _DOCTORS:
        if pv1.is_told(field):
            _seated(visit, f"PV1-{field}", [one.text() for one in pv1.repetitions(field) if one.text()], at)
    for rol in message.all("ROL"):
        role, people = rol.text(3), [one.text() for one in rol.repetitions(4) if one.text()]
        if role == "PP":
            continue  # the patient's, not the visit's
        kept = [seat for seat in visit.seats if (seat.role, seat.id) not in {(role, one) for one in people}]
        start, end = rol.span(5, site.zone), rol.span(6, site.zone)
        gone = at if rol.text(2) == "DE" else None
        visit.seats = kept + [Seat(role, one, start[0] if start else None, end[1] if end else gone) for one in people]


def _seated(visit: Visit, role: str, people: Sequence[str], at: int) -> None:
    there = [seat for seat in visit.seats if seat.role == role and seat.end is None]
    for seat in there:
        if seat.id not in people:
            seat.end = at
    known = {seat.id for seat in there}
    is_first = not any(seat.role == role for seat in visit.seats)
    visit.seats += [Seat(role, one, None if is_first else at) for one in dict.fromkeys(people) if one not in known]


def _encounter(visit: Visit) -> Resource:
    """Return the Encounter: a place lasts until the next movement, the last one until the end."""
    starts = [one.start for one in visit.movements[1:]]
    ends = [*starts, visit.end] if visit.movements else []
    stays = [(place, one, end) for one, end in zip(visit.movements, ends, strict=True) for place in one.places]
    return {
        "resourceType": "Encounter",
        "id": visit.id,
        "status": visit.status,
        "subject": reference("Patient", visit.patient),
        "period": period(visit.start, visit.end),
        "location": [
            {"location": reference(*place), "period": period(one.start, _until(end, visit))} for place, one, end in stays
        ],
        "participant": [
            {"individual": reference("Practitioner", seat.id), "period": period(seat.start, seat.end)} for seat in visit.seats
        ],
    }


def _until(end: int | None, visit: Visit) -> int | None:
    return end if visit.end is None or end is None else min(end, visit.end)
