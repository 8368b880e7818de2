"""A mapping's file is refused with file, line and place, and never half understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel.core.errors import RefusedToStartError
from streams.mappings.checking import differences
from streams.mappings.loading import load, untested
from streams.mappings.names import files
from streams.mappings.reading import parse
from streams.yaml_file import FILE_BYTES_MAX, WrongFileError

GOOD = """mapping: tried
title: A log
format: csv
csv:
  columns: [when, what, who]
fields:
  occurred_at: when
  action: {from: what, map: {"010": read, no: update, off: delete}}
  actor_id: who
tests:
  - record: |
      2026-03-02 09:00:00,no,ann
    events:
      - {occurred_at: "2026-03-02T08:00:00Z", action: update, actor_id: ann}
"""


def complaint(text: str) -> str:
    """Return why a mapping's text is refused."""
    with pytest.raises(WrongFileError) as refused:
        parse(text.encode(), "tried.yaml")
    return str(refused.value)


def saved(folder: Path, text: str, name: str = "tried") -> Path:
    """Return the file of a mapping."""
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_scalars_are_texts(tmp_path: Path) -> None:
    """What YAML would take for booleans, octal numbers and dates is what the author wrote."""
    made = load(saved(tmp_path, GOOD))
    decoded = made.decode([f"2026-03-02 09:00:00,{code},ann".encode() for code in ("010", "no", "OFF")])
    assert [row.action for row in decoded.rows] == ["read", "update", "delete"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("actor_id: who", "actor_id: who\n  actor: x", "tried.yaml:10: fields.actor: Extra inputs"),
        ("title: A log\n", "", "tried.yaml:1: title: Field required"),
        ("no: update", "no: write", "tried.yaml:7: fields: action cannot be 'write'"),
        ("format: csv", "format: cvs", "tried.yaml:3: format: Input should be"),
        (
            "occurred_at: when",
            "occurred_at: {from: when, format: '%Y %Q'}",
            "tried.yaml:7: fields.occurred_at.format: a time format",
        ),
        ("occurred_at: when", "occurred_at: {from: when, format: '%b %d %H:%M'}", "the time format has no year"),
        (
            "actor_id: who",
            "actor_id: {from: who, pattern: '(a)\\1'}",
            "tried.yaml:9: fields.actor_id.pattern: not a pattern of RE2",
        ),
        ("actor_id: who", "actor_id: {from: who, pattern: '(?=a)'}", "not a pattern of RE2"),
        ("actor_id: who", "actor_id: {from: who, join: [who]}", "a field has one of from, join, value"),
        ("actor_id: who", "actor_id: [a\n", "not YAML"),
        ("actor_id: who", "actor_id: &x who", "tried.yaml:9: anchors and aliases are not taken"),
        ("actor_id: who", "actor_id: who\n  actor_id: when", "tried.yaml:10: actor_id is there twice"),
        ("format: csv", "format: csv\ntime_zone: Paris", "tried.yaml:4: time_zone: no such time zone"),
        ("format: csv", "format: csv\nlines: {kinds: [{pattern: x}]}", "lines goes with format: lines"),
        ("format: csv\ncsv:\n  columns: [when, what, who]", "format: lines", "format: lines needs lines"),
        ("[when, what, who]", "[when, what, When]", "two columns of one name"),
        ("format: csv", "format: csv\nencoding: ebcdic", "tried.yaml:4: encoding"),
        ("tests:", "skip: [{where: who}]\ntests:", "a condition has one of"),
        ("tests:", "skip: [{where: who, like: '('}]\ntests:", "tried.yaml:10: skip.0.like: not a pattern of RE2"),
        ("mapping: tried", "mapping: Tried!", "tried.yaml:1: mapping"),
        ("010", "NO", "map has a value twice"),
    ],
)
def test_what_a_mapping_cannot_say_is_told_with_its_line(old: str, new: str, told: str) -> None:
    """So that the author finds it."""
    assert told in complaint(GOOD.replace(old, new))


@pytest.mark.parametrize("text", ["", "- a", "a", "a: !!python/object/apply:os.system [true]", "\x00", "? [a]\n: b", "{" * 100])
def test_what_is_no_mapping_at_all(text: str) -> None:
    """Never more than a complaint; no tag of YAML is followed."""
    assert complaint(text).startswith("tried.yaml:")


def test_sizes_are_bounded() -> None:
    """Of the file, of patterns, of nesting."""
    assert "more than" in complaint("#" * (FILE_BYTES_MAX + 1))
    assert "more than" in complaint(GOOD.replace("actor_id: who", f"actor_id: {{from: who, pattern: '{'a' * 5_000}'}}"))
    assert "deep" in complaint("a: " + "[" * 60 + "]" * 60)


def test_a_place_that_is_nowhere_is_told_with_its_line(tmp_path: Path) -> None:
    """A column, a group, a name of a part that cannot be."""
    with pytest.raises(WrongFileError, match=r"tried.yaml:9: whom: there is no such"):
        load(saved(tmp_path, GOOD.replace("actor_id: who", "actor_id: whom")))


def test_a_mapping_whose_tests_fail_is_refused(tmp_path: Path) -> None:
    """It says which test and which field, not what the sample holds."""
    path = saved(tmp_path, GOOD.replace("actor_id: ann}", "actor_id: SECRET}"))
    with pytest.raises(WrongFileError) as refused:
        load(path)
    assert "test 1: event 1: actor_id differs" in str(refused.value)
    assert "SECRET" not in str(refused.value)
    assert [(one.expected, one.found) for one in differences(*untested(path))] == [("SECRET", "ann")]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("    events:\n      - {", "    skipped: 1\n    events:\n      - {", "skipped"),
        ("    events:\n      - {", "    rejected: bad-time\n    events:\n      - {", "rejected"),
        ("actor_id: ann}", "actor_id: ann}\n      - {}", "events"),
        ("actor_id: ann}", "actor_id: ann, device: pc}", "event 1: device"),
        ("actor_id: ann}", "actor_id: ann, dvice: pc}", "event 1: there is no field dvice"),
        ("08:00:00Z", "08:00:01Z", "event 1: occurred_at"),
        (", action: update", "", "event 1: action"),
    ],
)
def test_a_test_tells_all_of_an_event(tmp_path: Path, old: str, new: str, what: str) -> None:
    """What it does not write is not told; how many are refused and passed over is part of it."""
    assert what in {one.what for one in differences(*untested(saved(tmp_path, GOOD.replace(old, new))))}


def test_a_mapping_is_named_as_its_file(tmp_path: Path) -> None:
    """And as nothing else that is found."""
    with pytest.raises(WrongFileError, match="named as its file"):
        load(saved(tmp_path, GOOD, "other"))
    with pytest.raises(RefusedToStartError, match="there twice"):
        files([saved(tmp_path, GOOD, "linux_auth")])
    with pytest.raises(RefusedToStartError, match="not there"):
        files([tmp_path / "nowhere"])
    assert {"tried", "linux_auth"} <= files([saved(tmp_path, GOOD)]).keys()
