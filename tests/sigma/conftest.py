"""Rules for tests, loaded from text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from models.sigma.loading import Loaded, load


@pytest.fixture
def rules(tmp_path: Path) -> Callable[[str], Loaded]:
    """Load the rules of one file."""

    def loaded(text: str) -> Loaded:
        (tmp_path / "rules.yml").write_text(text, encoding="utf-8")
        return load([tmp_path])

    return loaded
