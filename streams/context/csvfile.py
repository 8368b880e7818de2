"""CSV rows in, context records out; each row is read as the FHIR resource that it stands for."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final
from zoneinfo import ZoneInfo

from sentinel.core.context import ContextRecord
from sentinel.core.errors import RejectedError, Rejection, RejectionCode
from sentinel.core.ids import derive
from streams.context.dates import PARIS
from streams.context.fhir import CONTEXT_TYPES, told
from streams.context.identifiers import RPPS

_OWN: Final = {"id": "/id", "lastUpdated": "/meta/lastUpdated"}
_IDENTIFIERS: Final = {"identifier": "/identifier/-"}
_PERIOD: Final = {"start": "/period/start", "end": "/period/end"}
_UNIT: Final = {**_OWN, "name": "/name", **_IDENTIFIERS}
_CIVIL: Final = {
    **_OWN,
    **_IDENTIFIERS,
    "family": "/name/0/family",
    "given": "/name/0/given/0",
    "name": "/name/0/text",
    "birthDate": "/birthDate",
    "address": "/address/0/line/0",
    "postalCode": "/address/0/postalCode",
    "city": "/address/0/city",
}
_CARE: Final = {**_OWN, "status": "/status", "patient": "/subject"}
_ACT: Final = {
    **_CARE,
    "requester": "/requester",
    "performer": "/performer/-",
    "practitioner": "/performer/-",
    "organization": "/location/-",
    "unit": "/location/-",
    "location": "/location/-",
    "service": "/location/-",
    "authoredOn": "/authoredOn",
    "start": "/occurrencePeriod/start",
    "end": "/occurrencePeriod/end",
}

COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    **dict.fromkeys(CONTEXT_TYPES, _ACT),
    "Immunization": {**_ACT, "patient": "/patient"},
    "Organization": {**_UNIT, "partOf": "/partOf"},
    "Location": {**_UNIT, "partOf": "/partOf", "organization": "/managingOrganization"},
    "HealthcareService": {**_UNIT, "organization": "/providedBy"},
    "Practitioner": {**_CIVIL, "rpps": "/identifier/-", "login": "/identifier/-", "email": "/telecom/-", "active": "/active"},
    "Device": {**_OWN, **_IDENTIFIERS, "name": "/deviceName/0/name", "status": "/status"},
    "PractitionerRole": {
        **_OWN,
        **_IDENTIFIERS,
        "practitioner": "/practitioner",
        "role": "/code/-/text",
        "specialty": "/specialty/-/text",
        "organization": "/organization",
        "unit": "/organization",
        "location": "/location/-",
        "service": "/healthcareService/-",
        "active": "/active",
        **_PERIOD,
    },
    "Person": {**_OWN, **_IDENTIFIERS, "practitioner": "/link/-/target", "patient": "/link/-/target"},
    "Patient": {
        **_CIVIL,
        "deceased": "/deceasedDateTime",
        "security": "/meta/security/-",
        "practitioner": "/generalPractitioner/-",
    },
    "EpisodeOfCare": {
        **_OWN,
        "status": "/status",
        "patient": "/patient",
        "practitioner": "/careManager",
        "organization": "/managingOrganization",
        "unit": "/managingOrganization",
        **_PERIOD,
    },
    "Encounter": {
        **_CARE,
        "practitioner": "/participant/-/individual",
        "organization": "/serviceProvider",
        "unit": "/location/-/location",
        "location": "/location/-/location",
        "service": "/serviceType/-",
        **_PERIOD,
    },
    "Appointment": {
        **_OWN,
        "status": "/status",
        "patient": "/participant/-/actor",
        "practitioner": "/participant/-/actor",
        "organization": "/participant/-/actor",
        "unit": "/participant/-/actor",
        "location": "/participant/-/actor",
        "service": "/participant/-/actor",
        "start": "/start",
        "end": "/end",
    },
    "CareTeam": {
        **_CARE,
        "practitioner": "/participant/-/member",
        "organization": "/participant/-/member",
        "unit": "/participant/-/member",
        **_PERIOD,
    },
}
"""Per resource type the columns read, and where each goes in the resource ("-": any number of values, `;` between)."""

_KINDS: Final = {  # the type that a reference column refers to when its cell does not say
    "patient": "Patient",
    "practitioner": "Practitioner",
    "requester": "Practitioner",
    "performer": "Practitioner",
    "organization": "Organization",
    "unit": "Organization",
    "partOf": "Organization",
    "location": "Location",
    "service": "HealthcareService",
}
_LABELS: Final = {"CEL": "v3-ActCode", "EMP": "v3-ActCode", "HTEST": "v3-ActReason"}
_TRUTHS: Final = frozenset({"active", "deceased"})
_YES: Final = frozenset({"true", "1", "yes", "y", "oui", "o", "vrai"})
_NO: Final = frozenset({"false", "0", "no", "n", "non", "faux"})
_DERIVED: Final = CONTEXT_TYPES - {"Organization", "Location", "HealthcareService", "Practitioner", "Device", "Patient"}
_REFERENCE: Final = re.compile(
    r"(?:https?://|urn:)|(?:Practitioner|PractitionerRole|Patient|Device|Organization|Location|HealthcareService)/"
)
_DELIMITERS: Final = ",;\t"


def rows(resource_type: str, lines: Iterable[str], zone: ZoneInfo = PARIS) -> Iterator[list[ContextRecord] | Rejection]:
    """Yield the records of each row after the header, or why the row was not taken.

    The delimiter (comma, semicolon or tab) is the one the header has most of. Columns are matched
    without case, space, hyphen and underscore; others are passed over. `Rejection.index` counts
    rows that are not blank, from 0; its pointer names the column.
    """
    for index, (_, result) in enumerate(numbered(resource_type, lines, zone)):
        if isinstance(result, RejectedError):
            yield Rejection(index, result.code, result.pointer, result.detail)
        else:
            yield result


def numbered(
    resource_type: str, lines: Iterable[str], zone: ZoneInfo = PARIS
) -> Iterator[tuple[int, list[ContextRecord] | RejectedError]]:
    """Yield for each row the line it starts on, from 1, and its records or why it was not taken."""
    remaining = iter(lines)
    header = next(remaining, "").removeprefix("\ufeff")
    delimiter = max(_DELIMITERS, key=header.count)
    table = csv.reader(chain([header], remaining), delimiter=delimiter, skipinitialspace=True)
    try:
        sheet = _sheet(resource_type, next(table, []), zone)
    except (csv.Error, RejectedError) as error:
        yield 1, error if isinstance(error, RejectedError) else _broken()
        return
    while True:
        line = table.line_num + 1
        try:
            cells = next(table, None)
        except csv.Error:
            yield line, _broken()
            continue
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield line, sheet.read(cells)


def _broken() -> RejectedError:
    return RejectedError(RejectionCode.UNPARSEABLE, "", "not a CSV row")


def _sheet(resource_type: str, header: list[str], zone: ZoneInfo) -> _Sheet:
    known = {_bare(column): column for column in COLUMNS.get(resource_type, ())}
    columns = [known.get(_bare(cell)) for cell in header]
    if header and not any(columns):
        raise RejectedError(RejectionCode.BAD_VALUE, "", "the header has no column that is read")
    return _Sheet(resource_type, columns, zone)


def _bare(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Reads the rows under one header."""

    resource_type: str
    columns: list[str | None]
    zone: ZoneInfo

    def read(self, cells: list[str]) -> list[ContextRecord] | RejectedError:
        if len(cells) > len(self.columns) and any(cells[len(self.columns) :]):
            return RejectedError(RejectionCode.UNPARSEABLE, "", "more cells than columns")
        try:
            return told(self._resource(cells), self.zone)
        except RejectedError as error:
            return RejectedError(error.code, self._pointer(error.pointer), error.detail)

    def _resource(self, cells: list[str]) -> dict[str, Any]:
        resource: dict[str, Any] = {"resourceType": self.resource_type}
        for column, cell in zip(self.columns, cells, strict=False):
            if column and cell.strip():
                _put_cell(resource, column, COLUMNS[self.resource_type][column], cell.strip())
        if "id" not in resource and self.resource_type in _DERIVED:
            resource["id"] = derive("context", self.resource_type, *cells)
        return resource

    def _pointer(self, pointer: str) -> str:
        """Return the column whose cell went where `pointer` points; empty when several may have."""
        wanted = _steps(pointer)
        found = [column for column, path in COLUMNS[self.resource_type].items() if _steps(path) == wanted]
        present = [column for column in found if column in self.columns] or found
        return f"/{present[0]}" if len(present) == 1 else ""


def _steps(pointer: str) -> list[str]:
    return [step for step in pointer.split("/") if step != "-" and not step.isdigit()]


def _put_cell(resource: dict[str, Any], column: str, path: str, cell: str) -> None:
    for part in cell.split(";") if "-" in path else [cell]:
        if part.strip():
            value = _value(column, part.strip())
            where = "/deceasedBoolean" if column == "deceased" and isinstance(value, bool) else path
            _put(resource, where.split("/")[1:], value)


def _put(parent: Any, steps: list[str], value: object) -> None:
    """Set `value` at a JSON pointer's steps, making the objects and lists on the way; "-" appends."""
    step, *rest = steps
    if isinstance(parent, list):
        if step == "-" or int(step) == len(parent):
            parent.append(None)
        key: Any = -1 if step == "-" else int(step)
    else:
        key = step
        parent.setdefault(step, None)
    if not rest:
        parent[key] = value
        return
    if parent[key] is None:
        parent[key] = [] if rest[0] == "-" or rest[0].isdigit() else {}
    _put(parent[key], rest, value)


def _value(column: str, cell: str) -> object:
    """Return what FHIR writes for a cell of a column."""
    if kind := _KINDS.get(column):
        return {"reference": cell} if _REFERENCE.match(cell) else {"type": kind, "identifier": {"value": cell}}
    if column in _TRUTHS:
        return _truth(column, cell)
    return _BUILDERS[column](cell) if column in _BUILDERS else cell


def _truth(column: str, cell: str) -> object:
    word = cell.lower()
    if word in _YES | _NO:
        return word in _YES
    if column == "deceased":
        return cell  # since when
    raise RejectedError(RejectionCode.BAD_VALUE, f"/{column}", "neither true nor false")


def _identifier(cell: str) -> object:
    system, _, value = cell.rpartition("|")
    return {"system": system or None, "value": value}


def _label(cell: str) -> object:
    code = cell.upper()
    return {"system": _LABELS.get(code, "v3-Confidentiality"), "code": code}


_BUILDERS: Final[Mapping[str, Callable[[str], object]]] = {
    "identifier": _identifier,
    "login": _identifier,
    "rpps": lambda cell: {"system": RPPS, "value": cell},
    "email": lambda cell: {"system": "email", "value": cell},
    "security": _label,
}
