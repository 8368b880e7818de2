"""The public extracts of French registers: who practises where (RPPS, Annuaire Santé), and which sites there are (FINESS).

Annuaire Santé: `PS_LibreAcces_Personne_activite`, a line an activity, `|` between columns that the first line names.
FINESS of data.gouv.fr (etalab): no header, `;` between columns, the first of which tells what a line is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final
from zoneinfo import ZoneInfo

from sentinel.core.context import ContextRecord, Position, StaffMember, Unit
from sentinel.core.errors import RejectedError, RejectionCode
from sentinel.core.ids import derive
from streams.context.fhir import told
from streams.context.folding import fold
from streams.context.identifiers import RPPS

FINESS: Final = "urn:oid:1.2.250.1.71.4.2.2"
NAMES: Final = re.compile(
    r"(?:(ps[-_]libreacces[-_]personne[-_]activite)|(etalab|finess)).*\.(?:txt|csv)(?:\.(gz|zst))?", re.IGNORECASE
)
_COLUMNS: Final = {
    "type": "type d identifiant pp",
    "number": "identifiant pp",
    "family": "nom d exercice",
    "given": "prenom d exercice",
    "profession": "libelle profession",
    "specialty": "libelle savoir faire",
    "site": "numero finess site",
}
_IS_RPPS: Final = "8"  # of the type of identifier; 0 was ADELI
_SITE: Final = "structureet"
_ENTITY: Final = "structureej"
Results = Iterator[tuple[int, list[ContextRecord] | RejectedError]]


class Extracts:
    """Reads extracts of a whole country for what other files of the folder know already: its people, its sites.

    Of people on file a position is told where none is: the registers say what somebody is and where, and not until when, so
    that they never tell of whom the hospital itself tells. Of others those who practise at its sites.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._people: dict[str, str] = {}  # by RPPS: what events name them by
        self._employed: set[str] = set()
        self._units: set[str] = set()  # every name of every unit on file
        self._declared: set[str] = set()

    def observe(self, records: Iterable[object]) -> None:
        """Learn from what other files tell."""
        for record in records:
            if isinstance(record, StaffMember) and record.rpps:
                self._people[record.rpps] = record.actor_id
            elif isinstance(record, Position):
                self._employed.add(record.actor_id)
                self._units.add(record.unit)
            elif isinstance(record, Unit):
                self._declared |= {record.unit, *record.aliases}
        self._units |= self._declared

    def results(self, name: str, lines: Iterable[tuple[int, bytes]]) -> Results:
        """Yield what each line of a file tells, or why it was not taken; nothing of lines about others."""
        match = NAMES.fullmatch(name)
        return self._activities(lines) if match and match[1] else self._places(lines)

    def _activities(self, lines: Iterable[tuple[int, bytes]]) -> Results:
        rows = _rows(lines, "|")
        first, header = next(rows, (1, []))
        names = {fold(cell.removeprefix("\ufeff")): at for at, cell in enumerate(header)}
        missing = [column for column in _COLUMNS.values() if column not in names]
        if missing:
            yield first, RejectedError(RejectionCode.BAD_VALUE, "", "the header has not the columns of the extract")
            return
        places = {key: names[column] for key, column in _COLUMNS.items()}
        told_of: set[str] = set()
        for line, row in rows:
            if len(row) < len(header):
                yield line, RejectedError(RejectionCode.UNPARSEABLE, "", "fewer cells than columns")
                continue
            cells = {key: row[at] for key, at in places.items()}
            if cells["type"] == _IS_RPPS and (records := self._activity(cells, told_of)):
                yield line, records

    def _activity(self, cells: dict[str, str], told_of: set[str]) -> list[ContextRecord]:
        number, site = cells["number"], cells["site"]
        person = self._people.get(number, "")
        if (person in self._employed) if person else site not in self._units:
            return []
        records: list[ContextRecord] = []
        if not person and number not in told_of:
            told_of.add(number)
            identifier = {"system": RPPS, "value": number}
            name = {"family": cells["family"], "given": [cells["given"]]}
            records += self._told({"resourceType": "Practitioner", "id": number, "identifier": [identifier], "name": [name]})
        role: dict[str, Any] = {
            "resourceType": "PractitionerRole",
            "id": derive("extract", *cells.values()),
            "practitioner": {"type": "Practitioner", "identifier": {"value": person or number}},
            "code": [{"text": cells["profession"]}],
            "specialty": [{"text": cells["specialty"]}] if cells["specialty"] else [],
        }
        return records + self._told(role | ({"organization": _organization(site)} if site else {}))

    def _places(self, lines: Iterable[tuple[int, bytes]]) -> Results:
        for line, row in _rows(lines, ";"):
            kind = row[0].lower()
            if kind not in (_SITE, _ENTITY):
                continue  # the first line, and lines of coordinates
            if len(row) < 5:
                yield line, RejectedError(RejectionCode.UNPARSEABLE, "", "fewer cells than columns")
                continue
            number, *rest = row[1:5]
            above = rest.pop(0) if kind == _SITE else ""
            if number not in self._declared and ({number, above} & self._units):
                name = (rest[1] if len(rest) > 1 and rest[1] else rest[0]) if rest else ""
                site: dict[str, Any] = {
                    "resourceType": "Organization",
                    "id": number,
                    "name": name,
                    "identifier": [{"system": FINESS, "value": number}],
                }
                yield line, self._told(site | ({"partOf": _organization(above)} if above else {}))

    def _told(self, resource: dict[str, Any]) -> list[ContextRecord]:
        return told(resource, self._zone)


def _organization(number: str) -> dict[str, Any]:
    return {"type": "Organization", "identifier": {"value": number}}


def _rows(lines: Iterable[tuple[int, bytes]], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each line that is not blank, with its number: a quotation mark within a cell is one."""
    for line, raw in lines:
        text = _text(raw)
        if text.strip():
            yield line, [cell.strip().strip('"') for cell in text.split(delimiter)]


def _text(raw: bytes) -> str:
    """Return a line as UTF-8, else as Windows-1252: both are in circulation."""
    line = raw.rstrip(b"\r\n").replace(b"\0", b"")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")
