"""Checkpoints: whole or not at all, and never believed when damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.checkpoint import CURRENT, NEW, PREVIOUS, Checkpoint, Checkpoints

KEY = b"key"


def positions(checkpoints: Checkpoints) -> list[int]:
    return [kept.checkpoint.position for kept in checkpoints.kept()]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**62), st.dictionaries(st.text(max_size=10), st.binary(max_size=100), max_size=3))
def test_what_is_kept_is_what_was_saved(tmp_path_factory, position, snapshots):
    """Any position and any bytes come back."""
    checkpoints = Checkpoints(tmp_path_factory.mktemp("state"), KEY)
    checkpoints.save(Checkpoint(position, snapshots))
    assert [kept.checkpoint for kept in checkpoints.kept()] == [Checkpoint(position, snapshots)]


def test_the_one_before_is_kept_too(tmp_path):
    """The newest comes first; an older one than the one before is gone."""
    checkpoints = Checkpoints(tmp_path, KEY)
    for position in (1, 2, 3):
        checkpoints.save(Checkpoint(position, {}))
    assert positions(checkpoints) == [3, 2]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_anywhere_is_noticed(tmp_path_factory, data):
    """One byte changed or the end cut off: the checkpoint before is used, and the damaged file is deleted."""
    folder = tmp_path_factory.mktemp("state")
    checkpoints = Checkpoints(folder, KEY)
    checkpoints.save(Checkpoint(1, {"t": b"one"}))
    checkpoints.save(Checkpoint(2, {"t": b"two"}))
    whole = bytearray((folder / CURRENT).read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        whole[at] ^= data.draw(st.integers(1, 255))
    else:
        del whole[at:]
    (folder / CURRENT).write_bytes(whole)
    assert positions(checkpoints) == [1]
    assert not (folder / CURRENT).exists()


@pytest.mark.parametrize("left", [[], [PREVIOUS]])
def test_a_crash_between_the_renames_leaves_a_checkpoint(tmp_path, left):
    """A half-written new file is never read, and a missing newest one gives way to the one before."""
    checkpoints = Checkpoints(tmp_path, KEY)
    if left:
        checkpoints.save(Checkpoint(1, {}))
        (tmp_path / CURRENT).rename(tmp_path / PREVIOUS)
    (tmp_path / NEW).write_bytes(b"half")
    assert positions(checkpoints) == [1] * len(left)
    checkpoints.save(Checkpoint(2, {}))
    assert positions(checkpoints) == [2, 1][: 1 + len(left)]


def test_another_key_is_a_forgery(tmp_path):
    """A checkpoint made by somebody without the key is not restored."""
    Checkpoints(tmp_path, b"theirs").save(Checkpoint(1, {}))
    assert positions(Checkpoints(tmp_path, KEY)) == []


def test_only_the_owner_may_read_it(tmp_path: Path):
    """State holds personal data."""
    Checkpoints(tmp_path, KEY).save(Checkpoint(1, {}))
    assert (tmp_path / CURRENT).stat().st_mode & 0o077 == 0
