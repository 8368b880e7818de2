"""The file that says where alerts go: TOML, a table an output."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from sentinel.core.errors import RefusedToStartError
from streams.outputs.contract import Output, Section

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def read(path: Path, names: Sequence[str], kinds: Mapping[str, Output]) -> dict[str, Section]:
    """Return the sections of the outputs called `names`, each read as its kind wants it.

    Raises:
        RefusedToStartError: one is not there or cannot be used; the message names the place, never the value.
    """
    told = _tables(path)
    missing = [name for name in names if not isinstance(told.get(name), dict)]
    if missing:
        raise RefusedToStartError(f"{path.name}: there is no [{missing[0]}]")
    return {name: _section(f"{path.name}: {name}", told[name], kinds) for name in names}


def _tables(path: Path) -> dict[str, Any]:
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RefusedToStartError(f"{path}: {type(error).__name__}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise RefusedToStartError(f"{path.name}: not TOML") from None
    wrong = [name for name in told if not NAME.fullmatch(name)]
    if wrong:
        raise RefusedToStartError(f"{path.name}: an output's name is of a-z, 0-9, _ and -")
    return told


def _section(where: str, told: dict[str, Any], kinds: Mapping[str, Output]) -> Section:
    kind = kinds.get(str(told.get("kind", "")))
    if kind is None:
        raise RefusedToStartError(f"{where}: kind is one of {', '.join(sorted(kinds))}")
    try:
        return kind.section.model_validate(told)
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False, include_context=False)
        lines = [f"{'.'.join([where, *map(str, one['loc'])])}: {one['msg'].removeprefix('Value error, ')}" for one in wrong]
        raise RefusedToStartError("\n".join(lines)) from None
