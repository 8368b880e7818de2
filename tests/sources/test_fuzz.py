"""Every source survives damaged records of its own, for as long as it is given.

`SENTINEL_FUZZ_SECONDS` of each source, 5 unless told otherwise. What is tried in which round depends on nothing but
the round, so that a failure names what brings it back.
"""

from __future__ import annotations

import os
import random
import time
from itertools import count
from typing import Final

import pytest

from sentinel.core.plugins import discover
from streams.sources.contract import Source
from tests.sources.test_source_contract import as_event, golden_records

SECONDS: Final = float(os.environ.get("SENTINEL_FUZZ_SECONDS", "5"))
CPU_SECONDS_MAX: Final = 2.0  # of one record: no more than says that it ends
RECORD_BYTES_MAX: Final = 65_536
SOURCES: Final = discover("streams.sources", "SOURCE", Source)
# What formats are cut at, and what has ended parsers before.
TOKENS: Final = (
    *(
        b"",
        b"\0",
        b"\n",
        b"\xff",
        b"\xc3",
        b"\xef\xbb\xbf",
        b"\\u0000",
        b"\\ud800",
        b'"',
        b"'",
        b"\\",
        b",",
        b":",
        b";",
        b"|",
        b"=",
        b"%00",
    ),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b"[" * 500,
        b"null",
        b"true",
        b"-1",
        b"1e999",
        b"9" * 400,
        b"NaN",
        b"0001-01-01",
        b"2025-13-45T25:61:61Z",
    ),
    *(
        b"<",
        b">",
        b"/>",
        b"</",
        b"&",
        b"&amp;",
        b"&#0;",
        b"<!--",
        b"-->",
        b"<![CDATA[",
        b"]]>",
        b"<?xml ?>",
        b"<!DOCTYPE a>",
        b"<a " * 200,
    ),
    *(b"x" * 5_000, b"\xc2\xa0", b"\xe2\x80\xae", b"(a+)+$", b"../", b"${x}", b"\r\n\r\n"),
)


def damaged(records: list[bytes], draw: random.Random) -> bytes:
    """Return a record of a source, changed in one to six places."""
    record = draw.choice(records)
    for _ in range(draw.randint(1, 6)):
        at, to = sorted((draw.randint(0, len(record)), draw.randint(0, len(record))))
        other = draw.choice(records)
        begin = draw.randint(0, len(other))
        match draw.randrange(7):
            case 0:  # one byte another
                record = record[:at] + bytes([draw.randrange(256)]) + record[at + 1 :]
            case 1:  # a token put in
                record = record[:at] + draw.choice(TOKENS) + record[at:]
            case 2:  # a little cut out
                record = record[:at] + record[at + draw.randint(1, 30) :]
            case 3:  # something twice
                record = record[:to] + record[at:to] * draw.choice((1, 1, 1, 20)) + record[to:]
            case 4:  # a piece of another record
                record = record[:at] + other[begin : begin + draw.randint(1, 200)] + record[at:]
            case 5:  # cut short
                record = record[:to]
            case 6:  # one token for another of its kind
                record = record.replace(record[at : at + draw.randint(1, 6)], draw.choice(TOKENS), draw.randint(1, 4))
    return record[:RECORD_BYTES_MAX]


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_no_damage_brings_a_source_down(source: Source) -> None:
    """Nothing is raised, nothing goes on for seconds, each row is a valid event, each refusal at its record."""
    records, ends = golden_records(source), time.monotonic() + SECONDS
    for round_ in count():
        if time.monotonic() > ends and round_:
            break
        record = damaged(records, random.Random(round_))
        began = time.thread_time()
        try:
            decoded = source.decode([record, *(source.split(record) if source.split else ())])
        except Exception as error:
            raise AssertionError(f"round {round_}: {type(error).__name__}") from error
        assert time.thread_time() - began < CPU_SECONDS_MAX, f"round {round_}"
        for row in decoded.rows:
            as_event(row)
        assert all(one.index >= 0 and one.detail.isascii() for one in decoded.rejections), f"round {round_}"
