"""A file of XML is cut where its documents end, whether a line holds one or one holds many lines."""

from __future__ import annotations

import io

import pytest

from streams.files import blocks

HEADER = b"<85>1 2025-03-04T09:15:30Z pacs dcm 1 IHE+RFC-3881 - "


def records_of(data: bytes) -> list[bytes]:
    """Return what a reader of files hands to a source, blank lines aside."""
    return [record for _, records in blocks(io.BytesIO(data)) for record in records if record.strip()]


@pytest.mark.parametrize(
    "line", [b"<A><b/></A>", b'<?xml version="1.0"?><A b="c"></A>', HEADER + b"<A></A>", b"42 " + HEADER + b"<A></A>"]
)
def test_a_document_a_line_is_a_record_a_line(line: bytes) -> None:
    """Each is read on its own, and refused with its line."""
    assert records_of(b"\xef\xbb\xbf" + line + b"\n" + line + b"\r\n\n" + line) == [
        b"\xef\xbb\xbf" + line + b"\n",
        line + b"\r\n",
        line,
    ]


@pytest.mark.parametrize(
    "begin",
    [
        b"<A>\n",
        b"<A><b/>\n",
        b'<?xml version="1.0"?>\n<A>',
        HEADER + b'<?xml version="1.0"?>\n<A>',
        HEADER + b"\n<A>",
        b"<!-- c -->\n<A>",
    ],
)
def test_a_document_of_many_lines_is_one_record(begin: bytes) -> None:
    """With what comes after it: the source cuts it."""
    text = b"\n" + begin + b"\n</A>\n" + begin + b"</A>\n"
    assert records_of(text) == [text]


@pytest.mark.parametrize(
    "line", [b'{"a": "<b>"}', b"[1]", b"a,b", b"<134>1 - - - - - - CEF:0|a|b", b'1.2.3.4 - - [x] "GET /<a> HTTP/1.1" 200']
)
def test_other_lines_stay_lines(line: bytes) -> None:
    """JSON, CSV, syslog and access logs are read line by line as before."""
    assert records_of(line + b"\n" + line) == [line + b"\n", line]
