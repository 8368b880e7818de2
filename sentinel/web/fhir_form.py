"""FHIR's two forms: which one a request asks for (R4, 3.1.0.1.11), and JSON rewritten as XML (R4, 2.6.1)."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from fastapi import Request, Response
from lxml import etree

from sentinel.web.body import media_type_of

JSON: Final = "application/fhir+json"
XML: Final = "application/fhir+xml"
XML_TYPES: Final = frozenset({XML, "application/xml", "text/xml"})
_FORMS: Final = {
    **dict.fromkeys((JSON, "application/json", "text/json", "json"), JSON),
    **dict.fromkeys((*XML_TYPES, "xml"), XML),
}
_ANY: Final = frozenset({"*/*", "application/*"})
_FHIR: Final = "http://hl7.org/fhir"
_NOT_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2


def form_asked(request: Request, named: str = "") -> str | None:
    """Return the media type that an answer is to have; None: none that we write.

    `_format` says it, which is `named` when it is not in the URL, else `Accept`, else what was sent.
    """
    sent = XML if media_type_of(request) in XML_TYPES else JSON
    if named := request.query_params.get("_format") or named:
        return _FORMS.get(named.replace(" ", "+").partition(";")[0].strip().lower())  # a bare + in a URL is a space
    told = _accepted(request.headers.get("accept") or "*/*")
    return next((_FORMS.get(one, sent) for one in told if one in _FORMS or one in _ANY), None)


def _accepted(header: str) -> list[str]:
    """Return the media types of `Accept` (RFC 9110, 12.5.1), the most welcome first."""
    ranked: list[tuple[float, int, str]] = []
    for one in header.lower().split(","):
        media_type, *parameters = (part.strip() for part in one.split(";"))
        quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        weight = float(quality) if re.fullmatch(r"[01](\.\d{0,3})?", quality, re.ASCII) else 0.0
        if media_type and weight:
            ranked.append((-weight, len(ranked), media_type))
    return [media_type for *_, media_type in sorted(ranked)]


def in_form(form: str | None, answer: Response) -> Response:
    """Return an answer in the form that is asked for; in JSON, as it is made, where that is none we write."""
    if form != XML or answer.headers.get("content-type") != JSON:
        return answer
    headers = {name: value for name, value in answer.headers.items() if name not in {"content-length", "content-type"}}
    return Response(to_xml(bytes(answer.body)), answer.status_code, headers, XML)


def to_xml(resource: bytes) -> bytes:
    """Return a resource in FHIR's XML; its elements have to be in FHIR's order."""
    told = msgspec.json.decode(resource)
    root = etree.Element(f"{{{_FHIR}}}{told['resourceType']}", nsmap={None: _FHIR})
    _fill(root, told)
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return written


def _fill(node: Any, elements: dict[str, Any]) -> None:
    for name, told in elements.items():
        if name == "resourceType":
            continue
        if name == "url" and node.tag.endswith("xtension"):
            node.set(name, told)
            continue
        for one in told if isinstance(told, list) else [told]:
            _put(etree.SubElement(node, f"{{{_FHIR}}}{name}"), one)


def _put(node: Any, told: Any) -> None:
    if not isinstance(told, dict):
        text = msgspec.json.encode(told).decode() if isinstance(told, bool | int) else told
        node.set("value", _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text))
    elif "resourceType" in told:  # within a Bundle
        _fill(etree.SubElement(node, f"{{{_FHIR}}}{told['resourceType']}"), told)
    else:
        _fill(node, told)
