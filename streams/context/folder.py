"""A folder of context files, read in a fixed order with bounded memory."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa

from sentinel.core.context import ContextRecord
from sentinel.core.errors import RejectedError, RejectionCode
from streams.context.csvfile import numbered
from streams.context.dates import PARIS
from streams.context.extracts import NAMES as EXTRACTS
from streams.context.extracts import Extracts
from streams.context.fhir import decode_each
from streams.context.hl7.files import Hl7Files
from streams.context.hl7.memory import KINDS as MESSAGE_KINDS

LINE_MAX: Final = 16 * 2**20  # octets of one NDJSON or CSV line
DOCUMENT_MAX: Final = 256 * 2**20  # octets of one JSON document, such as a Bundle
PROGRESS_EVERY: Final = 200  # resources read at a time, and between two calls of `on_progress`

# Units before those who work in them, people before their positions, patients before their care.
ORDER: Final = (
    "Organization",
    "Location",
    "HealthcareService",
    "Practitioner",
    "Device",
    "PractitionerRole",
    "Patient",
    "Person",
    "EpisodeOfCare",
    "Encounter",
    "Appointment",
    "CareTeam",
    "ServiceRequest",
    "MedicationRequest",
    "Procedure",
    "DiagnosticReport",
    "Observation",
    "ImagingStudy",
    "MedicationAdministration",
    "MedicationDispense",
    "Immunization",
    "DocumentReference",
    "Composition",
    "Bundle",
)
_RANKS: Final = {kind.lower(): rank for rank, kind in enumerate(ORDER)}
_NAME: Final = re.compile(r"(?:\d+[._-])?([a-z]+)(?:[._-].*)?\.(ndjson|jsonl|json|csv)(?:\.(gz|zst))?", re.IGNORECASE)
_MESSAGES: Final = re.compile(r".+\.(hl7)(?:\.(gz|zst))?", re.IGNORECASE)  # of any name: who and what they are about, they tell
_CODECS: Final = {"gz": "gzip", "zst": "zstd"}


@dataclass(frozen=True, slots=True)
class FileRejection:
    """Why one record of a file was not taken: where it was, and never what it said. `line` counts from 1."""

    file: str
    line: int
    code: RejectionCode
    pointer: str = ""
    detail: str = ""


Progress = Callable[[int], None]
Results = Iterator[tuple[int, list[ContextRecord] | RejectedError]]


def load(folder: Path, on_progress: Progress | None = None, zone: ZoneInfo = PARIS) -> Iterator[ContextRecord | FileRejection]:
    """Iterate over what the files of a folder tell, and what could not be read of them.

    A file counts when its name begins with a resource type of `ORDER` and ends in .ndjson, .json or
    .csv, alone or compressed (.gz, .zst). Types come in the order of `ORDER`, files of one type by
    name; extracts of French registers come after them, files of HL7 v2 messages (.hl7), whatever
    they are called, last. `on_progress` gets the octets read since its last call; all of them add
    up to `size(folder)`.

    Raises:
        OSError: the folder or a file of it cannot be opened.
    """
    return chain.from_iterable(_told(folder, on_progress or _silent, zone))


def _told(folder: Path, report: Progress, zone: ZoneInfo) -> Iterator[Sequence[ContextRecord | FileRejection]]:
    hl7, found = Hl7Files(zone), files(folder)
    extracts = Extracts(zone) if any(_is_extract(path) for path in found) else None
    for path in found:
        with path.open("rb") as raw:
            for told in _file(path, _results(path, raw, zone, hl7, extracts), raw, report):
                if extracts is not None:
                    extracts.observe(told)
                yield told


def files(folder: Path) -> list[Path]:
    """Return the files of a folder that `load` reads, in its order."""
    found = [(rank, path.name, path) for path in folder.iterdir() if (rank := _rank(path)) is not None]
    return [path for _, _, path in sorted(found)]


def kinds(folder: Path) -> set[str]:
    """Return the resource types that the files of a folder may tell of."""
    found: set[str] = set()
    for path in files(folder):
        if _MESSAGES.fullmatch(path.name):
            found |= {*MESSAGE_KINDS}
        elif _is_extract(path):
            found |= {"Organization", "Practitioner", "PractitionerRole"}
        elif match := _NAME.fullmatch(path.name):
            found.add(ORDER[_RANKS[match[1].lower()]])
    return found


def unread(folder: Path) -> list[str]:
    """Return the names of data files that `load` passes over, since they name no resource type it reads."""
    named = (path for path in folder.iterdir() if path.is_file() and _NAME.fullmatch(path.name))
    return sorted(path.name for path in named if _rank(path) is None)


def size(folder: Path) -> int:
    """Return how many octets `load` will read."""
    return sum(path.stat().st_size for path in files(folder))


def _rank(path: Path) -> int | None:
    if _MESSAGES.fullmatch(path.name):
        return len(ORDER) + 1 if path.is_file() else None
    if _is_extract(path):
        return len(ORDER) if path.is_file() else None
    match = _NAME.fullmatch(path.name)
    return _RANKS.get(match[1].lower()) if match and path.is_file() else None


def _silent(octets: int) -> None:
    """Report to nobody."""


def _file(path: Path, results: Results, raw: BinaryIO, report: Progress) -> Iterator[Sequence[ContextRecord | FileRejection]]:
    """Yield what a file tells, many records at a time."""
    told: list[ContextRecord | FileRejection] = []
    line = seen = 0
    try:
        for count, (line, result) in enumerate(results, 1):
            if isinstance(result, RejectedError):
                told.append(_refused(path, line, result))
            else:
                told += result
            if count % PROGRESS_EVERY == 0:
                yield told
                told = []
                report(raw.tell() - seen)
                seen = raw.tell()
    except OSError:
        told.append(_refused(path, line + 1, RejectedError(RejectionCode.UNPARSEABLE, "", "the file cannot be read to its end")))
    yield told
    report(path.stat().st_size - seen)


def _refused(path: Path, line: int, why: RejectedError) -> FileRejection:
    return FileRejection(path.name, line, why.code, why.pointer, why.detail)


def _is_extract(path: Path) -> bool:
    return EXTRACTS.fullmatch(path.name) is not None


def _results(path: Path, raw: BinaryIO, zone: ZoneInfo, hl7: Hl7Files, extracts: Extracts | None) -> Results:
    if messages := _MESSAGES.fullmatch(path.name):
        return hl7.results(_decompressed(raw, messages[2]))
    if extracts is not None and (extract := EXTRACTS.fullmatch(path.name)):
        return extracts.results(path.name, _lines(_decompressed(raw, extract[3])))
    match = _NAME.fullmatch(path.name)
    kind, form, codec = match.groups() if match else ("", "", None)
    return _READERS[form.lower()](_decompressed(raw, codec), zone, kind)


def _decompressed(raw: BinaryIO, codec: str | None) -> BinaryIO:
    return io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(raw), _CODECS[codec.lower()])) if codec else raw


def _ndjson(stream: BinaryIO, zone: ZoneInfo, _: str) -> Results:
    for line, raw in _lines(stream):
        if len(raw) > LINE_MAX:
            yield line, _too_large()
        elif not raw.isspace():
            for result in decode_each(raw, zone):
                yield line, result


def _json(stream: BinaryIO, zone: ZoneInfo, kind: str) -> Results:
    document = stream.read(DOCUMENT_MAX + 1)
    if len(document) > DOCUMENT_MAX:
        yield 1, _too_large()
        return
    first, _, more = document.partition(b"\n")
    if more.strip() and _is_json(first):  # lines after all, under the wrong name
        yield from _ndjson(io.BytesIO(document), zone, kind)
        return
    for result in decode_each(document, zone):
        yield 1, result


def _is_json(text: bytes) -> bool:
    try:
        return msgspec.json.decode(text, type=msgspec.Raw) is not None
    except (ValueError, RecursionError):
        return False


def _csv(stream: BinaryIO, zone: ZoneInfo, kind: str) -> Results:
    # octets that are not UTF-8 become surrogates here, and those are refused with their row alone
    text = (raw.decode("utf-8", "surrogateescape") for _, raw in _lines(stream))
    return numbered(ORDER[_RANKS[kind.lower()]], text, zone)


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield each line with its number from 1; of a line over `LINE_MAX` only the beginning, too long by one octet."""
    line = 0
    while raw := stream.readline(LINE_MAX + 1):
        line += 1
        yield line, raw
        while len(raw) > LINE_MAX and not raw.endswith(b"\n"):
            raw = stream.readline(LINE_MAX + 1)


def _too_large() -> RejectedError:
    return RejectedError(RejectionCode.TOO_LARGE, "", "larger than a record may be")


_READERS: Final[dict[str, Callable[[BinaryIO, ZoneInfo, str], Results]]] = {
    "ndjson": _ndjson,
    "jsonl": _ndjson,
    "json": _json,
    "csv": _csv,
}
