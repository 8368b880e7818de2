"""What the store raises when it cannot do what was asked: the engine's code, never its message.

SentinelError
└── StoreError                 an insert or a question failed; what it was about stays with the caller

ClickHouse quotes values, statements and paths in its messages; a code out of its list is all that may leave.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from clickhouse_connect.driver.exceptions import ClickHouseError

from sentinel.core.errors import SentinelError


class StoreError(SentinelError):
    """The store could not do it. `code` is ClickHouse's name of the error, such as `NOT_ENOUGH_SPACE`."""

    def __init__(self, doing: str, code: str) -> None:
        super().__init__(f"the store failed to {doing}: {code}")
        self.doing, self.code = doing, code


@contextmanager
def without_data(doing: str) -> Iterator[None]:
    """Turn an error of the engine or the disk into a `StoreError` that quotes nothing, nor chains what does."""
    try:
        yield
    except (ClickHouseError, OSError) as error:
        raise StoreError(doing, code_of(error)) from None


def code_of(error: Exception) -> str:
    """Return the engine's name of an error, else its number, else the kind of error."""
    name, code = getattr(error, "name", None), getattr(error, "code", None)
    return str(name or code or type(error).__name__)
