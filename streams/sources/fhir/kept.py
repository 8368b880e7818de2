"""What comes again and again, digested once: digests by what they were made of, within a bound of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT_LENGTH_MAX: Final = 4_096  # what is longer is digested each time rather than kept
DIGEST_BYTES: Final = 512  # of a digest and its place, about

Text = TypeVar("Text", str, bytes)
Digest = TypeVar("Digest")


class Kept(dict[Text, Digest], Generic[Text, Digest]):
    """The digests of texts, asked for by `kept[text]`: half the price of `functools.lru_cache`, which orders each hit.

    They are kept in two generations of `room` bytes at most. When the younger is full it becomes the older,
    and what is not asked for until the next is full is forgotten.
    """

    def __init__(self, digest: Callable[[Text], Digest], room: int = 1 << 20) -> None:
        self._digest: Callable[[Text], Digest] = digest
        self._room = self._left = room
        self._older: dict[Text, Digest] = {}

    def __missing__(self, text: Text) -> Digest:
        digest = self._older[text] if text in self._older else self._digest(text)
        if len(text) <= KEPT_LENGTH_MAX:
            self._keep(text, digest)
        return digest

    def _keep(self, text: Text, digest: Digest) -> None:
        self._left -= len(text) + DIGEST_BYTES
        if self._left < 0:
            self._older = dict(self)
            self.clear()
            self._left = self._room - len(text) - DIGEST_BYTES
        self[text] = digest
