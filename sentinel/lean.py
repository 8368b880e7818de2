"""What a process of Sentinel goes without, so that it starts soon and stays small."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_ENVIRONMENT: Final = {
    "OPENBLAS_NUM_THREADS": "1",  # nothing here multiplies matrices, and threads that wait for one burn CPU before they sleep
    "PYDANTIC_DISABLE_PLUGINS": "__all__",  # each model would search all packages for some; they are shown what is validated
}
_GARBAGE_THRESHOLDS: Final = (200_000, 50, 1_000)


def set_environment() -> None:
    """Tell libraries, before they are imported, what they need not prepare for.

    Whoever starts the process may say otherwise.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def look_for_garbage_rarely() -> None:
    """Let Python look for cycles seldom: what is imported stays, and rows come and go by the thousand without any."""
    gc.set_threshold(*_GARBAGE_THRESHOLDS)


class _Without:
    """Says that some packages are not there."""

    def __init__(self, packages: tuple[str, ...]) -> None:
        self._packages = packages

    def find_spec(self, fullname: str, *_: object) -> None:
        """Leave all other modules to the other finders."""
        if fullname in self._packages:
            raise ModuleNotFoundError(name=fullname)


@contextmanager
def without(*packages: str) -> Iterator[None]:
    """Keep libraries from packages that they import wherever they are, and that serve nothing here.

    Plug-ins may import them before or after.
    """
    finder = _Without(packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
