"""Misuse to be found: one function for each kind, giving the deeds of one incident."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from models.hospital.audit import Deed
from models.hospital.draw import Draw
from models.hospital.work import Work

from . import accounts, curious, taking
from .scene import Scene, Ties

KINDS: dict[str, Callable[[Scene], Iterator[Deed]]] = {**curious.KINDS, **taking.KINDS, **accounts.KINDS}


@dataclass(frozen=True, slots=True)
class Incident:
    """One case of misuse: its kind, its unique id, what was done."""

    kind: str
    case: str
    deeds: list[Deed]


def incidents(work: Work) -> Iterator[Incident]:
    """Yield the incidents of a hospital; each has draws of its own, so that kinds don't move one another."""
    settings, ties = work.settings, Ties.of(work.care)
    for kind, act in KINDS.items():
        for number in range(1, settings.misuse_per_kind + 1):
            case = f"{kind}-{number:03d}"
            scene = Scene(work, ties, Draw(settings.seed, "misuse", kind, number))
            yield Incident(kind, case, sorted(act(scene), key=lambda deed: deed.at_ms))
