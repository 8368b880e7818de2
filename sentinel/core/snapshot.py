"""State as bytes in a format of our own: JSON for the shape, raw arrays behind it. No pickle, no code.

A snapshot carries its digest and the shape of every class in it: damage and another version of the code are told,
never misread.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from hashlib import blake2b
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MAGIC: Final = b"SENTINEL-STATE-2"
_LENGTH_BYTES: Final = 8
_PLAIN: Final = frozenset({type(None), bool, int, float, str})
_DIGEST_BYTES: Final = 16


class SnapshotError(ValueError):
    """Bytes that are no snapshot of this version of the code."""


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Packs and unpacks values made of the given classes: dataclasses, named tuples and enumerations.

    Beside them: None, bool, int, float, str, list, tuple, set, frozenset, dict, deque and numpy arrays.
    `columns` tells what the columns of arrays mean, in order: arrays of another layout are another version too.
    """

    classes: tuple[type[Any], ...]
    columns: tuple[str, ...] = ()

    def pack(self, value: Any) -> bytes:
        """Return `value` as bytes: the same value always gives the same bytes."""
        arrays: list[NDArray[Any]] = []
        tree = _Encoder(self._by_class(), arrays).encode(value)
        kinds = [[array.dtype.str, list(array.shape)] for array in arrays]
        head = json.dumps(
            {"shape": self._shape(), "arrays": kinds, "value": tree}, ensure_ascii=True, separators=(",", ":")
        ).encode()
        body = b"".join((len(head).to_bytes(_LENGTH_BYTES, "little"), head, *(np.ascontiguousarray(a).tobytes() for a in arrays)))
        return MAGIC + _digest(body) + body

    def unpack(self, data: bytes) -> Any:
        """Return the value that `pack` was given.

        Raises:
            SnapshotError: damaged, or made by another version of the code.
        """
        start = len(MAGIC) + _DIGEST_BYTES
        body = memoryview(data)[start:]
        if data[: len(MAGIC)] != MAGIC:
            raise SnapshotError("not a snapshot of this version")
        if data[len(MAGIC) : start] != _digest(body):
            raise SnapshotError("damaged")
        arrays_at = _LENGTH_BYTES + int.from_bytes(body[:_LENGTH_BYTES], "little")
        head = json.loads(bytes(body[_LENGTH_BYTES:arrays_at]))
        if head["shape"] != self._shape():
            raise SnapshotError("made by another version of the code")
        return _Decoder({c.__name__: c for c in self.classes}, _arrays(head["arrays"], body, arrays_at)).decode(head["value"])

    def _by_class(self) -> dict[type[Any], str]:
        return {c: c.__name__ for c in self.classes}

    def _shape(self) -> str:
        """Return a digest of the names and fields of all classes, and of the columns."""
        told = [*sorted(f"{c.__name__}({','.join(_names(c))})" for c in self.classes), *self.columns]
        return blake2b("\n".join(told).encode(), digest_size=8).hexdigest()


def _names(cls: type[Any]) -> Iterable[str]:
    if is_dataclass(cls):
        return tuple(field.name for field in fields(cls))
    return tuple(getattr(cls, "_fields", ())) or tuple(getattr(cls, "__members__", ()))


def _digest(body: bytes | memoryview) -> bytes:
    return blake2b(body, digest_size=_DIGEST_BYTES, person=b"state").digest()


def _arrays(kinds: list[tuple[str, list[int]]], data: memoryview, at: int) -> list[NDArray[Any]]:
    arrays = []
    for kind, shape in kinds:
        dtype = np.dtype(kind)
        count = int(np.prod(shape, dtype=np.int64))
        arrays.append(np.frombuffer(data, dtype, count, at).reshape(shape).copy())
        at += count * dtype.itemsize
    return arrays


@dataclass(slots=True)
class _Encoder:
    names: dict[type[Any], str]
    arrays: list[NDArray[Any]]

    def encode(self, value: Any) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is np.ndarray:
            self.arrays.append(value)
            return {"array": len(self.arrays) - 1}
        if kind is list:
            return self._each(value)
        if kind is dict:
            return {"dict": list(map(list, zip(self._each(value.keys()), self._each(value.values()), strict=True)))}
        return self._other(value, kind)

    def _each(self, values: Collection[Any]) -> list[Any]:
        """Return each value encoded; plain ones and lists of them, which are most, are what they are."""
        kinds = set(map(type, values))
        is_plain = kinds <= _PLAIN or (kinds == {list} and _PLAIN.issuperset(map(type, chain.from_iterable(values))))
        return list(values) if is_plain else [self.encode(value) for value in values]

    def _other(self, value: Any, kind: type[Any]) -> Any:
        if kind in (set, frozenset):
            return {kind.__name__: [self.encode(item) for item in sorted(value)]}
        if kind is deque:
            return {"deque": self._each(value), "most": value.maxlen}
        name = self.names.get(kind)
        if name is None and kind is not tuple:
            raise TypeError(f"{kind.__name__} has no place in a snapshot")
        if isinstance(value, Enum):
            return {"is": name, "of": value.value}
        if isinstance(value, tuple):
            return {"is": name or "tuple", "of": self._each(value)}
        return {"is": name, "of": [self.encode(getattr(value, field.name)) for field in fields(value) if field.init]}


@dataclass(slots=True)
class _Decoder:
    classes: dict[str, type[Any]]
    arrays: list[NDArray[Any]]

    def decode(self, tree: Any) -> Any:
        if isinstance(tree, list):
            return [self.decode(item) for item in tree]
        if not isinstance(tree, dict):
            return tree
        if "array" in tree:
            return self.arrays[tree["array"]]
        if "dict" in tree:
            return {self.decode(k): self.decode(v) for k, v in tree["dict"]}
        if "deque" in tree:
            return deque((self.decode(item) for item in tree["deque"]), tree["most"])
        for kind in (set, frozenset):
            if kind.__name__ in tree:
                return kind(self.decode(item) for item in tree[kind.__name__])
        return self._made(tree["is"], tree["of"])

    def _made(self, name: str, parts: Any) -> Any:
        if name == "tuple":
            return tuple(self.decode(item) for item in parts)
        cls = self.classes[name]
        if issubclass(cls, Enum):
            return cls(parts)
        return cls(*(self.decode(item) for item in parts))
