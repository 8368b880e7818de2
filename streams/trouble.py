"""Finds the record on which processing fails: remembered over restarts, tried alone, then set aside so that others go on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

FILE: Final = "trouble.json"


class _Noted(msgspec.Struct):
    last: int = 0  # up to this position records are taken one by one
    bad: list[int] = msgspec.field(default_factory=list)


class Trouble:
    """What is known of records that made the worker fail."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        try:
            self._noted = msgspec.json.decode(self._path.read_bytes(), type=_Noted)
        except (OSError, msgspec.DecodeError):
            self._noted = _Noted()

    def records_max(self, position: int, usual: int) -> int:
        """Return how many records to take after `position`."""
        return 1 if position < self._noted.last else usual

    def is_bad(self, position: int) -> bool:
        """Tell whether the record at `position` failed alone."""
        return position in self._noted.bad

    def note(self, first: int, last: int) -> None:
        """Remember that processing failed on the records from `first` to `last`."""
        self._noted.last = max(self._noted.last, last)
        if first == last:
            self._noted.bad.append(first)
        new = self._path.with_suffix(".new")
        with new.open("wb") as file:
            file.write(msgspec.json.encode(self._noted))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)

    def forget(self, position: int) -> None:
        """Forget what lies at or before `position`: a checkpoint is past it."""
        if self._noted.last and position >= self._noted.last:
            self._noted = _Noted()
            self._path.unlink(missing_ok=True)
