"""FHIR AuditEvent in JSON or XML, alone or in Bundles: STU3 to the R6 ballot, IHE BALP and what nations made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw

from sentinel.core.errors import RejectedError, Rejection
from sentinel.core.errors import RejectionCode as Code
from streams.sources.contract import Decoded, Source
from streams.sources.fhir import xml_form
from streams.sources.fhir.elements import AuditEvent, Bundle, Resource
from streams.sources.fhir.rejections import BROKEN, rejected
from streams.sources.fhir.rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

BUNDLE_DEPTH_MAX: Final = 3  # a batch-response holds searchsets
BOM: Final = b"\xef\xbb\xbf"

_RESOURCES: Final[msgspec.json.Decoder[AuditEvent | Bundle]] = msgspec.json.Decoder(AuditEvent | Bundle)
_decode_resource: Final = _RESOURCES.decode
_decode_kind: Final = msgspec.json.Decoder(Resource).decode
_decode_documents: Final = msgspec.json.Decoder(Raw).decode_lines
_decode_array: Final = msgspec.json.Decoder(list[Raw]).decode


def decode(records: Sequence[bytes]) -> Decoded:
    """Return the rows of all AuditEvents in their order, several for several patients, and what was refused.

    A record is a resource: an AuditEvent or a Bundle. The other resources of a Bundle are the context
    of its events; a Bundle of nothing else is refused, an empty one is not.
    """
    decoded = Decoded()
    for index, record in enumerate(records):
        _take(decoded, index, record.removeprefix(BOM), "", BUNDLE_DEPTH_MAX)
    return decoded


def _take(decoded: Decoded, index: int, document: bytes, pointer: str, depth: int) -> None:
    """Add the rows of an AuditEvent or of those in a Bundle, or why there are none."""
    try:
        if document[:1] != b"{" and xml_form.is_xml(document):
            document = xml_form.to_json(document)
        try:
            resource = _decode_resource(document)
        except BROKEN as error:
            raise _refused(error, document) from None
        if not isinstance(resource, AuditEvent):
            _take_bundle(decoded, index, resource, pointer, depth)
            return
        rows = rows_of(resource, document)
    except RejectedError as error:
        if not pointer and (several := _several(document)):
            for number, one in enumerate(several):
                _take(decoded, index, one, f"/{number}", depth)
            return
        decoded.rejections.append(Rejection(index, error.code, pointer + error.pointer, error.detail))
    else:
        decoded.rows += rows
        decoded.records += [index] * len(rows)


def _several(document: bytes) -> list[bytes]:
    """Return the documents of a record that is a JSON array, or that nobody cut; none when it is one document."""
    if xml_form.is_xml(document):
        return documents if len(documents := xml_form.split(document)) > 1 else []
    try:
        documents = _documents(document)
    except BROKEN:
        return []
    return documents if len(documents) > 1 or document.lstrip()[:1] == b"[" else []


def _documents(text: bytes) -> list[bytes]:
    found = _decode_array(text) if text.lstrip()[:1] == b"[" else _decode_documents(text)
    return [bytes(document) for document in found]


def _refused(error: Exception, document: bytes) -> RejectedError:
    kind = _kind(document)
    if kind is None or kind in _TAKEN:
        return rejected(error, document)
    return RejectedError(Code.NOT_AN_EVENT, detail="neither an AuditEvent nor a Bundle")


def _kind(document: bytes) -> str | None:
    """Return what kind of resource a document is, empty when it doesn't say; None when it can't be read."""
    try:
        return _decode_kind(document).resourceType or ""
    except BROKEN:
        return None


def _take_bundle(decoded: Decoded, index: int, bundle: Bundle, pointer: str, depth: int) -> None:
    if depth == 0:
        raise RejectedError(Code.TOO_DEEP, detail=f"more than {BUNDLE_DEPTH_MAX} Bundles in one another")
    events = others = 0
    for number, entry in enumerate(bundle.entry or ()):
        document = bytes(entry.resource)
        if document in _NO_RESOURCE or (entry.search is not None and entry.search.mode in _BY_THE_WAY):
            continue
        kind = _kind(document)
        if kind is None or kind in _TAKEN:
            events += 1
            _take(decoded, index, document, f"{pointer}/entry/{number}/resource", depth - 1)
        else:
            others += kind != "OperationOutcome"
    if others and not events:
        raise RejectedError(Code.NOT_AN_EVENT, detail="a Bundle without any AuditEvent")


_TAKEN: Final = ("AuditEvent", "Bundle")
_NO_RESOURCE: Final = (b"", b"null")
_BY_THE_WAY: Final = ("include", "outcome")  # http://hl7.org/fhir/search-entry-mode


def split(data: bytes) -> list[bytes]:
    """Return the documents of a file: NDJSON, one document over many lines, several of them, or a JSON array; or XML.

    When one of them is broken, the file is cut by lines if any line is a resource, and handed on whole otherwise.
    """
    text = data.removeprefix(BOM).strip()
    if xml_form.is_xml(text):
        return xml_form.split(text)
    try:
        return _documents(text)
    except BROKEN:
        lines = [line for line in text.splitlines() if line.strip()]
        return lines if any(map(_kind, lines)) else [text]


SOURCE: Final = Source(
    name="fhir_auditevent",
    title="FHIR AuditEvent (STU3, R4, R4B, R5), JSON or XML, IHE BALP",
    decode=decode,
    media_types=(
        *("application/fhir+json", "application/fhir+ndjson", "application/json", "application/x-ndjson"),
        *("application/fhir+xml", "application/xml", "text/xml"),
    ),
    split=split,
)
