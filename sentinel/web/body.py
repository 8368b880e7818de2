"""A request's body within bounds: read, decompressed and cut into records."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, ParamSpec, TypeVar

import msgspec
import zstandard
from fastapi import Request

from sentinel.web.ports import Limits
from sentinel.web.problem import ProblemError, unavailable

P = ParamSpec("P")
T = TypeVar("T")

JSON_TYPES: Final = frozenset({"application/json", "application/fhir+json"})
LINES_TYPES: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/fhir+ndjson"})
CODINGS: Final = ("gzip", "zstd")
EXPANSION_USUAL: Final = 20  # JSON compresses about so many times: what a compressed body is counted for
OFF_LOOP_BYTES: Final = 64 * 1024  # larger bodies are worked on in a thread, so that others are served meanwhile
WINDOW_BYTES_MAX: Final = 8 * 2**20  # RFC 8878 3.1.1.1.2
BOM: Final = b"\xef\xbb\xbf"


class Budget:
    """Bounds the bytes of all bodies held at once."""

    def __init__(self, bytes_max: int) -> None:
        self._free = bytes_max

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Hold `size` bytes while the block runs; refuse with 503 when there are not so many."""
        if size > self._free:
            raise unavailable("too many bodies at once", 1)
        self._free -= size
        try:
            yield
        finally:
            self._free += size


async def off_loop(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `work` returns, done in a thread when the body is large."""
    return await asyncio.to_thread(work, *args, **kwargs) if size > OFF_LOOP_BYTES else work(*args, **kwargs)


def size_expected(request: Request, limits: Limits) -> int:
    """Return how many bytes the body may take, from its headers alone."""
    declared = _declared(request, limits)
    if declared is None:
        return limits.body_bytes_max
    return min(limits.body_bytes_max, declared * EXPANSION_USUAL) if coding_of(request) else declared


def media_type_of(request: Request) -> str:
    """Return the body's media type in lower case, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def coding_of(request: Request) -> str:
    """Return the content coding, empty for none; 415 for one that is not taken."""
    coding = request.headers.get("content-encoding", "").strip().lower()
    if coding in {"", "identity"}:
        return ""
    if coding not in CODINGS:
        raise ProblemError(415, "unsupported-media-type", "take gzip or zstd", headers={"Accept-Encoding": ", ".join(CODINGS)})
    return coding


async def read_body(request: Request, limits: Limits) -> bytes:
    """Return the whole body, decompressed: 413 beyond the limit, 408 when it comes too slowly, 400 when damaged."""
    _declared(request, limits)
    coding = coding_of(request)
    try:
        async with asyncio.timeout(limits.body_seconds_max):
            sent = await _gathered(request, limits.body_bytes_max)
    except TimeoutError:
        raise ProblemError(408, "timeout", headers={"Connection": "close"}) from None
    if not coding:
        return sent.removeprefix(BOM)
    return await off_loop(len(sent), decompressed, sent, coding, limits.body_bytes_max)


def _declared(request: Request, limits: Limits) -> int | None:
    length = request.headers.get("content-length", "")
    if not length.isascii() or not length.isdigit():
        return None
    if int(length) > limits.body_bytes_max:
        raise _too_large(limits.body_bytes_max)
    return int(length)


async def _gathered(request: Request, bytes_max: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > bytes_max:
            raise _too_large(bytes_max)
        chunks.append(chunk)
    return b"".join(chunks)


def decompressed(sent: bytes, coding: str, bytes_max: int) -> bytes:
    """Return what `sent` holds, never making more than `bytes_max` of it: 413 beyond, 400 when damaged or cut short."""
    try:
        plain = _gunzipped(sent, bytes_max) if coding == "gzip" else _unzstd(sent, bytes_max)
    except (zlib.error, zstandard.ZstdError, EOFError):
        raise ProblemError(400, "bad-request", f"the body is not whole {coding}") from None
    return plain.removeprefix(BOM)


def _gunzipped(sent: bytes, bytes_max: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while sent:
        member = zlib.decompressobj(wbits=31)
        parts.append(member.decompress(sent, bytes_max - size + 1))
        size += len(parts[-1])
        if size > bytes_max:
            raise _too_large(bytes_max)
        if not member.eof:
            raise EOFError
        sent = member.unused_data
    return b"".join(parts)


def _unzstd(sent: bytes, bytes_max: int) -> bytes:
    """Decompress twice: the first pass is bounded but takes a body cut short for a whole one, the second does not."""
    codec = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
    size = 0
    with codec.stream_reader(sent, read_across_frames=True) as reader:
        while chunk := reader.read(2**18):
            size += len(chunk)
            if size > bytes_max:
                raise _too_large(bytes_max)
    parts: list[bytes] = []
    while sent:
        frame = codec.decompressobj()
        parts.append(frame.decompress(sent))
        if not frame.eof:
            raise EOFError
        sent = frame.unused_data
    return b"".join(parts)


def split_array(body: bytes) -> list[bytes]:
    """Return the elements of a JSON array, or the one document, each as it was written.

    Raises:
        ValueError: the body is an array that is not well formed.
    """
    if body.lstrip()[:1] != b"[":
        return [body] if body.strip() else []
    try:
        return [bytes(element) for element in _ARRAY.decode(body)]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise ValueError("not a JSON array") from None


_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])


def split_lines(body: bytes) -> list[bytes]:
    """Return the lines that are not blank (only LF and CRLF end one)."""
    return [line for line in body.split(b"\n") if line.strip()]


def _too_large(bytes_max: int) -> ProblemError:
    why = f"a body takes at most {bytes_max} bytes, compressed or not"
    return ProblemError(413, "too-large", why, headers={"Connection": "close"})
