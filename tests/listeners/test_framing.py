"""A stream of syslog gives the same messages however it arrives, and holds no more than it must."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.listeners.framing import Framer, Framing, Message

BYTES_MAX = 60
BODIES = st.binary(min_size=1, max_size=80).map(lambda raw: b"<13>" + raw.replace(b"\n", b" "))


def framed(messages: list[bytes], *, is_counted: list[bool]) -> bytes:
    """Return a stream of messages, each counted or ended by a line end."""
    each = zip(messages, is_counted, strict=True)
    return b"".join(b"%d %b" % (len(raw), raw) if counted else raw + b"\n" for raw, counted in each)


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    """Return a stream cut at places."""
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    return [stream[a:b] for a, b in pairwise(places)]


def messages_of(framing: Framing, some: list[bytes]) -> list[Message]:
    """Return what a framer gives of pieces."""
    framer = Framer(framing, BYTES_MAX)
    found = [message for piece in some for message in framer.feed(piece)]
    return found + framer.end()


@given(st.data(), st.lists(BODIES, max_size=8), st.lists(st.integers(0, 900)))
def test_any_cut_gives_the_messages_that_were_sent(data, bodies, cuts):
    """Counted and line by line, mixed; what is longer than is taken gives its beginning, and the next one is whole."""
    counted = data.draw(st.lists(st.booleans(), min_size=len(bodies), max_size=len(bodies)))
    stream = framed(bodies, is_counted=counted)
    expected = [Message(raw[:BYTES_MAX], is_cut=True) if len(raw) > BYTES_MAX else Message(raw.rstrip(b"\r\0")) for raw in bodies]
    assert messages_of(Framing.AUTO, pieces(stream, cuts)) == expected


@given(st.sampled_from(Framing), st.binary(max_size=300), st.lists(st.integers(0, 300)))
def test_any_cut_of_any_bytes_gives_the_same(framing, stream, cuts):
    """Whatever comes, how it was cut changes nothing."""
    assert messages_of(framing, pieces(stream, cuts)) == messages_of(framing, [stream])


@given(st.sampled_from(Framing), st.lists(st.binary(max_size=100), max_size=30))
def test_what_is_held_is_bounded(framing, some):
    """One message and a piece, whatever is announced."""
    framer = Framer(framing, BYTES_MAX)
    for piece in some:
        framer.feed(piece)
        assert framer.is_broken or len(framer._waiting) <= BYTES_MAX + 11 + len(piece)


def test_a_large_message_is_taken_whole():
    """A hundred kilobytes, of which line ends are a part."""
    raw = b"<85>1 - - - - - - " + b"<x>\n" * 25_000
    framer = Framer(Framing.AUTO, 1 << 20)
    stream = b"%d %b" % (len(raw), raw) + b"<13>next\n"
    found = [message.raw for at in range(0, len(stream), 1_400) for message in framer.feed(stream[at : at + 1_400])]
    assert found == [raw.rstrip(b"\n"), b"<13>next"]


def test_a_line_that_begins_with_a_number_is_a_line():
    """A count is followed by a priority."""
    assert messages_of(Framing.AUTO, [b"2026 is a year\r\n<13>a\n"]) == [Message(b"2026 is a year"), Message(b"<13>a")]


def test_where_counts_are_asked_for_anything_else_breaks_the_stream():
    """What came before is given."""
    framer = Framer(Framing.OCTETS, BYTES_MAX)
    assert framer.feed(b"5 <13>a<13>b\n5 <13>c") == [Message(b"<13>a")]
    assert framer.is_broken


@pytest.mark.parametrize(
    ("stream", "rest"), [(b"<13>a\n<13>b", [b"<13>b"]), (b"9 <13>b", []), (b"\n\r\n\0", []), (b"12", [b"12"])]
)
def test_the_end_of_a_stream_ends_a_line_but_completes_no_count(stream, rest):
    """A sender that ends without a line end has said what it said."""
    framer = Framer(Framing.AUTO, BYTES_MAX)
    framer.feed(stream)
    assert [message.raw for message in framer.end()] == rest
