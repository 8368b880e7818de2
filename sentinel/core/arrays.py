"""Arrays that grow by a quarter: the state of the compiled pass is nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Tables = TypeVar("Tables", bound=NamedTuple)


def grown(array: NDArray[Any], rows: int, fill: float) -> NDArray[Any]:
    """Return `array` with at least `rows` rows, the new ones filled with `fill`."""
    if len(array) >= rows:
        return array
    larger = np.full((max(rows, len(array) + len(array) // 4), *array.shape[1:]), fill, dtype=array.dtype)
    larger[: len(array)] = array
    return larger


def copied(tables: Tables) -> Tables:
    """Return a named tuple of copies of the arrays."""
    copies: Tables = tables._replace(**{name: array.copy() for name, array in zip(tables._fields, tables, strict=True)})
    return copies


def grow(tables: Tables, rows: int, fills: Mapping[str, float]) -> Tables:
    """Return a named tuple of arrays, each with at least `rows` rows."""
    if len(tables[0]) >= rows:
        return tables
    larger: Tables = tables._replace(
        **{name: grown(array, rows, fills.get(name, 0)) for name, array in zip(tables._fields, tables, strict=True)}
    )
    return larger
