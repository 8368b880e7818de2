"""A Windows event in XML, as Windows renders it: one `Event` of the schema. No document type is taken, so no entity either."""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree as ET

import msgspec

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from streams.sources.shared.values import told
from streams.sources.windows.shapes import Data, Told, event_number, outcome_of

_BEGIN: Final = b"<Event "
_END: Final = b"</Event>"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_DOCTYPE: Final = b"<!DOCTYPE"


def utf8(data: bytes) -> bytes:
    """Return what the Event Viewer writes in UTF-16 as UTF-8, anything else as it is."""
    if not data.startswith(_UTF_16):
        return data
    try:
        return data.decode("utf-16").encode()
    except UnicodeError:
        return data


def cut(text: bytes) -> list[bytes]:
    """Return the `Event` elements that a text holds, one after the other or in `Events`; the text itself when there is none."""
    events = []
    at = text.find(_BEGIN)
    while at >= 0 and (end := text.find(_END, at)) >= 0:
        end += len(_END)
        events.append(text[at:end])
        at = text.find(_BEGIN, end)
    return events or [text]


def told_xml(document: bytes) -> Told:
    """Return the event of an XML document.

    Raises:
        RejectedError: not XML, with a document type, or not a Windows event.
    """
    if _DOCTYPE in document or b"\x00" in document:
        raise RejectedError(Code.UNPARSEABLE, detail="a document type is not taken")
    try:
        root = ET.fromstring(document)  # noqa: S314 - without a document type there is no entity to expand
    except (ET.ParseError, ValueError, LookupError):  # LookupError: of an encoding nobody knows
        raise RejectedError(Code.UNPARSEABLE) from None
    parts = {_local(one): one for one in root}
    header = {_local(one): one for one in parts.get("System", ())}
    if "EventID" not in header:
        raise RejectedError(Code.NOT_AN_EVENT, detail="not a Windows event")
    return Told(
        event_id=event_number(header["EventID"].text, "/Event/System/EventID"),
        data=msgspec.convert(_data(parts), Data),
        data_at="/Event/EventData",
        time=_attribute(header, "TimeCreated", "SystemTime") or None,
        time_at="/Event/System/TimeCreated",
        utc=True,
        computer=_text(header, "Computer"),
        record_id=_text(header, "EventRecordID"),
        outcome=outcome_of(_text(header, "Keywords")),
        channel=_text(header, "Channel") or _attribute(header, "Provider", "Name"),
    )


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(elements: dict[str, ET.Element], name: str) -> str:
    return told(elements[name].text) if name in elements else ""


def _attribute(elements: dict[str, ET.Element], name: str, attribute: str) -> str:
    return elements[name].get(attribute, "") if name in elements else ""


def _data(parts: dict[str, ET.Element]) -> dict[str, str | None]:
    """Return the named values of EventData, or the elements of what UserData holds."""
    if "EventData" in parts:
        return {one.get("Name", ""): one.text for one in parts["EventData"]}
    return {_local(one): one.text for own in parts.get("UserData", ()) for one in own}
