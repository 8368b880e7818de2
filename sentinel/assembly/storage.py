"""The store, embedded or served, as its owner has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sentinel.lean import without

if TYPE_CHECKING:
    from sentinel.settings import Settings
    from sentinel.store.questions import Questions
    from sentinel.store.writer import Writer


@contextmanager
def store_writer(settings: Settings, lane: str = "") -> Iterator[Writer]:
    """Open the store, bring its schema up to date, and give its writer. `lane` names it among those that write at a time."""
    store = Store(settings, lane)
    try:
        yield store.writer
    finally:
        store.close()


class Store:
    """The store as its owner has it: a writer, and questions for each thread that answers."""

    def __init__(self, settings: Settings, lane: str = "") -> None:
        with without("pandas"):
            from sentinel.store.client import connect
            from sentinel.store.migrate import migrate
            from sentinel.store.writer import Writer

            self._connections = connect(settings.store or f"chdb://{settings.data.absolute() / 'store'}")
            migrate(self._connections.writer)
        self.writer = Writer(self._connections.writer, lane)

    def questions(self) -> Questions:
        """Return the named questions on a client of their own."""
        from sentinel.store.questions import Questions

        return Questions(self._connections.reader())

    def close(self) -> None:
        """Close all clients."""
        self._connections.close()
