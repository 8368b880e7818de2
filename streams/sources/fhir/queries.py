"""What a logged request was after. The request itself is never kept: it may hold names and tokens."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote

from sentinel.core.event import CONTROLS, TEXT_MAX
from streams.sources.fhir.references import cx_id, target

if TYPE_CHECKING:
    from collections.abc import Iterator

QUERY_CHARS_MAX: Final = 65_536


class Query(NamedTuple):
    """A request, digested: the type asked for, the patients it names, its id, whether it is a bulk export."""

    type: str = ""
    patients: tuple[str, ...] = ()
    request_id: str = ""
    exports: bool = False


_VALUES = r"=([^&\s#]{1,512})"
_SUBJECT: Final = re.compile(r"(?:^|[?&\s])(?:patient|subject)(?::Patient)?(?:\._id|[.:]identifier)?" + _VALUES, re.MULTILINE)
_PATIENT: Final = re.compile(r"(?:^|[?&\s])(?:_id|identifier)" + _VALUES, re.MULTILINE)
_REQUEST_ID: Final = re.compile(r"^X-Request-Id:[ \t]*([!-~]{1,128})", re.IGNORECASE | re.MULTILINE)
_PATH: Final = re.compile(r"(?:^|[/\s])([A-Z][a-z][A-Za-z]{1,62})(?:/([A-Za-z0-9.-]{1,64}))?(?:/[_$][A-Za-z-]+)?(?=[?\s]|$)")
# Queries in the messages of IHE's profiles: XDS stored queries, HL7 v3, HL7 v2 (QPD-3 of PIX, @PID.3.1 of PDQ).
_XDS_PATIENT: Final = re.compile(r"\$XDS[A-Za-z]{1,40}PatientId\b[^']{0,256}'([^'^<&]{1,256})\^\^\^")
_V3_PATIENT: Final = re.compile(
    r"<(?:\w{1,16}:)?(?:livingSubjectId|patientIdentifier)>\s{0,64}<(?:\w{1,16}:)?value\s[^>]{0,256}?extension=\"([^\"]{1,256})\""
)
_V2_PATIENT: Final = re.compile(
    r"(?:^|[\r\n])QPD\|[^|\r\n]{0,256}\|[^|\r\n]{0,256}\|(?:[^|\r\n]{0,256}@PID\.3\.1\^)?([^|^~@\r\n]{1,256})"
)


def query_of(text: str) -> Query:
    """Return what a logged HTTP request, URL, query string or IHE query asked for; nothing for other text."""
    head = text[:QUERY_CHARS_MAX]
    kind, id_ = _path_of(head.partition("\n")[0])
    # A parameter is searched for where it can be: most requests have none, and `in` is much the cheaper search.
    values = _SUBJECT.findall(head) if "patient" in head or "subject" in head else []
    if kind == "Patient" and id_:
        values.append(id_)
    elif kind == "Patient" and ("_id=" in head or "identifier=" in head):
        values += _PATIENT.findall(head)
    if "PatientId" in head or "livingSubjectId" in head or "patientIdentifier" in head:
        values += [*_XDS_PATIENT.findall(head), *_V3_PATIENT.findall(head)]
    if "QPD|" in head:
        values += _V2_PATIENT.findall(head)
    request = _REQUEST_ID.search(head)
    patients = dict.fromkeys(one for value in values for one in _patient_ids(unquote(value)))
    return Query(kind, tuple(patients), request[1] if request else "", "$export" in head)


def _path_of(line: str) -> tuple[str, str]:
    """Return the resource type and id at the end of a path; a capitalised word of a sentence is none."""
    path = _PATH.search(line)
    if path is None or not ("/" in path[0] or line[path.end() :].startswith("?")):
        return "", ""
    return path[1], path[2] or ""


def _patient_ids(value: str) -> Iterator[str]:
    """Yield the ids of a search parameter's value: `1,2`, `Patient/1`, an absolute URL, `system|1`."""
    for part in value.split(","):
        type_, id_ = target(part.rpartition("|")[2])
        if 0 < len(id_) <= TEXT_MAX and type_ in ("", "Patient") and not CONTROLS.search(id_):
            yield cx_id(id_)


def decoded(base64: str) -> str:
    """Return the text of a base64Binary; what is not base64 of UTF-8 is taken as the text itself."""
    text = base64[:QUERY_CHARS_MAX]
    try:
        return b64decode("".join(text.split()), validate=True).decode()
    except ValueError:
        return text
