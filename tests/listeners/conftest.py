"""What the tests of listeners share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kafka.certificates import Authority
from tests.listeners.listening import Kept


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """A log in a folder of its own."""
    made = Kept(tmp_path / "data")
    yield made
    made.close()


@pytest.fixture(scope="session")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Authority]:
    """Makes certificate authorities by name, once each."""
    made: dict[str, Authority] = {}

    def of(name: str) -> Authority:
        if name not in made:
            made[name] = Authority(tmp_path_factory.mktemp(name) / "files")
        return made[name]

    return of
