"""docs/listeners.md and docs/collectors.md say what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streams.listeners.document import Listeners
from streams.listeners.port import REFUSED
from streams.listeners.syslog import LOST, UNMATCHED
from streams.yaml_file import parse
from tests.listeners.listening import SOURCES

DOCS = Path(__file__).parents[2] / "docs"
PAGE, COLLECTORS = ((DOCS / name).read_text(encoding="utf-8") for name in ("listeners.md", "collectors.md"))


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(.*?)```", PAGE + COLLECTORS, re.DOTALL))
def test_examples_can_be_used(example, monkeypatch):
    """As they stand, with formats that are there, and secrets where they say."""
    for name in re.findall(r"env:(\w+)", example):
        monkeypatch.setenv(name, "told")
    assert parse(example.encode(), "listeners.yaml", Listeners, "file of listeners").sources() <= SOURCES.keys()


def test_verdicts_without_a_format_are_told():
    """Each in the table."""
    assert all(f"| `{verdict}` |" in PAGE for verdict in (LOST, REFUSED, UNMATCHED))


def test_each_configuration_is_told():
    """The table has the files of deploy/collectors, and no others."""
    there = {file.name for file in (DOCS.parent / "deploy" / "collectors").iterdir()}
    assert set(re.findall(r"^\| [^|]+ \| `([^`]+)` \|", COLLECTORS, re.MULTILINE)) == there
