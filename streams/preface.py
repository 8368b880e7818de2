"""The context that the partitions of one worker take in before their first events: folded once, then a book for each."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from streams.merging import Known

if TYPE_CHECKING:
    from sentinel.core.book import ContextBook
    from sentinel.core.context import ContextRecord


class Preface:
    """What readers have come past, each at its own pace, all from the same beginning; `book` is an empty one.

    The book stands where the last of them stands. Who leaves gets one as it has to be where it stands itself, whatever
    the others do.
    """

    def __init__(self, book: ContextBook, readers: Iterable[int]) -> None:
        self._book = book
        self._past = dict.fromkeys(readers, 0)  # how many resources each has come past
        self._folded = 0
        self._ahead: deque[Known] = deque()  # what somebody has come past, and not everybody

    def know(self, reader: int, known: Sequence[Known]) -> None:
        """Let a reader come past what is next for it."""
        self._past[reader] += len(known)
        news = self._past[reader] - self._folded - len(self._ahead)
        self._ahead.extend(known[len(known) - max(news, 0) :])
        self._fold()

    def leave(self, reader: int) -> ContextBook:
        """Return the book as a reader knows it, which is its own from now on."""
        missing = self._past.pop(reader) - self._folded
        book = self._book.copy() if self._past else self._book
        book.apply(_records(islice(self._ahead, missing)))
        self._fold()
        return book

    def _fold(self) -> None:
        """Take in what all have come past."""
        count = min(self._past.values(), default=self._folded) - self._folded
        self._book.apply(_records([self._ahead.popleft() for _ in range(count)]))
        self._folded += count


def _records(known: Iterable[Known]) -> Iterator[ContextRecord]:
    return (record for one in known for record in one.records)
