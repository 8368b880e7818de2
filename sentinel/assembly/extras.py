"""What only some need, and is installed for them alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sentinel.core.errors import RefusedToStartError


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Import what the `extra` of pyproject.toml brings.

    Raises:
        RefusedToStartError: it is not installed; the message says what to install.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        raise RefusedToStartError(f"{missing.name} is not there: pip install 'sentinel-access[{extra}]'") from None
