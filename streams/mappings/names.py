"""Which mappings there are: those that come with Sentinel, and a hospital's own files and folders. Reads none of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from sentinel.core.errors import RefusedToStartError

SHIPPED: Final = Path(__file__).parent / "shipped"
SUFFIXES: Final = (".yaml", ".yml")


def files(own: Sequence[Path] = ()) -> dict[str, Path]:
    """Return the mappings' files by name: those shipped, and those of `own` files and folders.

    Raises:
        RefusedToStartError: one of `own` is not there, or a name is there twice.
    """
    found: dict[str, Path] = {}
    for path in _each((SHIPPED, *own)):
        if path.stem in found:
            raise RefusedToStartError(f"mapping {path.stem}: there twice ({found[path.stem]}, {path})")
        found[path.stem] = path
    return found


def _each(places: Sequence[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_dir():
            yield from sorted(path for path in place.iterdir() if path.suffix in SUFFIXES)
        elif place.is_file():
            yield place
        else:
            raise RefusedToStartError(f"mappings: {place} is not there")
