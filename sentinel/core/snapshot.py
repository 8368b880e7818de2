"""State as bytes in a format of our own: JSON for the shape, raw arrays behind it. No pickle, no code.

Many values of one type are kept as columns, field by field, down to arrays of numbers and of text: a state of a hundred
thousand small objects is a few arrays. A snapshot carries its digest and the shape of every class in it: damage and
another version of the code are told, never misread.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from hashlib import blake2b, sha256
from itertools import chain, islice
from operator import attrgetter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MAGIC: Final = b"SENTINEL-STATE-3"
_LENGTH_BYTES: Final = 8
_PLAIN: Final = frozenset({type(None), bool, int, float, str})
_DIGEST_BYTES: Final = 32
_COLUMN_MIN: Final = 8  # values: fewer are kept one by one
_NUMBERS: Final[dict[type[Any], Any]] = {bool: np.bool_, int: np.int64, float: np.float64}


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
        told: tuple[bytes | memoryview, ...] = (len(head).to_bytes(_LENGTH_BYTES, "little"), head, *map(_raw, arrays))
        return b"".join((MAGIC, _digest(*told), *told))

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


def _raw(array: NDArray[Any]) -> memoryview:
    """Return the bytes of an array, which are not copied."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _digest(*parts: bytes | memoryview) -> bytes:
    digest = sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


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
            return {"array": self._array(value)}
        if kind is list:
            return {"list": self._each(value)}
        if kind is dict:
            return {"dict": [self._each(value.keys()), self._each(value.values())]}
        return self._other(value, kind)

    def _other(self, value: Any, kind: type[Any]) -> Any:
        if kind in (set, frozenset):
            return {kind.__name__: self._each(sorted(value))}
        if kind is deque:
            return {"deque": self._each(value), "most": value.maxlen}
        if kind is tuple:
            return {"tuple": self._each(value)}
        name = self._name(kind)
        if isinstance(value, Enum):
            return {"is": name, "of": value.value}
        return {"is": name, "of": [self.encode(part) for (part,) in _columns(kind, [value])]}

    def _name(self, kind: type[Any]) -> str:
        if kind not in self.names:
            raise TypeError(f"{kind.__name__} has no place in a snapshot")
        return self.names[kind]

    def _array(self, array: NDArray[Any]) -> int:
        self.arrays.append(array)
        return len(self.arrays) - 1

    def _each(self, values: Collection[Any]) -> Any:
        """Return values encoded: a list of each, or, of many that are of one type, their columns."""
        kinds = set(map(type, values))
        if len(values) >= _COLUMN_MIN and len(kinds) == 1:
            column = self._column(kinds.pop(), values)
            if column is not None:
                return column
        elif kinds <= _PLAIN:
            return list(values)
        return [self.encode(value) for value in values]

    def _column(self, kind: type[Any], values: Collection[Any]) -> dict[str, Any] | None:
        """Return values of one type as columns; None: they have to be encoded one by one."""
        if kind is str:
            return {"texts": self._texts(values)}
        if kind in _NUMBERS:
            return self._numbers(kind, values)
        if kind in (list, tuple):
            return {f"{kind.__name__}s": self._lengths(values), "of": self._each([*chain.from_iterable(values)])}
        if kind is deque and len(most := {value.maxlen for value in values}) == 1:
            return {"deques": self._lengths(values), "of": self._each([*chain.from_iterable(values)]), "most": most.pop()}
        if kind is dict:
            inner = (values, (value.values() for value in values))
            return {"dicts": self._lengths(values), "of": [self._each([*chain.from_iterable(one)]) for one in inner]}
        if kind in self.names and not issubclass(kind, Enum) and _names(kind):
            return {"rows": self.names[kind], "of": [self._each(column) for column in _columns(kind, values)]}
        return None

    def _numbers(self, kind: type[Any], values: Collection[Any]) -> dict[str, Any] | None:
        try:
            return {"numbers": self._array(np.fromiter(values, _NUMBERS[kind], len(values)))}
        except OverflowError:  # an integer beyond 64 bits
            return None

    def _texts(self, values: Collection[str]) -> list[int]:
        whole = "".join(values).encode("utf-8", "surrogatepass")
        return [self._lengths(values), self._array(np.frombuffer(whole, np.uint8))]

    def _lengths(self, values: Collection[Any]) -> int:
        return self._array(np.fromiter(map(len, values), np.int64, len(values)))


def _columns(kind: type[Any], values: Iterable[Any]) -> Iterable[Sequence[Any]]:
    """Return the fields of instances of a dataclass, or of a named tuple, each of all of them."""
    if is_dataclass(kind):
        return [[*map(attrgetter(field.name), values)] for field in fields(kind) if field.init]
    return zip(*values, strict=True)


@dataclass(slots=True)
class _Decoder:
    classes: dict[str, type[Any]]
    arrays: list[NDArray[Any]]

    def decode(self, tree: Any) -> Any:
        if not isinstance(tree, dict):
            return tree
        if "array" in tree:
            return self.arrays[tree["array"]]
        if "dict" in tree:
            return dict(zip(*map(self._all, tree["dict"]), strict=True))
        if "deque" in tree:
            return deque(self._all(tree["deque"]), tree["most"])
        for kind in (list, tuple, set, frozenset):
            if kind.__name__ in tree:
                return kind(self._all(tree[kind.__name__]))
        cls = self.classes[tree["is"]]
        return cls(tree["of"]) if issubclass(cls, Enum) else cls(*map(self.decode, tree["of"]))

    def _all(self, tree: Any) -> list[Any]:
        """Return what `_each` was given."""
        if isinstance(tree, list):
            return [self.decode(one) for one in tree]
        if "texts" in tree:
            return self._texts(*tree["texts"])
        if "numbers" in tree:
            numbers: list[Any] = self.arrays[tree["numbers"]].tolist()
            return numbers
        if "rows" in tree:
            return [*map(self.classes[tree["rows"]], *map(self._all, tree["of"]))]
        if "dicts" in tree:
            keys, values = (self._cut(tree["dicts"], self._all(one)) for one in tree["of"])
            return [dict(zip(*one, strict=True)) for one in zip(keys, values, strict=True)]
        if "deques" in tree:
            return [deque(one, tree["most"]) for one in self._cut(tree["deques"], self._all(tree["of"]))]
        if "lists" in tree:
            return [*self._cut(tree["lists"], self._all(tree["of"]))]
        return [*map(tuple, self._cut(tree["tuples"], self._all(tree["of"])))]

    def _texts(self, lengths: int, whole: int) -> list[str]:
        text, ends = self.arrays[whole].tobytes().decode("utf-8", "surrogatepass"), self.arrays[lengths].cumsum().tolist()
        return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    def _cut(self, lengths: int, values: Iterable[Any]) -> Iterable[list[Any]]:
        """Yield values in pieces of these lengths."""
        left = iter(values)
        return (list(islice(left, length)) for length in self.arrays[lengths].tolist())
