"""docs/context.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from sentinel.core.context import PatientRecord, Position, Stay
from sentinel.core.errors import RejectionCode
from streams.context.csvfile import COLUMNS
from streams.context.folder import ORDER, FileRejection, load

PAGE = (Path(__file__).parents[2] / "docs" / "context.md").read_text(encoding="utf-8")


def table(title: str) -> list[list[str]]:
    """Return the cells of the table whose header line begins with `title`."""
    _, _, after = PAGE.partition(f"| {title} |")
    body = after.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in body]


def test_the_columns_are_those_that_are_read() -> None:
    """Each type has its row, and each row its columns in order."""
    told = {kind: re.findall(r"`(\w+)`", columns) for kinds, columns in table("file") for kind in kinds.split(", ")}
    assert {kind: [*told[kind]] for kind in COLUMNS} == {kind: [*columns] for kind, columns in COLUMNS.items()}
    assert set(told) == set(COLUMNS)


def test_the_types_are_told_in_the_order_they_are_read() -> None:
    """All of them."""
    assert [kind for row in table("resource") for kind in row[0].split(", ")] == [kind for kind in ORDER if kind != "Bundle"]


def test_the_codes_are_those_of_rejections() -> None:
    """No other code is promised."""
    codes = {code for row in table("code") for code in re.findall(r"`([\w-]+)`", row[0])}
    assert codes <= set(RejectionCode)


def test_the_example_is_a_hospital(tmp_path: Path) -> None:
    """The three files load as they stand."""
    for name, text in re.findall(r"`(\w+\.csv)`\n```csv\n(.*?)```", PAGE, re.DOTALL):
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = list(load(tmp_path))
    assert not [record for record in found if isinstance(record, FileRejection)]
    assert [len([r for r in found if isinstance(r, kind)]) for kind in (Position, PatientRecord, Stay)] == [2, 2, 2]
