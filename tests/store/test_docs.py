"""docs/store.md tells of every table, question and DSN there is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from sentinel.store.client import SCHEMES
from sentinel.store.migrate import packaged
from sentinel.store.questions import Questions

TEXT = (Path(__file__).parents[2] / "docs" / "store.md").read_text("utf-8")


def test_all_is_told() -> None:
    """What is not in the documentation is not there for those who read it."""
    tables = re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", "".join(migration.sql for migration in packaged()))
    projections = re.findall(r"PROJECTION (\w+)", "".join(migration.sql for migration in packaged()))
    asked = [name for name, _ in inspect.getmembers(Questions, inspect.isfunction) if not name.startswith("_")]
    for name in (*tables, *projections, *(f"{name}(tenant" for name in asked), *(f"{scheme}://" for scheme in SCHEMES)):
        assert f"`{name}" in TEXT, name
