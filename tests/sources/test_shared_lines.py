"""A record of a format of lines is a line, whatever carries it; several lines are several records."""

from __future__ import annotations

import json

import pytest

from streams.sources import cef, leef
from streams.sources.contract import Source

CEF = tuple(
    f"<134>dpi CEF:0|Example|DPI|2|7|Document {done}|3|rt=1741079730000 suser={who}"
    for done, who in (("read", "a"), ("deleted", "b"))
)
LEEF = tuple(
    f"LEEF:1.0|Example|DPI|2|{done}|devTime=1741079730000\tusrName={who}" for done, who in (("read", "a"), ("delete", "b"))
)


@pytest.mark.parametrize(("source", "lines"), [(cef.SOURCE, CEF), (leef.SOURCE, LEEF)], ids=["cef", "leef"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_that_nobody_cut_are_read_one_by_one(source: Source, lines: tuple[str, str], end: str) -> None:
    """As text, as the message of a shipper's object, and as several such objects: no act is told under another's name."""
    text = end.join(lines)
    objects = "\n".join(json.dumps({"message": line}) for line in lines)
    for record in (text, json.dumps({"message": text}), objects):
        decoded = source.decode([record.encode()])
        assert [(row.actor_id, row.action) for row in decoded.rows] == [("a", "read"), ("b", "delete")]
        assert decoded.records == [0, 0]
        assert not decoded.rejections


def test_an_object_over_several_lines_is_one_record() -> None:
    """Though it tells its line twice."""
    document = json.dumps({"message": CEF[0], "event": {"original": CEF[0]}}, indent=2)
    assert [row.actor_id for row in cef.SOURCE.decode([document.encode()]).rows] == ["a"]
    assert cef.SOURCE.decode([document.encode()]).rejections == []


def test_a_line_that_quotes_another_is_one_record() -> None:
    """The name of the format may stand in a value."""
    (row,) = cef.SOURCE.decode([f"{CEF[0]} msg=was CEF:0|x".encode()]).rows
    assert row.actor_id == "a"
