"""Names as small integers: the compiled pass works on arrays indexed by them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

NOBODY = 0  # the code of the empty name


class _Numbering(dict[str, int]):
    """A dictionary that numbers a name it does not know; `names` says them back."""

    def __init__(self, names: list[str], aliases: dict[str, int]) -> None:
        super().__init__({name: code for code, name in enumerate(names)} | aliases)
        self.names = names

    def __missing__(self, name: str) -> int:
        code = len(self.names)
        self.names.append(name)
        self[name] = code
        return code


@dataclass(slots=True)
class Codes:
    """Numbers names in the order they are met, from 1; several names may share a number (`aliases`)."""

    names: list[str] = field(default_factory=lambda: [""])
    aliases: dict[str, int] = field(default_factory=dict)
    numbers: _Numbering = field(init=False, repr=False)  # by name; a name that is not there gets the next one

    def __post_init__(self) -> None:
        self.numbers = _Numbering(self.names, self.aliases)

    def __len__(self) -> int:
        return len(self.names)

    def copy(self) -> Codes:
        """Return others of the same numbers."""
        return Codes(self.names.copy(), self.aliases.copy())

    def code(self, name: str) -> int:
        """Return the number of `name`, a new one if it has none."""
        return self.numbers[name]

    def own(self, name: str) -> int:
        """Return a number whose first name is `name`: an id wins over somebody else's alias."""
        if name in self.aliases and self.names[self.aliases[name]] != name:
            del self.aliases[name], self.numbers[name]
            if name in self.names:  # it was met before it became an alias
                self.numbers[name] = self.names.index(name)
        return self.numbers[name]

    def find(self, name: str) -> int:
        """Return the number of `name`, `NOBODY` if it has none."""
        return self.numbers.get(name, NOBODY)

    def encode(self, names: Iterable[str]) -> NDArray[np.int64]:
        """Return the numbers of `names`, in one pass without a Python frame a name."""
        return np.fromiter(map(self.numbers.__getitem__, names), dtype=np.int64)

    def name(self, code: int) -> str:
        """Return the name first given to `code`."""
        return self.names[code]

    def alias(self, name: str, code: int) -> None:
        """Let `name` mean `code` from now on, whatever it meant."""
        self.aliases[name] = self.numbers[name] = code
