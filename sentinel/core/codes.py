"""Names as small integers: the compiled pass works on arrays indexed by them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

NOBODY = 0  # the code of the empty name


class _Numbering(dict[str, int]):
    """A dictionary that numbers a name it does not know; `names` says them back."""

    def __init__(self) -> None:
        super().__init__({"": NOBODY})
        self.names = [""]

    def __missing__(self, name: str) -> int:
        code = len(self.names)
        self.names.append(name)
        self[name] = code
        return code


class Codes:
    """Numbers names in the order they are met, from 1; several names may share a number (aliases)."""

    def __init__(self) -> None:
        self._numbering = _Numbering()

    def __len__(self) -> int:
        return len(self._numbering.names)

    def __contains__(self, name: str) -> bool:
        return name in self._numbering

    def code(self, name: str) -> int:
        """Return the number of `name`, a new one if it has none."""
        return self._numbering[name]

    def find(self, name: str) -> int:
        """Return the number of `name`, `NOBODY` if it has none."""
        return self._numbering.get(name, NOBODY)

    def encode(self, names: Iterable[str]) -> NDArray[np.int64]:
        """Return the numbers of `names`, in one pass without a Python frame a name."""
        return np.fromiter(map(self._numbering.__getitem__, names), dtype=np.int64)

    def name(self, code: int) -> str:
        """Return the name first given to `code`."""
        return self._numbering.names[code]

    def assign(self, name: str, code: int) -> None:
        """Let `name` mean `code` from now on, whatever it meant."""
        self._numbering[name] = code

    def alias(self, name: str, code: int) -> None:
        """Let `name` mean `code` from now on, unless it means something already."""
        if name:
            self._numbering.setdefault(name, code)

    def to_state(self) -> dict[str, object]:
        """Return what `restore` needs, in JSON's types."""
        own = self._numbering.names
        return {"names": own, "aliases": [[n, c] for n, c in self._numbering.items() if own[c] != n]}

    def restore(self, names: Sequence[str], aliases: Sequence[tuple[str, int]]) -> None:
        """Become the numbering that `to_state` described."""
        numbering = _Numbering()
        numbering.names = list(names)
        numbering.update({name: code for code, name in enumerate(names)})
        numbering.update(dict(aliases))
        self._numbering = numbering
