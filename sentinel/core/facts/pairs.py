"""The table of pairs, of a person and a patient who met: a hash table in arrays (open addressing), as the pass reads it."""

from __future__ import annotations

from typing import Any

from numba import njit

from sentinel.core.facts.state import PairTable


@njit(cache=True, inline="always")
def slot_of(keys: Any, key: int) -> int:
    """Return where a pair is, or the free slot where it would be."""
    mask = len(keys) - 1
    mixed = (key ^ (key >> 31)) * 0x1E3779B97F4A7C15  # actor and patient sit in different halves
    i = (mixed ^ (mixed >> 29)) & mask
    while keys[i] != 0 and keys[i] != key:
        i = (i + 1) & mask
    return i


@njit(cache=True)
def pair_of(pairs: PairTable, key: int) -> int:
    """Return the slot of a pair of person and patient, -1 when they never met."""
    slot = slot_of(pairs.key, key)
    return slot if pairs.key[slot] == key else -1


@njit(cache=True)
def rehash(old: PairTable, new: PairTable, oldest: int) -> int:
    """Move the pairs last open at or after `oldest` (µs) into an empty, larger table; return how many."""
    moved = 0
    for i in range(len(old.key)):
        if old.key[i] != 0 and old.last_open[i] >= oldest:
            j = slot_of(new.key, old.key[i])
            new.key[j] = old.key[i]
            new.last_open[j] = old.last_open[i]
            new.counted_at[j] = old.counted_at[i]
            new.unexplained_at[j] = old.unexplained_at[i]
            new.unexplained_days[j] = old.unexplained_days[i]
            new.last_act[j] = old.last_act[i]
            new.explained_act[j] = old.explained_act[i]
            moved += 1
    return moved
