"""FHIR AuditEvent in JSON or XML, alone or in Bundles: STU3 to the R6 ballot, IHE BALP and what nations made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from streams.sources.contract import Source
from streams.sources.fhir import xml_form
from streams.sources.fhir.elements import AuditEvent, Bundle, Resource
from streams.sources.fhir.rows import rows_of
from streams.sources.shared.documents import BOM, BROKEN, Envelope, carried, decode_all, documents_in, refusal, several_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentinel.core.event import EventRow
    from streams.sources.contract import Decoded

BUNDLE_DEPTH_MAX: Final = 3  # a batch-response holds searchsets

_RESOURCES: Final[msgspec.json.Decoder[AuditEvent | Bundle]] = msgspec.json.Decoder(AuditEvent | Bundle)
_decode_resource: Final = _RESOURCES.decode
_decode_kind: Final = msgspec.json.Decoder(Resource).decode


def decode(records: Sequence[bytes]) -> Decoded:
    """Return the rows of all AuditEvents in their order, several for several patients, and what was refused.

    A record is a resource: an AuditEvent or a Bundle. The other resources of a Bundle are the context
    of its events; a Bundle of nothing else is refused, an empty one is not.
    """
    return decode_all(records, _read, _several, BUNDLE_DEPTH_MAX)


def _read(document: bytes) -> list[EventRow] | Envelope:
    if document[:1] != b"{" and xml_form.is_xml(document):
        document = xml_form.to_json(document)
    try:
        resource = _decode_resource(document)
    except BROKEN as error:
        kind = _kind(document)
        if kind is None or kind in _TAKEN:
            raise refusal(error, document) from None
        raise RejectedError(Code.NOT_AN_EVENT, detail="neither an AuditEvent nor a Bundle") from None
    return rows_of(resource, document) if isinstance(resource, AuditEvent) else _held(resource)


def _several(document: bytes) -> Envelope | None:
    """Return the documents of a record that is a JSON array, or that nobody cut; None when it is one document."""
    if not xml_form.is_xml(document):
        return several_json(document)
    documents = xml_form.split(document)
    return carried("", documents) if len(documents) > 1 else None


def _kind(document: bytes) -> str | None:
    """Return what kind of resource a document is, empty when it doesn't say; None when it can't be read."""
    try:
        return _decode_kind(document).resourceType or ""
    except BROKEN:
        return None


def _held(bundle: Bundle) -> Envelope:
    """Return the events and Bundles that a Bundle holds, each at its place.

    Raises:
        RejectedError: `not-an-event` for a Bundle of other resources alone.
    """
    events, others = [], 0
    for number, entry in enumerate(bundle.entry or ()):
        document = bytes(entry.resource)
        if document in _NO_RESOURCE or (entry.search is not None and entry.search.mode in _BY_THE_WAY):
            continue
        kind = _kind(document)
        if kind is None or kind in _TAKEN:
            events.append((f"/entry/{number}/resource", document))
        else:
            others += kind != "OperationOutcome"
    if others and not events:
        raise RejectedError(Code.NOT_AN_EVENT, detail="a Bundle without any AuditEvent")
    return Envelope(events)


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
        return documents_in(text)
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
