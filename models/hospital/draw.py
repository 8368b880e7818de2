"""Seeded draws: one independent substream for each purpose, person and day."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import exp, log
from zlib import crc32

from numpy.random import PCG64, Generator, SeedSequence

CHUNK = 128  # uniforms drawn at a time: one call to numpy costs more than one number


class Weighted[T]:
    """Items with weights above zero, drawn in proportion to them."""
