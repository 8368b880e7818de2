"""Records of Linux audit are joined by their serial, wherever a file is cut."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.sources import linux_auditd
from streams.sources.linux_auditd import SOURCE

GOLDEN = Path(__file__).parent / "golden" / "linux_auditd"
LINES = (GOLDEN / "raw.log").read_bytes().splitlines(keepends=True)


@given(order=st.permutations(range(len(LINES))))
def test_records_of_one_event_may_stand_among_those_of_others(order: list[int]) -> None:
    """In whatever order the lines come, the same events are told."""
    assert SOURCE.split is not None
    shuffled = SOURCE.decode(SOURCE.split(b"".join(LINES[at] for at in order)))
    told = {(row.id, row.action, row.actor_id) for row in SOURCE.decode(SOURCE.split(b"".join(LINES))).rows}
    assert {(row.id, row.action, row.actor_id) for row in shuffled.rows} == told
    assert not shuffled.rejections


@pytest.mark.parametrize("block", [1, 500, 1 << 20])
def test_a_file_gives_its_events_whatever_the_block(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the lines they begin on; blank ones count, and a line that is no record stays alone."""
    monkeypatch.setattr(linux_auditd, "BLOCK_BYTES", block)
    assert SOURCE.cut is not None
    found = [pair for block in SOURCE.cut(io.BytesIO(b"\nnoise\n" + b"".join(LINES))) for pair in zip(*block, strict=True)]
    assert [number for number, _ in found][:3] == [2, 3, 8]
    decoded = SOURCE.decode([record for _, record in found])
    assert [one.index for one in decoded.rejections] == [0]
    assert decoded.rows == SOURCE.decode([b"".join(LINES)]).rows
    assert decoded.skipped == 1


def test_a_line_alone_tells_its_call_without_its_paths() -> None:
    """As a listener hands them over: the program is named, records that only add to a call are passed over."""
    decoded = SOURCE.decode(LINES[:3])
    assert [(row.action, row.resource_id) for row in decoded.rows] == [("read", "/bin/cat")]
    assert decoded.skipped == 2
