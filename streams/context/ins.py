"""The French national health identity (INS): which register a number is of by its OID, and the forms in which it is written.

OIDs: FR Core of Interop'Santé, slices of FRCorePatientINS; the number and its key: INSEE's NIR.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final


class Register(StrEnum):
    """Who gave the number, or for what."""

    NIR = "INS-NIR"
    NIA = "INS-NIA"  # waiting for a NIR
    TEST = "INS-NIR-TEST"
    DEMO = "INS-NIR-DEMO"
    CALCULATED = "INS-C"  # until 2020, from a health insurance card


OIDS: Final = {
    "1.2.250.1.213.1.4.8": Register.NIR,
    "1.2.250.1.213.1.4.9": Register.NIA,
    "1.2.250.1.213.1.4.10": Register.TEST,
    "1.2.250.1.213.1.4.11": Register.DEMO,
    "1.2.250.1.213.1.4.2": Register.CALCULATED,
}
SYSTEMS: Final = {f"urn:oid:{oid}": register for oid, register in OIDS.items()} | OIDS
"""By the system of an identifier, with or without the prefix."""

FICTITIOUS: Final = frozenset({Register.TEST, Register.DEMO})
"""What only invented patients have."""

QUALIFIED: Final = "VALI"
"""The status (PID-32, table 0445 as France has it) of an identity that was checked: the others bear no INS."""

_NUMBER: Final = re.compile(r"[1-478][0-9]{4}(?:[0-9]{2}|2[AB])[0-9]{6}(?:[0-9]{2})?")
_CORSICA: Final = {"2A": "19", "2B": "18"}
_BARE: Final = 13


def forms(value: str) -> Iterator[str]:
    """Yield the other forms of a NIR or NIA: without spaces, without its key, with it; nothing of what is none."""
    bare = "".join(value.split()).upper()
    if not _NUMBER.fullmatch(bare):
        return
    key = key_of(bare[:_BARE])
    if bare[_BARE:] not in ("", key):
        return
    yield from (form for form in (bare[:_BARE], bare[:_BARE] + key) if form != value)


def key_of(number: str) -> str:
    """Return the two digits that check a number of 13 characters: 97 less its rest by 97, Corsica's letters being 19 and 18."""
    return f"{97 - int(number[:5] + _CORSICA.get(number[5:7], number[5:7]) + number[7:]) % 97:02}"
