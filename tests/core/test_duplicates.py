"""An event sent twice counts once, for as long as the memory goes back, wherever batches are cut."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.duplicates import Duplicates
from sentinel.core.ids import derive, event_key

NUMBERS = st.lists(st.integers(0, 60), max_size=200)


def key(number: int) -> bytes:
    """Return the key of an event."""
    return event_key("tenant", "source", str(number))


def fresh(memory: Duplicates, numbers: list[int]) -> list[bool]:
    """Return which of the numbers the memory had not seen."""
    told: list[bool] = memory.first_seen([key(number) for number in numbers]).tolist()
    return told


@given(NUMBERS)
def test_each_key_is_fresh_once(numbers: list[int]) -> None:
    """The first time, and never again within the memory, in one batch or in several."""
    first = [number not in numbers[:i] for i, number in enumerate(numbers)]
    assert fresh(Duplicates(), numbers) == first


@settings(max_examples=200)
@given(NUMBERS, st.integers(1, 20), st.integers(0, 200))
def test_where_batches_are_cut_changes_nothing(numbers: list[int], keys_max: int, at: int) -> None:
    """Even where the memory is so small that it forgets on the way."""
    whole, parts = Duplicates(keys_max), Duplicates(keys_max)
    assert fresh(whole, numbers) == fresh(parts, numbers[:at]) + fresh(parts, numbers[at:])


@given(NUMBERS, st.integers(1, 20))
def test_what_came_within_the_memory_is_told_for_sure(numbers: list[int], keys_max: int) -> None:
    """A key is never fresh when fewer than `keys_max` others came since."""
    told = fresh(Duplicates(keys_max), numbers)
    for i, number in enumerate(numbers):
        if number in numbers[:i]:
            since = numbers[i - 1 - numbers[:i][::-1].index(number) + 1 : i]
            assert not (told[i] and len(set(since)) < keys_max)


def test_the_memory_is_bounded() -> None:
    """A hundred times as many keys take no more room, and the oldest are forgotten."""
    memory = Duplicates(keys_max=1_000)
    sizes = []
    for start in range(0, 100_000, 5_000):
        assert all(fresh(memory, list(range(start, start + 5_000))))
        sizes.append(memory.current.nbytes + memory.before.nbytes)
    assert max(sizes[1:]) == sizes[1]
    assert fresh(memory, [0, 99_999]) == [True, False]


def test_nothing_is_fresh_of_nothing() -> None:
    """No keys, no answers."""
    assert fresh(Duplicates(), []) == []


PARTS = st.lists(st.text(max_size=6), min_size=1, max_size=4)


@given(PARTS, PARTS)
def test_ids_hang_on_each_part_and_on_how_they_are_divided(one: list[str], other: list[str]) -> None:
    """The same parts give the same id; other parts, or the same text cut elsewhere, another."""
    assert (derive("alert", *one) == derive("alert", *other)) is (one == other)
    assert derive("alert", *one) != derive("case", *one)
    assert len(derive("alert", *one)) == 32


WITHOUT_SEPARATOR = st.text(st.characters(exclude_characters="\x1f", codec="utf-8"), max_size=6)
NAMED = st.tuples(WITHOUT_SEPARATOR, WITHOUT_SEPARATOR, WITHOUT_SEPARATOR, WITHOUT_SEPARATOR)


@given(NAMED, NAMED)
def test_the_key_of_an_event_hangs_on_tenant_source_id_and_part(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    """All four, and nothing else: the same message from another source is another event."""
    assert (event_key(*one) == event_key(*other)) is (one == other)
    assert len(event_key(*one)) == 16


def test_ids_are_the_same_for_ever() -> None:
    """Stored ids stay valid: a change of the derivation would make every old alert a stranger."""
    assert derive("alert", "tenant", "a") == "1b2f37ce2594d776766a8e8039af299c"
    assert event_key("tenant", "source", "id").hex() == "c3b178c2c100584f2964755dc6d4132d"
