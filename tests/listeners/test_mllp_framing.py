"""MLLP blocks come out of a stream the same however it is cut, and what is no block is passed over and counted."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.listeners.mllp_framing import Blocks, framed

STREAM = (
    framed(b"MSH|1\r") + b"\x0bMSH|broken off" + framed(b"MSH|2\r") + b"GET / HTTP/1.1\r\n\r\n" + b"\x0bMSH|3\x1c" + framed(b"")
)


@settings(max_examples=40)
@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_pieces(cuts: list[int]) -> None:
    """Blocks and their order do not hang on the pieces."""
    blocks, found, places = Blocks(1_000), [], [0, *sorted(cuts), len(STREAM)]
    for start, end in pairwise(places):
        found += blocks.feed(STREAM[start:end])
    assert found == [b"MSH|1\r", b"MSH|2\r", b"MSH|3", b""]
    assert blocks.strays >= 2
    assert not blocks.is_broken


def test_a_block_without_end_is_bounded() -> None:
    """More than is taken of one block breaks the stream."""
    blocks = Blocks(100)
    assert blocks.feed(b"\x0b" + b"x" * 200) == []
    assert blocks.is_broken
