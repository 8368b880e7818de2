"""Records out of files: lines or one document of JSON or XML, plain, gzip or zstd, or standard input."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, cast

import pyarrow as pa

from sentinel.core.errors import RefusedToStartError

BLOCK_BYTES: Final = 1 << 20
DOCUMENT_BYTES_MAX: Final = 256 << 20

# The root of an XML document, behind a syslog header with its octet count or not.
_ROOT: Final = re.compile(rb"(?:\d{1,7} )?(?:<\d{1,3}>[^<]{0,4096})?(?:<\?xml[^>]*>\s*)?<([A-Za-z_][\w.:-]*)")
_ROOT_LATER: Final = re.compile(rb"<\?xml|(?:IHE|DICOM)\+[\w-]+ \S+$")  # a declaration alone, a header (MSGID) alone


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """Open a file by name, decompressing `.gz` and `.zst`; `-` is standard input.

    Raises:
        RefusedToStartError: the file cannot be opened, or ends before its compressed data do.
    """
    if path == "-":
        yield sys.stdin.buffer
        return
    codec = {".gz": "gzip", ".zst": "zstd"}.get(Path(path).suffix)
    try:
        with Path(path).open("rb", BLOCK_BYTES) as raw:
            yield cast("IO[bytes]", io.BufferedReader(pa.CompressedInputStream(raw, codec), BLOCK_BYTES)) if codec else raw
    except OSError as error:
        raise RefusedToStartError(f"{Path(path).name}: {type(error).__name__}, not there, unreadable or cut short") from None


def blocks(stream: IO[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the records of a stream in blocks: the line (from 1) of the first, and the lines as they are, empty ones included.

    A stream whose first line is not a whole JSON value, or not a whole XML document, is one document.
    """
    line = 1
    while lines := stream.readlines(BLOCK_BYTES):
        if line == 1 and _opens_a_document(lines):
            yield 1, [b"".join((*lines, stream.read(DOCUMENT_BYTES_MAX)))]
            return
        yield line, lines
        line += len(lines)


def cut(stream: IO[bytes]) -> Iterator[tuple[list[int], list[bytes]]]:
    """Yield the records of a stream in blocks, blank lines left out: the lines (from 1) they begin on, and the records."""
    for first, lines in blocks(stream):
        numbers = [number for number, line in enumerate(lines, first) if not line.isspace()]
        yield numbers, lines if len(numbers) == len(lines) else [lines[number - first] for number in numbers]


def _opens_a_document(lines: Sequence[bytes]) -> bool:
    line = next(filter(None, (line.removeprefix(b"\xef\xbb\xbf").strip() for line in lines)), b"")
    if line[:1] in (b"{", b"["):
        return line[-1:] not in (b"}", b"]")
    if root := _ROOT.match(line):
        return not line.endswith(b"</%b>" % root[1])
    return line.startswith(b"<!") or _ROOT_LATER.search(line, 0, 4_096) is not None


def size(path: str) -> int:
    """Return the bytes of a file as stored, 0 when they cannot be known."""
    return 0 if path == "-" else Path(path).stat().st_size
