"""docs/mappings.md says what the code does: its example runs as printed."""

from __future__ import annotations

import io
import re
from pathlib import Path

from sentinel.core.errors import RejectionCode
from streams.mappings.checking import differences
from streams.mappings.compiling import compiled
from streams.mappings.document import FORMATS
from streams.mappings.names import files
from streams.mappings.reading import parse
from streams.mappings.suggesting import suggest
from streams.mappings.times import _TOKENS, NAMED

PAGE = (Path(__file__).parents[2] / "docs" / "mappings.md").read_text(encoding="utf-8")
CSV, YAML = (re.search(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)[1] for kind in ("csv", "yaml"))  # type: ignore[index]


def first_cells(title: str) -> list[str]:
    """Return the codes in the first cells of the table whose header begins with `title`."""
    body = PAGE.partition(f"\n| {title} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [code for line in body for code in re.findall(r"`([^`]+)`", line.split("|")[1])]


def test_the_example_reads_the_file_it_is_for() -> None:
    """All lines but the one of noise; its tests hold."""
    mapping = parse(YAML.encode(), "dpi_trace.yaml")
    made = compiled(mapping)
    assert differences(mapping, made) == []
    assert made.split is not None
    decoded = made.decode(made.split(CSV.encode("windows-1252")))
    assert not decoded.rejections
    assert [row.action for row in decoded.rows] == ["read", "print", "print", "break-glass", "login-failed"]
    assert decoded.skipped == 1


def test_the_example_can_be_drafted() -> None:
    """The draft reads nearly all of it before anybody has decided anything."""
    draft = suggest(io.BytesIO(CSV.encode("windows-1252")), "dpi_trace")
    assert draft is not None
    made = compiled(parse(draft.text.encode(), "dpi_trace.yaml"))
    assert made.split is not None
    decoded = made.decode(made.split(CSV.encode("windows-1252")))
    assert not decoded.rejections
    assert [row.action for row in decoded.rows][:2] == ["read", "print"]
    assert decoded.rows[0].patient_id == "000123"


def test_the_tables_are_complete() -> None:
    """Shapes, letters of times, codes, and the mappings that come with Sentinel."""
    assert set(first_cells("`format`")) == set(FORMATS)
    assert {letter.removeprefix("%") or "%" for letter in first_cells("letter")} == set(_TOKENS)
    assert all(f"`{name}`" in PAGE for name in NAMED)
    assert set(first_cells("code")) <= set(RejectionCode)
    assert set(first_cells("name")) == set(files())
