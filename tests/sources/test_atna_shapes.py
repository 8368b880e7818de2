"""A message of a known shape, whose values are looked up, says what a parser says of it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.sources.dicom_atna import SOURCE
from tests.sources.atna_messages import (
    MESSAGES,
    coded,
    event,
    message,
    participant,
    thing,
)


def parsed_anew(record: bytes) -> bytes:
    """Return a message that says the same and is no known shape: a comment stands in it."""
    head, end, tail = record.rpartition(b"</AuditMessage")
    return head + b"<!-- -->" + end + tail


def told_alike(record: bytes) -> bool:
    """Return whether a message gives the same rows and refusals by its shape, cold and warm, and parsed anew."""
    anew = SOURCE.decode([parsed_anew(record)])
    wanted = ([row._replace(id="") for row in anew.rows], [(one.code, one.pointer, one.detail) for one in anew.rejections])
    for _ in range(2):
        found = SOURCE.decode([record])
        rows = [row._replace(id="") for row in found.rows]
        if (rows, [(one.code, one.pointer, one.detail) for one in found.rejections]) != wanted:
            return False
    return True


ONE_EACH = [record for record in MESSAGES if record.count(b"</AuditMessage>") == 1]
VALUES = (
    *(
        b"",
        b" ",
        b"x",
        b"&amp;",
        b"&lt;none&gt;",
        b"&quot;",
        b"&#65;",
        b"&x;",
        b"&",
        b"<",
        b">",
        b"'",
        b"]]>",
        b"\t",
        b"\n",
        b"--",
    ),
    *(b"\xc3\xa9", b"\xe9", b"\xef\xbf\xbe", b"\x7f", b"\x00", b"\x1b", b"110127", b"110152", b"12", b"^^^", b"/>", b' _="'),
    "\ue0001".encode(),
)
values = st.sampled_from(VALUES)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_known_shape_says_what_is_parsed_whatever_its_values(data: st.DataObject) -> None:
    """Values of any kind in attributes and texts: what is looked up is what a parser says."""
    record = data.draw(st.sampled_from(ONE_EACH))
    spans = [one.span(one.lastindex or 0) for one in re.finditer(rb'="([^"]*)"|>([^<>]+)<', record)]
    for start, end in sorted(data.draw(st.lists(st.sampled_from(spans), max_size=4, unique=True)), reverse=True):
        record = record[:start] + b"".join(data.draw(st.lists(values, max_size=3))) + record[end:]
    assert told_alike(record)


@pytest.mark.parametrize("element", ["EventID", "EventTypeCode", "PurposeOfUse", "ParticipantObjectIDTypeCode", "SOPClass"])
def test_a_known_shape_without_a_code_has_none(element: str) -> None:
    """An element whose code is missing, empty or beside another one."""
    whole = message(
        event("110103", "R", "110122", inner=coded("PurposeOfUse", "TREAT")), participant(), thing("1.2.3", inner="<SOPClass/>")
    )
    for told in (
        "",
        ' originalText="x"',
        ' csd-code="" originalText="x"',
        ' csd-code="" code="110127"',
        ' code="110127" csd-code="BTG"',
    ):
        assert told_alike(re.sub(f"<{element}[^>]*>", f"<{element}{told}/>", whole).encode())


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_damaged_message_is_told_as_a_parser_tells_it(data: st.DataObject) -> None:
    """Bytes cut out, put in or moved anywhere: never taken where a parser refuses, never another row."""
    record = data.draw(st.sampled_from(ONE_EACH))
    for _ in range(data.draw(st.integers(1, 3))):
        at, length = data.draw(st.integers(0, len(record))), data.draw(st.integers(0, 40))
        put = data.draw(values | st.binary(max_size=3) | st.just(record[at : at + length]))
        to = data.draw(st.integers(0, len(record)))
        record = record[:at] + put + record[at + length :] if data.draw(st.booleans()) else record[:to] + put + record[to:]
    if record.count(b"</AuditMessage") == 1:
        assert told_alike(record)
