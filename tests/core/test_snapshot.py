"""State as bytes: what goes in comes out, and what is no snapshot of this code is refused."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sentinel.core import snapshot
from sentinel.core.pipeline import Pipeline
from sentinel.core.snapshot import SnapshotError, Snapshots
from tests.builders import a_batch, a_detector, a_hospital, a_pipeline


class Colour(StrEnum):
    """An enumeration."""

    RED = "red"
    BLUE = "blue"


class Place(NamedTuple):
    """A named tuple."""

    x: int
    y: float


@dataclass
class Ward:
    """A dataclass."""

    name: str
    beds: Any


FORMAT = Snapshots((Colour, Place, Ward))
HASHABLE = st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(Colour)
SORTABLE = st.frozensets(st.integers()) | st.frozensets(st.text())
ARRAYS = arrays.arrays(
    st.sampled_from(["i1", "i4", "i8", "f4", "f8", "?"]), arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5)
)
LEAVES = HASHABLE | st.floats(allow_nan=False) | SORTABLE | SORTABLE.map(set) | ARRAYS
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(HASHABLE, inner, max_size=4),
        st.builds(lambda items: deque(items, maxlen=9), st.lists(inner, max_size=4)),
        st.builds(Place, st.integers(), st.floats(allow_nan=False)),
        st.builds(Ward, st.text(), inner),
    ),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal in type, shape and content."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, (list, tuple, deque)):
        return (
            len(one) == len(other)
            and getattr(one, "maxlen", None) == getattr(other, "maxlen", None)
            and all(map(same, one, other))
        )
    if isinstance(one, dict):
        return same([*one.items()], [*other.items()])
    if isinstance(one, Ward):
        return same((one.name, one.beds), (other.name, other.beds))
    return bool(one == other)


@pytest.mark.parametrize("column_min", [1, 2, 100])
@settings(max_examples=100)
@given(value=VALUES)
@example(value=[(1, -2), (2**63 - 1, 2**63)])
@example(value=["\ud800", "\udc00", "\0é"])
@example(value=[deque([1], 2), deque([2], 3)])
def test_what_is_packed_comes_out_as_it_was(value: Any, column_min: int) -> None:
    """Types, order of keys, lengths kept by a deque, shapes and bits of arrays; and it packs to the same bytes again.

    So it is for values one by one, and for those that are many enough to be kept as columns.
    """
    with patch.object(snapshot, "_COLUMN_MIN", column_min):
        data = FORMAT.pack(value)
        assert FORMAT.pack(FORMAT.unpack(data)) == data
    assert same(FORMAT.unpack(data), value)


def test_numbers_that_are_none_survive() -> None:
    """NaN and the infinities, as numbers and in arrays."""
    nan, *infinities, array = FORMAT.unpack(FORMAT.pack([np.nan, np.inf, -np.inf, np.array([np.nan, np.inf])]))
    assert np.isnan(nan)
    assert infinities == [np.inf, -np.inf]
    np.testing.assert_array_equal(array, [np.nan, np.inf])


def test_restored_arrays_can_be_written_to() -> None:
    """State goes on being moved."""
    array = FORMAT.unpack(FORMAT.pack(np.zeros(3)))
    array[0] = 1.0
    assert array.sum() == 1.0


@pytest.mark.parametrize("value", [object(), np.float32(1), Place, b"bytes", 1j], ids=lambda value: type(value).__name__)
def test_what_has_no_place_is_refused_when_it_is_packed(value: object) -> None:
    """A programming error is told at once, not when the state is needed."""
    with pytest.raises(TypeError, match="has no place in a snapshot"):
        FORMAT.pack([value])


@pytest.fixture(scope="module")
def state() -> bytes:
    """The snapshot of a pipeline that has seen a small hospital."""
    hospital, pipeline = a_hospital(1, days=3), a_pipeline()
    pipeline.know(hospital.context)
    pipeline.process(a_batch(hospital.events))
    return pipeline.snapshot()


def restore(data: bytes) -> Pipeline:
    """Return a pipeline that was told to go on from `data`."""
    pipeline = a_pipeline()
    pipeline.restore(data)
    return pipeline


def test_a_whole_state_is_taken(state: bytes) -> None:
    """What the damage below is done to."""
    assert restore(state).snapshot() == state


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "a-word": lambda _: b"SENTINEL",
    "zeros": lambda _: bytes(4_096),
    "no-head": lambda data: data[:24],
    "half": lambda data: data[: len(data) // 2],
    "one-less": lambda data: data[:-1],
    "one-more": lambda data: data + b"\0",
    "twice": lambda data: data + data,
    "other-magic": lambda data: data.replace(b"STATE-", b"STATE/", 1),
    "first-bytes-gone": lambda data: data[3:],
    "head-too-long": lambda data: data[:16] + (2**63).to_bytes(8, "little") + data[24:],
    "head-not-utf8": lambda data: data[:24] + bytes([data[24] ^ 0xFF]) + data[25:],
    "a-pickle": lambda _: pickle.dumps({"detectors": []}),
    "json": lambda _: b'{"shape": "", "arrays": [], "value": null}',
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_is_no_snapshot_is_refused(damage: Callable[[bytes], bytes], state: bytes) -> None:
    """With `SnapshotError`, and with nothing of its content in the message."""
    with pytest.raises(SnapshotError) as refused:
        restore(damage(state))
    assert "patient" not in str(refused.value)
    assert refused.value.__cause__ is None


HEAD = FORMAT.pack([Ward("a", np.arange(3)), Place(1, 2.0), {"b": Colour.RED}, deque([1], 3), {4}])


@settings(max_examples=300)
@given(st.integers(0, len(HEAD) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused(at: int, by: int) -> None:
    """Anywhere: in the head, in the shape of an array, in its content. Never another exception, never a silent misreading."""
    damaged = bytearray(HEAD)
    damaged[at] ^= by
    with pytest.raises(SnapshotError):
        FORMAT.unpack(bytes(damaged))


@settings(max_examples=100)
@given(st.integers(0, len(HEAD) - 1), st.integers(0, 40))
def test_a_missing_piece_is_refused(at: int, length: int) -> None:
    """Torn writes leave holes."""
    if length:
        with pytest.raises(SnapshotError):
            FORMAT.unpack(HEAD[:at] + HEAD[at + length :])


def test_another_version_of_a_class_is_told() -> None:
    """A field more, a field less, or fields in another order make another shape: refused, never misread."""
    for other in (
        dataclass(type("Ward", (), {"__annotations__": {"name": str, "beds": int, "floor": int}})),
        dataclass(type("Ward", (), {"__annotations__": {"beds": int, "name": str}})),
    ):
        with pytest.raises(SnapshotError, match="another version"):
            FORMAT.unpack(Snapshots((Colour, Place, other)).pack(other(*range(len(other.__annotations__)))))


def test_another_layout_of_arrays_is_told() -> None:
    """The same bytes under other columns would be another state."""
    one, other = Snapshots((Ward,), columns=("patients", "exports")), Snapshots((Ward,), columns=("exports", "patients"))
    with pytest.raises(SnapshotError, match="another version"):
        other.unpack(one.pack(np.zeros((3, 2))))


def test_a_pipeline_with_other_detectors_does_not_go_on(state: bytes) -> None:
    """What was found hangs on them: the state is refused, and the pipeline stays as it was."""
    pipeline = a_pipeline(extra=[a_detector(lambda facts: facts["vip"] > 0)])
    fresh = pipeline.snapshot()
    with pytest.raises(SnapshotError):
        pipeline.restore(state)
    assert pipeline.snapshot() == fresh


def test_the_state_of_another_tenant_is_refused(state: bytes) -> None:
    """Nothing crosses tenants, not even by a mistaken file."""
    with pytest.raises(SnapshotError):
        a_pipeline(tenant="another").restore(state)


def test_a_new_budget_holds_after_a_restart() -> None:
    """The settings decide how many lines a day are told, not the state."""
    pipeline = a_pipeline(per_day=3)
    pipeline.restore(a_pipeline(per_day=50).snapshot())
    assert pipeline.budget.per_day == 3


def test_no_code_is_read_from_a_snapshot() -> None:
    """The format's module imports no pickle, and a snapshot names classes out of a closed list alone."""
    assert not {"pickle", "marshal", "shelve", "eval"} & vars(snapshot).keys()
    data = FORMAT.pack(Ward("a", 1))
    assert b'{"is":"Ward","of":["a",1]}' in data
    with pytest.raises(SnapshotError):
        Snapshots((Colour, Place)).unpack(data)
