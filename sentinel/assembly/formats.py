"""The formats that events are read from: those programmed, and those that mappings describe."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streams.sources
from sentinel.assembly.core import detectors
from sentinel.assembly.sigma import marked, markers
from sentinel.core.errors import RefusedToStartError
from sentinel.core.plugins import discover
from streams.sources.contract import Source

if TYPE_CHECKING:
    from sentinel.settings import Settings
    from streams.mappings.suggesting import Draft
    from streams.trial import Trial


def sources(settings: Settings | None = None) -> dict[str, Source]:
    """Return the formats that are taken, by name: those that settings name, or all found, programmed or described by mappings.

    Raises:
        RefusedToStartError: one is not there or there twice, or a mapping cannot be used.
    """
    built_in, files = discover("streams.sources", "SOURCE", Source), mapping_files(settings)
    built_in |= {name: marked(built_in[name], mark) for name, mark in markers(settings).items()}
    if settings is None or settings.sources is None:
        return built_in | {name: _mapped(path, settings) for name, path in files.items()}
    missing = sorted(set(settings.sources) - built_in.keys() - files.keys())
    if missing:
        raise RefusedToStartError(f"no such format: {', '.join(missing)}")
    return {name: _mapped(files[name], settings) if name in files else built_in[name] for name in sorted(settings.sources)}


def source(name: str, settings: Settings | None = None) -> Source:
    """Return one format: no other mapping is read for it.

    Raises:
        RefusedToStartError: there is none of that name, or it is a mapping that cannot be used.
    """
    files = mapping_files(settings)
    if name in files or is_mapping_file(name):
        return _mapped(files.get(name) or Path(name), settings)
    found = discover("streams.sources", "SOURCE", Source)
    if name not in found:
        there = ", ".join(sorted({*found, *files}))
        raise RefusedToStartError(f"no such format: {name} (there are: {there})")
    mark = markers(settings).get(name)
    return found[name] if mark is None else marked(found[name], mark)


def mapping_files(settings: Settings | None = None) -> dict[str, Path]:
    """Return the files of all mappings found, by name.

    Raises:
        RefusedToStartError: one is not there, there twice, or named as a format that is programmed.
    """
    from streams.mappings.names import files

    found = files([Path(place) for place in settings.mappings] if settings else ())
    twice = sorted(found.keys() & {module.name for module in pkgutil.iter_modules(streams.sources.__path__)})
    if twice:
        raise RefusedToStartError(f"mapping {twice[0]}: there is a format of this name")
    return found


def is_mapping_file(name: str) -> bool:
    """Tell whether what was given for a format's name is a file of a mapping."""
    return name.endswith((".yaml", ".yml")) and Path(name).is_file()


def try_source(settings: Settings, name: str, file: str, context: Path | None, records_max: int, *, show_values: bool) -> Trial:
    """Try a format, or a mapping's file whatever its tests say, on a file.

    Raises:
        RefusedToStartError: the format, the file or the context is not there, or cannot be used.
    """
    from streams.trial import Trying, known_by

    must_be_there([] if file == "-" else [file], context)
    source, origins = _with_origins(name, settings)
    trying = Trying(source, origins, show_values=show_values)
    trying.read(file, records_max)
    known = None
    if context is not None:
        from streams.context.folder import kinds, load

        known = known_by(kinds(context), load(context))
    return trying.conclude(detectors(settings.detectors), known)


def suggest_mapping(file: str, name: str | None) -> Draft:
    """Return the draft of a mapping for a file of an unknown format.

    Raises:
        RefusedToStartError: the file is not there, or has nothing to tell a format by.
    """
    from streams.files import opened
    from streams.mappings.suggesting import suggest

    must_be_there([] if file == "-" else [file], None)
    with opened(file) as stream:
        draft = suggest(stream, name or Path(file).name.partition(".")[0])
    if draft is None:
        raise RefusedToStartError(f"{Path(file).name}: nothing in it")
    return draft


def _with_origins(name: str, settings: Settings) -> tuple[Source, dict[str, str] | None]:
    from streams.mappings.loading import untested
    from streams.mappings.origins import origins

    files = mapping_files(settings)
    if name not in files and not is_mapping_file(name):
        return source(name, settings), None
    mapping, found = untested(files.get(name) or Path(name), settings.timezone)
    return found, origins(mapping)


def _mapped(path: Path, settings: Settings | None) -> Source:
    from streams.mappings.loading import load

    return load(path, settings.timezone) if settings else load(path)


def must_be_there(files: Sequence[str], context: Path | None) -> None:
    """Refuse what is not there before anything is made of the rest."""
    missing = [file for file in files if not Path(file).is_file()]
    if context is not None and not context.is_dir():
        missing.append(str(context))
    if missing:
        raise RefusedToStartError(f"not there: {', '.join(missing)}")
