"""docs/listeners.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streams.listeners.document import Listeners
from streams.listeners.syslog import LOST, REFUSED, UNMATCHED
from streams.yaml_file import parse
from tests.listeners.listening import SOURCES

PAGE = (Path(__file__).parents[2] / "docs" / "listeners.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_examples_can_be_used(example):
    """As they stand, with formats that are there."""
    assert parse(example.encode(), "listeners.yaml", Listeners, "file of listeners").sources() <= SOURCES.keys()


def test_verdicts_without_a_format_are_told():
    """Each in the table."""
    assert all(f"| `{verdict}` |" in PAGE for verdict in (LOST, REFUSED, UNMATCHED))
