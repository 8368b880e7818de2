"""Seeded draws: an independent substream for each purpose, person and day."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import exp, log
from typing import Generic, TypeVar
from zlib import crc32

from numpy.random import PCG64, Generator, SeedSequence

T = TypeVar("T")

CHUNK = 64  # uniforms asked of numpy at a time: a call costs more than a number


class Weighted(Generic[T]):
    """Items drawn in proportion to their weights (at least one above zero)."""

    def __init__(self, pairs: Iterable[tuple[T, float]]) -> None:
        items, weights = zip(*pairs, strict=True)
        self.items: tuple[T, ...] = items
        self.sums = list(accumulate(weights))

    def at(self, u: float) -> T:
        """Return the item at `u` in [0, 1)."""
        return self.items[bisect_right(self.sums, u * self.sums[-1])]


class Draw:
    """Draws from one substream, named by a seed and keys; the same names give the same draws.

    Only uniform doubles are asked of numpy: their stream is stable across its versions.
    """

    def __init__(self, seed: int, *keys: str | int) -> None:
        words = [crc32(k.encode()) if isinstance(k, str) else k % 2**32 for k in keys]
        self._generator = Generator(PCG64(SeedSequence([seed, *words])))
        self._chunk: list[float] = []

    def u(self) -> float:
        """Return a uniform number in [0, 1)."""
        if not self._chunk:
            self._chunk = self._generator.random(CHUNK).tolist()
        return self._chunk.pop()

    def span(self, low: float, high: float) -> float:
        """Return a uniform number in [low, high)."""
        return low + (high - low) * self.u()

    def below(self, n: int) -> int:
        """Return a uniform integer in [0, n)."""
        return int(self.u() * n)

    def between(self, low: int, high: int) -> int:
        """Return a uniform integer in [low, high], both included."""
        return low + self.below(high - low + 1)

    def chance(self, probability: float) -> bool:
        """Return true with this probability."""
        return self.u() < probability

    def pick(self, items: Sequence[T]) -> T:
        """Return one of `items`, which is not empty."""
        return items[int(self.u() * len(items))]

    def sample(self, items: Sequence[T], n: int) -> list[T]:
        """Return up to `n` different places of `items`, in drawn order."""
        pool = list(items)
        n = min(n, len(pool))
        for i in range(n):
            j = i + self.below(len(pool) - i)
            pool[i], pool[j] = pool[j], pool[i]
        return pool[:n]

    def weighted(self, table: Weighted[T]) -> T:
        """Return one item of `table`."""
        return table.at(self.u())

    def wait(self, mean: float) -> float:
        """Return an exponential waiting time of this mean."""
        return -mean * log(1.0 - self.u())

    def poisson(self, mean: float) -> int:
        """Return a Poisson count; meant for means below 50 (one draw a unit)."""
        n, product, floor = 0, self.u(), exp(-mean)
        while product > floor:
            n, product = n + 1, product * self.u()
        return n

    def bell(self) -> float:
        """Return a bell-shaped number of mean 0 and deviation 1, in [-3.5, 3.5]."""
        return (self.u() + self.u() + self.u() + self.u() - 2.0) * 1.7320508
