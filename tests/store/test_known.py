"""Which late events are duplicates, answered from memory as the store itself would."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.event import DAY_US
from sentinel.store.known import KnownKeys

KEYS = st.integers(0, 40).map(lambda number: number.to_bytes(16, "big") if number % 2 else number.to_bytes(16, "little"))
EVENTS = st.lists(st.tuples(KEYS, st.integers(0, 3)), max_size=30)


def times(events: list[tuple[bytes, int]]) -> np.ndarray:
    return np.array([day * DAY_US + 5 for _, day in events], dtype=np.int64)


@given(EVENTS, EVENTS, EVENTS)
def test_memory_and_store_agree(
    stored: list[tuple[bytes, int]], added: list[tuple[bytes, int]], asked: list[tuple[bytes, int]]
) -> None:
    """Whether a day was loaded before or after an event was stored, and forgotten meanwhile or not."""
    kept = set(stored)

    def load(since: int, until: int) -> list[bytes]:
        return [key for key, day in kept if since <= day * DAY_US < until]

    for keys_max in (0, 5, 1_000):
        kept = set(stored)
        memory = KnownKeys(load, keys_max)
        memory.known([key for key, _ in asked[:3]], times(asked[:3]))
        memory.add([key for key, _ in added], times(added))
        kept |= set(added)
        expected = {key for key, day in asked if (key, day) in kept}
        assert memory.known([key for key, _ in asked], times(asked)) == expected


def test_many_keys_are_kept_sorted() -> None:
    """Beyond what a set may hold they go to the array, and are found there."""
    keys = [number.to_bytes(16, "big") for number in range(120_000)]
    memory = KnownKeys(lambda _since, _until: keys[:10])
    memory.known(keys[:1], np.zeros(1, dtype=np.int64))
    for at in range(0, len(keys), 10_000):
        memory.add(keys[at : at + 10_000], np.zeros(10_000, dtype=np.int64))
    assert memory.known([*keys, b"?" * 16], np.zeros(len(keys) + 1, dtype=np.int64)) == set(keys)
