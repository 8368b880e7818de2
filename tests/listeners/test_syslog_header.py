"""Syslog headers as they are sent: who says it is told, and the record behind is whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.listeners.syslog_header import Header, read_header


@pytest.mark.parametrize(
    ("raw", "header"),
    [
        (
            b"<85>1 2026-03-02T14:05:00.003Z pacs.example DICOM 812 IHE+RFC-3881 - \xef\xbb\xbf<AuditMessage/>",
            Header("pacs.example", "DICOM", "IHE+RFC-3881", b"<AuditMessage/>"),
        ),
        (
            b'<13>1 - - app - - [a@1 k="v \\"] \\]" l="]"][b@1] {"x": 1}',
            Header("", "app", "", b'{"x": 1}'),
        ),
        (b"<13>1 - - app - - -", Header("", "app")),
        (b"<13>Oct 11 22:14:15 gate sshd[812]: Accepted: x", Header("gate", "sshd", "", b"Accepted: x")),
        (b"<13>Oct  1 22:14:15 sshd: x", Header("", "sshd", "", b"x")),
        (b"<13>2026-03-02T14:05:00+01:00 gate nginx: x", Header("gate", "nginx", "", b"x")),
        (b'<13>{"a": 1}', Header(body=b'{"a": 1}')),
        (b'{"a": 1}', Header(body=b'{"a": 1}')),
        (b"", Header()),
    ],
)
def test_headers_are_told_from_what_they_carry(raw, header):
    """RFC 5424 with structured data or none, RFC 3164 with a host or none, and what has no header."""
    assert read_header(raw) == header


@given(st.binary(max_size=200))
def test_whatever_comes_is_kept(raw):
    """The body ends as the message does; nothing raises."""
    header = read_header(raw)
    assert raw.endswith(header.body)
