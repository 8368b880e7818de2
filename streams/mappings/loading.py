"""A mapping's file into a source, once its tests hold."""

from __future__ import annotations

from pathlib import Path

from streams.mappings.checking import differences
from streams.mappings.compiling import DEFAULT_ZONE, UnknownPlaceError, compiled
from streams.mappings.document import Mapping
from streams.mappings.reading import read
from streams.sources.contract import Source
from streams.yaml_file import WrongFileError


def load(path: Path, site_zone: str = DEFAULT_ZONE) -> Source:
    """Return the source that a file describes, once its tests hold.

    Raises:
        RefusedToStartError: it cannot be read, a selector leads nowhere, or a test fails.
    """
    mapping, source = untested(path, site_zone)
    failed = differences(mapping, source)
    if failed:
        told = "\n".join(f"{path.name}: {one.test}: {one.what} differs" for one in failed[:5])
        raise WrongFileError(f"{told}\n`sentinel sources test {path}` says more")
    return source


def untested(path: Path, site_zone: str = DEFAULT_ZONE) -> tuple[Mapping, Source]:
    """Return a mapping and its source, whatever its tests say.

    Raises:
        RefusedToStartError: it cannot be read, or a selector leads nowhere.
    """
    mapping = read(path)
    try:
        return mapping, compiled(mapping, site_zone)
    except UnknownPlaceError as error:
        lines = path.read_text(encoding="utf-8").splitlines()
        line = next((number for number, text in enumerate(lines, 1) if error.text in text), 1)
        raise WrongFileError(f"{path.name}:{line}: {error}") from None
