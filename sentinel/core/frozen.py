"""Values that are made by the hundred thousand and never changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

Value = TypeVar("Value")


@dataclass_transform(frozen_default=True)
def frozen(cls: type[Value]) -> type[Value]:
    """Make a dataclass that only type checkers keep frozen: keeping it at run time makes it four times as dear to make."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
