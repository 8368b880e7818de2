"""Regular expressions of a mapping's author: RE2 alone, so that no line can make one take more than linear time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

import re2

PATTERN_MAX: Final = 4_000
GROUPS_MAX: Final = 40
_MEMORY_BYTES: Final = 4 << 20

Groups = dict[str, str]


@lru_cache(maxsize=512)
def compiled(text: str) -> Any:
    """Return the compiled expression.

    Raises:
        ValueError: it is none of RE2's (back references and look-around are not), too long or of too many groups.
    """
    if len(text) > PATTERN_MAX:
        raise ValueError(f"a pattern of more than {PATTERN_MAX} characters")
    try:
        pattern = re2.compile(text, options=_options())
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        told = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"not a pattern of RE2: {told}") from None
    if pattern.groups > GROUPS_MAX:
        raise ValueError(f"a pattern of more than {GROUPS_MAX} groups")
    return pattern


def _options() -> Any:
    options = re2.Options()
    options.max_mem, options.log_errors, options.dot_nl = _MEMORY_BYTES, False, True
    return options


def names_of(text: str) -> tuple[str, ...]:
    """Return the names of a pattern's groups, in their order."""
    found: dict[str, int] = compiled(text).groupindex
    return tuple(sorted(found, key=found.__getitem__))


def finder(text: str) -> Callable[[str], bool]:
    """Return what tells whether a pattern is found in a text."""
    search = compiled(text).search
    return lambda value: search(value.encode("utf-8", "replace")) is not None


def extractor(texts: Sequence[str]) -> Callable[[str], str]:
    """Return what takes a part out of a text: the first group that took part of the first pattern found, else all it found."""
    searches = [compiled(text).search for text in texts]

    def extract(value: str) -> str:
        data = value.encode("utf-8", "replace")
        for search in searches:
            match = search(data)
            if match is not None:
                found = next((group for group in match.groups() if group is not None), match.group())
                return bytes(found).decode("utf-8", "replace")
        return ""

    return extract


class Patterns:
    """Several patterns, of which the first that is found in a line counts. One pass finds which of them are."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._patterns = [(compiled(text).search, tuple(compiled(text).groupindex.items())) for text in texts]
        self._set = re2.Set.SearchSet(_options())
        for text in texts:
            self._set.Add(text)
        self._set.Compile()

    def take(self, line: bytes) -> tuple[int, Groups]:
        """Return which pattern was found, from 0, and its named groups; -1 and nothing when none was."""
        found = self._set.Match(line)
        if not found:
            return -1, {}
        which = min(found)
        search, names = self._patterns[which]
        match = search(line)
        if match is None:
            return -1, {}
        groups = match.groups(b"")
        return which, {name: groups[index - 1].decode("utf-8", "replace") for name, index in names}
