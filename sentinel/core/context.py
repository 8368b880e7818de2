"""What the hospital knows of its people: who works where, and which patient is in whose care, when.

The `id` of a position, stay or link is that of the resource it came from ("Encounter/12"); one resource may
give several records. A resource sent again is `Withdrawn(id)` followed by its records.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from sentinel.core.frozen import frozen

FOREVER: Final = 2**62  # µs: no end is known
EVER: Final = -(2**62)  # µs: no start is known


class LinkKind(StrEnum):
    """Why a person at work and a patient have to do with each other by name."""

    APPOINTMENT = "appointment"
    ENCOUNTER = "encounter"  # takes part in a stay or visit
    CARE_TEAM = "care-team"
    GENERAL_PRACTITIONER = "general-practitioner"
    ORDER = "order"  # asked for it
    RESULT = "result"  # was asked to do it, or did it


class PatientFlag(StrEnum):
    """What asks for more care with a record."""

    VIP = "vip"  # v3-ActCode CEL, or confidentiality V
    RESTRICTED = "restricted"  # confidentiality R, an opposition of the patient
    STAFF = "staff"  # v3-ActCode EMP
    TEST = "test"  # v3-ActReason HTEST: nobody's record


@frozen
class Identity:
    """The civil traits by which two records may be one person or one household.

    Already folded (case, accents, punctuation); empty when not told. `birth_date` is ISO 8601.
    `address` is the whole postal address in one key, `street` the same without house number.
    """

    family: str = ""
    given: str = ""
    birth_date: str = ""
    address: str = ""
    street: str = ""


@frozen
class StaffMember:
    """A person at work. `aliases` are all other ids that name them in events (RPPS, login, role ids)."""

    actor_id: str
    name: str
    identity: Identity
    aliases: tuple[str, ...] = ()
    rpps: str = ""
    active: bool = True
    is_service: bool = False


@frozen
class Position:
    """Someone works in a unit, in a role, from `start` to `end` (µs since 1970 UTC; `EVER`, `FOREVER`)."""

    id: str
    actor_id: str
    unit: str
    role: str
    start: int = EVER
    end: int = FOREVER


@frozen
class PatientRecord:
    """A patient. `deceased_at` in µs, `FOREVER` while alive."""

    patient_id: str
    identity: Identity
    aliases: tuple[str, ...] = ()
    flags: frozenset[PatientFlag] = frozenset()
    deceased_at: int = FOREVER
    birth_date: str = ""


@frozen
class Stay:
    """A patient is looked after by a unit from `start` to `end` (µs). `planned`: an appointment with the unit."""

    id: str
    patient_id: str
    unit: str
    start: int
    end: int = FOREVER
    planned: bool = False


@frozen
class CareLink:
    """A patient and a person at work have to do with each other, by name, from `start` to `end` (µs)."""

    id: str
    patient_id: str
    actor_id: str
    kind: LinkKind
    start: int
    end: int = FOREVER


@frozen
class Unit:
    """A ward, a service, a laboratory. `part_of` names the unit above, empty at the top."""

    unit: str
    name: str
    part_of: str = ""
    aliases: tuple[str, ...] = ()


@frozen
class Withdrawn:
    """A resource entered in error or deleted: what was known under its id no longer holds."""

    id: str


@frozen
class ActorAlias:
    """`alias` names the person at work `actor_id` too; it says nothing else of them (a role's id, a Person's id)."""

    alias: str
    actor_id: str


@frozen
class PatientAlias:
    """`alias` names the patient `patient_id` too: a record merged into theirs, a Person's id."""

    alias: str
    patient_id: str


class Judgement(StrEnum):
    """What an analyst found an alert to be."""

    MISUSE = "misuse"
    JUSTIFIED = "justified"  # there was a reason, which the context did not tell
    ERROR = "error"  # the data were wrong, or the finding
    TEST = "test"  # done on purpose, to see whether it is found
    UNCLEAR = "unclear"  # read, and nothing is said; also takes an earlier verdict back


@frozen
class Verdict:
    """What was said of one alert, by whom it is on file elsewhere; `decided_at` in µs. A later one on the alert replaces it."""

    alert_id: str
    actor_id: str
    detectors: tuple[str, ...]
    patients: tuple[str, ...]
    judgement: Judgement
    decided_at: int


ContextRecord = StaffMember | Position | PatientRecord | Stay | CareLink | Unit | Withdrawn | ActorAlias | PatientAlias | Verdict
