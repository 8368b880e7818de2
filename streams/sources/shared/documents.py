"""JSON documents in records: alone, several, in an array or in an envelope; each is taken or refused alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec
from msgspec import Raw

from sentinel.core.errors import RejectedError, Rejection
from sentinel.core.errors import RejectionCode as Code
from sentinel.core.event import EventRow
from streams.sources.contract import Decoded, Mark, Source

BOM: Final = b"\xef\xbb\xbf"
ENVELOPES_MAX: Final = 4  # one in another: a bus's message, its batch, the batch's records
REFUSED_MAX: Final = 100
BROKEN: Final = (msgspec.MsgspecError, ValueError, RecursionError)
REFUSED: Final = (RejectedError, *BROKEN)

_decode_documents: Final = msgspec.json.Decoder(Raw).decode_lines
_decode_array: Final = msgspec.json.Decoder(list[Raw]).decode
_PATH: Final = re.compile(r" - at `\$([^`]*)`$")
_STEP: Final = re.compile(r"\.([\w@]+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What only carries documents: where each stands in it (a JSON pointer), and its bytes."""

    parts: Sequence[tuple[str, bytes]]


Reader = Callable[[bytes], list[EventRow] | Envelope]
"""Reads one document; no rows when it is passed over. Raises `RejectedError`, or what the decoder raised (`BROKEN`)."""
Several = Callable[[bytes], Envelope | None]
"""Tells the documents of a record that holds several; None of one."""
Parts = Callable[[bytes], Envelope | None]
"""Tells what an envelope carries; None of any other document."""
Split = Callable[[bytes], list[bytes]]


def carried(pointer: str, documents: Sequence[bytes | Raw]) -> Envelope:
    """Return the envelope that carries `documents` as the array at `pointer`."""
    return Envelope([(f"{pointer}/{number}", bytes(one)) for number, one in enumerate(documents)])


def several_json(document: bytes) -> Envelope | None:
    """Return the documents of a record that is an array, or that nobody cut; None when it is one document."""
    try:
        documents = documents_in(document)
    except BROKEN:
        return None
    return carried("", documents) if len(documents) > 1 or document.lstrip()[:1] == b"[" else None


def documents_in(text: bytes) -> list[bytes]:
    """Return the JSON documents of a text, an array or one after the other. Raises one of `BROKEN`."""
    found = _decode_array(text) if text.lstrip()[:1] == b"[" else _decode_documents(text)
    return [bytes(document) for document in found]


def decode_all(
    records: Sequence[bytes], read: Reader, several: Several = several_json, envelopes_max: int = ENVELOPES_MAX
) -> Decoded:
    """Return the rows of all documents of all records in their order, and what was refused.

    A record that `read` refuses may be `several` documents. Envelopes are opened up to `envelopes_max` in one another.
    Of one record at most `REFUSED_MAX` documents are told as refused; after as many and nothing else, it is read no further.
    """
    decoded = Decoded()
    for index, record in enumerate(records):
        document = record.removeprefix(BOM)
        try:
            found = read(document)
        except REFUSED as error:
            documents = several(document)
            told = _Record(decoded, index, read)
            if documents is None:
                told.refuse(error, document, "")
            else:
                told.take_parts(documents, "", envelopes_max)
        else:
            if isinstance(found, Envelope):
                _Record(decoded, index, read).take_parts(found, "", envelopes_max - 1)
            else:
                decoded.rows += found
                decoded.records += [index] * len(found)
                decoded.skipped += not found
    return decoded


@dataclass(slots=True)
class _Record:
    """A record of several documents while it is read: where its rows go, and how many of its documents were refused."""

    decoded: Decoded
    index: int
    read: Reader
    refused: int = 0
    taken: int = 0

    def take_parts(self, envelope: Envelope, pointer: str, depth: int) -> None:
        """Add the rows of all that an envelope carries, up to `depth` more envelopes in one another, or why there are none."""
        for where, document in envelope.parts:
            if self.refused > REFUSED_MAX and not self.taken:
                return
            self._take(document, pointer + where, depth)

    def _take(self, document: bytes, pointer: str, depth: int) -> None:
        try:
            found = self.read(document)
        except REFUSED as error:
            self.refuse(error, document, pointer)
            return
        if not isinstance(found, Envelope):
            self.taken += 1
            self.decoded.rows += found
            self.decoded.records += [self.index] * len(found)
            self.decoded.skipped += not found
        elif depth == 0:
            self.refuse(RejectedError(Code.TOO_DEEP, detail="envelopes in one another"), document, pointer)
        else:
            self.take_parts(found, pointer, depth - 1)

    def refuse(self, error: Exception, document: bytes, pointer: str) -> None:
        """Tell why a document was refused; of many, that there are more."""
        self.refused += 1
        told = refusal(error, document, pointer)
        if self.refused == REFUSED_MAX + 1:
            told = RejectedError(Code.TOO_LARGE, detail=f"more than {REFUSED_MAX} documents are refused")
        if self.refused <= REFUSED_MAX + 1:
            self.decoded.rejections.append(Rejection(self.index, told.code, told.pointer, told.detail))


def refusal(error: Exception, document: bytes, pointer: str = "") -> RejectedError:
    """Return why `document`, found at `pointer`, could not be decoded. `error` is one of `REFUSED`."""
    if isinstance(error, RejectedError):
        return RejectedError(error.code, pointer + error.pointer, error.detail)
    if isinstance(error, RecursionError):
        return RejectedError(Code.TOO_DEEP, pointer)
    if isinstance(error, msgspec.ValidationError):
        path = _PATH.search(str(error))
        steps = (name or number for name, number in _STEP.findall(path[1])) if path else ()
        return RejectedError(Code.WRONG_TYPE, pointer + "".join(f"/{step}" for step in steps), "not of the format's type")
    try:
        document.decode()
    except UnicodeDecodeError:
        return RejectedError(Code.NOT_UTF8, pointer)
    return RejectedError(Code.UNPARSEABLE, pointer)


def split_documents(data: bytes, parts: Parts) -> list[bytes]:
    """Return the documents of a file: NDJSON, an array, one over many lines, several, or what envelopes carry.

    What cannot be read is cut by lines.
    """
    text = data.removeprefix(BOM).strip()
    try:
        documents = documents_in(text)
    except BROKEN:
        documents = [line for line in text.splitlines() if line.strip()]
    return [one for document in documents for one in _opened(document, parts, ENVELOPES_MAX)]


def _opened(document: bytes, parts: Parts, depth: int) -> list[bytes]:
    try:
        envelope = parts(document) if depth else None
    except BROKEN:
        envelope = None
    if envelope is None:
        return [document]
    return [inner for _, one in envelope.parts for inner in _opened(one, parts, depth - 1)]


def json_source(
    name: str, title: str, read: Reader, parts: Parts | None = None, *, split: Split | None = None, also: tuple[str, ...] = ()
) -> Source:
    """Return the source of a log in JSON (`also` in other media types), of which `read` reads a document.

    A file is cut by `split`; without one by `split_documents`, which opens the envelopes that `parts` knows.
    """
    return Source(
        name=name,
        title=title,
        decode=partial(decode_all, read=read),
        marking=lambda mark: partial(decode_all, read=partial(_marked, read, mark)),
        media_types=("application/json", "application/x-ndjson", *also),
        split=split or partial(split_documents, parts=parts or _nothing_carried),
    )


def _marked(read: Reader, mark: Mark, document: bytes) -> list[EventRow] | Envelope:
    """Return what `read` does, its rows marked by the document."""
    found = read(document)
    marks = mark(document) if found and not isinstance(found, Envelope) else ""
    return [row._replace(marks=marks) for row in found] if marks and not isinstance(found, Envelope) else found


def _nothing_carried(_: bytes) -> None:
    return None
