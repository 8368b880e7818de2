"""Rows of any dialect and encoding are read as they were written; a bad one costs itself alone."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.event import CONTROLS
from streams.files import BLOCK_BYTES
from tests.mappings.mapped import at, names, read, refusals, source

HEAD = "when;what;who\n"
ROW = "2026-03-02 09:00:00;read;{}\n"
SEMI = 'format: csv\ncsv: {delimiter: ";"}'


def test_the_first_row_names_the_columns() -> None:
    """In any order, whatever their case, beside others."""
    decoded = read(source("format: csv"), b"\xef\xbb\xbfWHO, x ,What,when\r\nann,1,read,2026-03-02 09:00:00\r\n\r\n")
    assert names(decoded.rows, "actor_id", "action", "occurred_at") == [("ann", "read", at(2026, 3, 2, 8))]
    assert not decoded.rejections


def test_each_record_bears_the_row_that_names_the_columns() -> None:
    """So that it can be read alone: out of a queue, out of the dead letters, in another order."""
    made = source(SEMI)
    assert made.split is not None
    records = made.split((HEAD + ROW.format("ann") + ROW.format("bob")).encode())
    assert [row.actor_id for record in reversed(records) for row in made.decode([record]).rows] == ["bob", "ann"]


def test_a_record_may_hold_many_rows() -> None:
    """As a producer that sends a file in one message; pointers tell the row."""
    decoded = source(SEMI).decode([(HEAD + ROW.format("ann") + "never;read;bob\n" + ROW.format('"c\nd"')).encode()])
    assert names(decoded.rows, "actor_id") == [("ann",), ("c\nd",)]
    assert decoded.records == [0, 0]
    assert refusals(decoded) == [(0, "bad-time", "/1/when")]


def test_columns_may_be_named_by_the_mapping() -> None:
    """Then a row is a record; a row of those names is none; a row may end early where the mapping lets it."""
    made = source("format: csv\ncsv: {columns: [when, what, who, extra], columns_min: 3}")
    data = b"When,What,Who,Extra\n2026-03-02 09:00:00,read,ann\n2026-03-02 09:00:00,read\n2026-03-02 09:00:00,read,bob,,,\n"
    decoded = read(made, data)
    assert names(decoded.rows, "actor_id") == [("ann",), ("bob",)]
    assert refusals(decoded) == [(2, "unparseable", "")]


def test_a_column_that_is_not_there_is_told() -> None:
    """An export that changed is seen at once. Of several columns one is enough; an optional one may be missing."""
    fields = "fields: {occurred_at: when, action: what, actor_id: [login, who], device: poste}"
    assert refusals(read(source("format: csv", fields), b"when,what,who\n2026-03-02 09:00:00,read,ann\n")) == [
        (0, "missing-field", "/poste")
    ]
    decoded = read(source("format: csv\ncsv: {optional: [Poste]}", fields), b"when,what,who\n2026-03-02 09:00:00,read,ann\n")
    assert names(decoded.rows, "actor_id", "device") == [("ann", "")]


def test_a_broken_row_costs_itself_alone() -> None:
    """An open quote, too many cells, too few."""
    rows = ROW.format('"ann') + ROW.format("bob") + ROW.format("x;y") + "2026-03-02 09:00:00;read\n" + ROW.format("eve")
    decoded = read(source(SEMI), (HEAD + rows).encode())
    assert names(decoded.rows, "actor_id") == [("bob",), ("eve",)]
    assert [code for _, code, _ in refusals(decoded)] == ["unparseable"] * 3


def test_cells_and_records_are_bounded() -> None:
    """A cell of more than 128 KiB is no row, a record of more than 1 MiB is too large; others go on."""
    rows = [ROW.format("x" * 140_000), ROW.format('"' + "y;" * 600_000 + '"'), ROW.format("ann")]
    decoded = read(source(SEMI), (HEAD + "".join(rows)).encode())
    assert [code for _, code, _ in refusals(decoded)] == ["unparseable", "too-large"]
    assert names(decoded.rows, "actor_id") == [("ann",)]


def test_the_lines_of_records_are_known() -> None:
    """Also when rows take several lines, and of files larger than a block."""
    row = ROW.format('"a\n\nb"')
    made = source(SEMI)
    assert made.cut is not None
    count = BLOCK_BYTES // len(row) + 100
    numbers = [number for block, _ in made.cut(io.BytesIO((HEAD + row * count).encode())) for number in block]
    assert numbers == list(range(2, 2 + 3 * count, 3))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "windows-1252", "iso-8859-15"])
def test_encodings(encoding: str) -> None:
    """With their byte order marks where they have one."""
    data = (HEAD + ROW.format('"Zoé; l\'été"')).encode(encoding)
    decoded = read(source(f'format: csv\nencoding: {encoding}\ncsv: {{delimiter: ";"}}'), data)
    assert names(decoded.rows, "actor_id") == [("Zoé; l'été",)]


def test_bytes_of_another_encoding_are_refused() -> None:
    """Not replaced: a changed name would be somebody else's."""
    assert refusals(read(source(SEMI), (HEAD + ROW.format("Zoé")).encode("latin-1"))) == [(0, "not-utf8", "")]
    wide = source('format: csv\nencoding: utf-16\ncsv: {delimiter: ";"}')
    decoded = read(wide, (HEAD + ROW.format("ann")).encode("utf-16") + b"\x00\xd8")
    assert names(decoded.rows, "actor_id") == [("ann",)]
    assert [code for _, code, _ in refusals(decoded)] == ["unparseable"]


cells = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).map(str.strip)
dialects = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from(",;\t|:~"),
        "quotechar": st.sampled_from("\"'^"),
        "lineterminator": st.sampled_from(["\n", "\r\n"]),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    }
)


@given(
    dialect=dialects,
    people=st.lists(st.tuples(cells.filter(bool), st.lists(cells, max_size=2)), min_size=1, max_size=6),
    encoding=st.sampled_from(["utf-8", "utf-16"]),
)
def test_a_random_dialect_round_trips(dialect: dict[str, object], people: list[tuple[str, list[str]]], encoding: str) -> None:
    """What `csv` writes is read back, line breaks within cells too."""
    text = io.StringIO()
    writer = csv.writer(text, **dialect)  # type: ignore[arg-type]
    writer.writerow(["when", "what", "who", "device"])
    for who, device in people:
        writer.writerow(["2026-03-02 09:00:00", "read", who, "\n".join(device)])
    delimiter = "tab" if dialect["delimiter"] == "\t" else dialect["delimiter"]
    fields = "fields: {occurred_at: when, action: what, actor_id: who, device: device}"
    quote = str(dialect["quotechar"]).replace('"', '\\"')
    layout = f'format: csv\nnot_told: []\nencoding: {encoding}\ncsv: {{delimiter: "{delimiter}", quote: "{quote}"}}'
    decoded = read(source(layout, fields), text.getvalue().encode(encoding))
    assert not decoded.rejections
    assert names(decoded.rows, "actor_id", "device") == [(who, "\n".join(device).strip()) for who, device in people]
    assert not any(CONTROLS.search(row.actor_id) for row in decoded.rows)


def test_a_quote_may_be_escaped() -> None:
    """As MySQL and MariaDB write it."""
    made = source("format: csv\ncsv: {columns: [when, what, who], quote: \"'\", escape: '\\'}")
    assert names(read(made, rb"2026-03-02 09:00:00,read,'o\'neill, ann'" + b"\n").rows, "actor_id") == [("o'neill, ann",)]


def test_quotes_may_mean_nothing() -> None:
    """As in files of tabs that no program quotes."""
    made = source("format: csv\ncsv: {delimiter: tab, quote: none}")
    assert names(read(made, b'when\twhat\twho\n2026-03-02 09:00:00\tread\t5" ann\n').rows, "actor_id") == [('5" ann',)]
