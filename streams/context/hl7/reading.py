"""What each kind of message changes: ADT of patients and visits, SIU of appointments."""

from __future__ import annotations

from typing import Final

from sentinel.core.errors import RejectedError, RejectionCode
from streams.context.hl7.appointments import appointment_of
from streams.context.hl7.memory import Memory
from streams.context.hl7.message import Message
from streams.context.hl7.patients import Site, merge, patient_of
from streams.context.hl7.visits import Effect, corrected, visit_of

ADT: Final = {
    **dict.fromkeys(("A05", "A14"), Effect.PLAN),
    **dict.fromkeys(("A01", "A04"), Effect.BEGIN),
    **dict.fromkeys(("A02", "A06", "A07", "A22"), Effect.MOVE),
    "A03": Effect.END,
    **dict.fromkeys(("A08", "A09", "A10", "A15", "A16", "A21", "A25", "A26", "A32", "A33", "A45", "A52"), Effect.UPDATE),
    **dict.fromkeys(("A54", "A55"), Effect.UPDATE),
    **dict.fromkeys(("A11", "A23", "A27", "A38"), Effect.CANCEL_BEGIN),
    **dict.fromkeys(("A12", "A53"), Effect.CANCEL_MOVE),
    "A13": Effect.CANCEL_END,
}
"""What each event does to the visit; all but cancellations tell of the patient too."""
PERSON: Final = frozenset({"A28", "A31"})
MERGE: Final = frozenset({"A18", "A30", "A34", "A36", "A39", "A40", "A46", "A47"})
SIU: Final = {
    **dict.fromkeys(("S12", "S13", "S14"), "booked"),
    "S15": "cancelled",
    "S17": "entered-in-error",
    "S26": "noshow",
}
VERSIONS: Final = ("2.3", "2.4", "2.5", "2.6", "2.7", "2.8")


def read(message: Message, site: Site, memory: Memory) -> None:
    """Take a message in.

    Raises:
        RejectedError: it cannot be read; `memory` is then to be thrown away.
    """
    kind, event = kind_of(message)
    check(message, site)
    if kind == "SIU":
        appointment_of(message, SIU[event], patient_of(message, site, memory), site, memory)
    elif event in MERGE:
        merge(message, site, memory)
    else:
        patient = patient_of(message, site, memory)
        if event not in PERSON:
            visit_of(message, _effect(message, event), patient, site, memory)


def kind_of(message: Message) -> tuple[str, str]:
    """Return the type and the event of a message that is read.

    Raises:
        RejectedError: it is of another.
    """
    header, evn = message.header, message.first("EVN")
    kind, event = header.text(9, 1), header.text(9, 2) or (evn.text(1) if evn else "")
    if kind not in ("ADT", "SIU"):
        raise RejectedError(RejectionCode.NOT_AN_EVENT, "/MSH/9", "a type of message that is not read")
    is_known = event in SIU if kind == "SIU" else event in ADT or event in PERSON | MERGE or _is_national(message, event)
    if not is_known:
        raise RejectedError(RejectionCode.NOT_AN_EVENT, "/MSH/9/2", "an event that is not read")
    return kind, event


def check(message: Message, site: Site) -> None:
    """Refuse exercises, and versions that are not read.

    Raises:
        RejectedError: it is one.
    """
    processing, version = message.header.text(11), message.header.text(12)
    if processing and processing not in site.processing:
        raise RejectedError(RejectionCode.BAD_VALUE, "/MSH/11", "an exercise, not production")
    if version and not version.startswith(VERSIONS):
        raise RejectedError(RejectionCode.BAD_VALUE, "/MSH/12", "a version that is not read")


def _is_national(message: Message, event: str) -> bool:
    """Tell whether it is an event of a national extension that says which movement it is about."""
    return len(event) == 3 and event.startswith("Z") and message.first("ZBE") is not None


def _effect(message: Message, event: str) -> Effect:
    """Return what a message does, as ZBE corrects it: a national event without a rule of its own is a movement."""
    effect, zbe = ADT.get(event, Effect.MOVE), message.first("ZBE")
    if zbe is None:
        return effect
    original = zbe.text(6)
    if event.startswith("Z") and zbe.text(4) == "CANCEL" and not original:
        return Effect.CANCEL_MOVE
    if effect.value.startswith("cancel"):
        return effect
    return corrected(effect, ADT.get(original, Effect.MOVE) if original else None, zbe.text(4))
