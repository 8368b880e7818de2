"""Identifiers as the aliases under which events name people, patients and units."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from sentinel.core.event import TEXT_MAX
from streams.context import ins
from streams.context.resources import Identifier

RPPS: Final = "https://rpps.esante.gouv.fr"  # France: 11 digits
IDNPS: Final = "urn:oid:1.2.250.1.71.4.2.1"  # France: a digit for the register (8 RPPS, 0 ADELI), then the number
_REGISTERS: Final = frozenset({"RPPS", "IDNPS", "ADELI"})
_NO_REGISTER: Final[frozenset[str]] = frozenset()
_NUMBER: Final = re.compile(r"8?([0-9]{11})")


def aliases(identifiers: Sequence[Identifier] | None, others: Iterable[str] = (), own: str = "") -> tuple[str, ...]:
    """Return the ids that events may use instead of `own`, each once: value, "system|value", RPPS and IDNPS forms."""
    found: list[str] = []
    for identifier in identifiers or ():
        if value := (identifier.value or "").strip():
            found.append(value)
            if identifier.system:
                found.append(f"{identifier.system}|{value}")
            if registers := _registers(identifier):
                found += _forms(registers, value)
            if identifier.system in ins.SYSTEMS:
                found += ins.forms(value)
    found += others
    return tuple([alias for alias in dict.fromkeys(found) if alias != own and alias.isprintable() and 0 < len(alias) <= TEXT_MAX])


def _forms(registers: frozenset[str], value: str) -> Iterator[str]:
    if "IDNPS" in registers and value[:1] in "08":
        yield value[1:]
    elif "RPPS" in registers:
        yield value[1:] if len(value) == 12 else f"8{value}"
    elif "ADELI" in registers:
        yield f"0{value}"


def is_fictitious(identifiers: Sequence[Identifier] | None) -> bool:
    """Tell whether a patient has a number that only invented patients have."""
    return any(ins.SYSTEMS.get(one.system or "") in ins.FICTITIOUS for one in identifiers or ())


def rpps(identifiers: Sequence[Identifier] | None) -> str:
    """Return the 11 digits of the first RPPS number; empty when there is none."""
    for identifier in identifiers or ():
        if _registers(identifier) & {"RPPS", "IDNPS"}:
            match = _NUMBER.fullmatch((identifier.value or "").strip())
            if match:
                return match[1]
    return ""


def _registers(identifier: Identifier) -> frozenset[str]:
    """Return which French registers of professionals an identifier is of, by its system or by its type."""
    named = _registers_named(identifier.system) if identifier.system else _NO_REGISTER
    codings = identifier.type.coding if identifier.type else None
    return named.union(coding.code for coding in codings if coding.code in _REGISTERS) if codings else named


@lru_cache(maxsize=1_024)
def _registers_named(system: str) -> frozenset[str]:
    found = {"IDNPS"} if system == IDNPS else {name for name in ("RPPS", "ADELI") if name.lower() in system.lower()}
    return frozenset(found)
