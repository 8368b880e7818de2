"""Documents: JSON and XML as trees of objects, lists and texts, of which lists may be divided into events."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
from typing import IO, Any, Final

import msgspec
from lxml import etree

from sentinel.core.errors import RejectedError, Rejection
from sentinel.core.errors import RejectionCode as Code
from streams.files import DOCUMENT_BYTES_MAX
from streams.mappings.encodings import BOM_8, Encoding
from streams.mappings.selectors import Selector, node_of
from streams.mappings.table import EVENTS_MAX, Blocks, Input, Table

LINES_TRIED: Final = 20
LINES_MAX: Final = 5_000_000  # of a document
BROKEN: Final = (msgspec.MsgspecError, ValueError, RecursionError)

_decode: Final = msgspec.json.Decoder().decode
_decode_lines: Final = msgspec.json.Decoder().decode_lines
_encode: Final = msgspec.json.Encoder(order="sorted").encode

Documents = Callable[[bytes], list[Any]]  # of a record; raises RejectedError


@dataclass(frozen=True, slots=True)
class List:
    """A list to divide: where it is (in scope `scope`), and whether records may be without it."""

    scope: int
    selector: Selector
    optional: bool


@dataclass(slots=True)
class _Event:
    """One event: the document and the items that lead to it, and the places of the first and the last."""

    scopes: tuple[Any, ...]
    record: int
    base: str
    place: str


class TreesReader:
    """Documents, perhaps divided. `scopes` tells of each input whose it is: 0 the document's, then the lists' items."""

    def __init__(self, documents: Documents, cut: Callable[[IO[bytes]], Blocks], inputs: Sequence[tuple[int, Input]]) -> None:
        self._documents, self.cut, self._inputs = documents, cut, inputs
        self.lists: Sequence[List] = ()

    def read(self, records: Sequence[bytes]) -> Table:
        """Return a column for each input."""
        table, events = Table(), []
        for index, record in enumerate(records):
            try:
                events += self._events(index, record, table)
            except RejectedError as error:
                table.refused.append(Rejection(index, error.code, error.pointer, error.detail))
        table.records = [one.record for one in events]
        table.bases, table.places = [one.base for one in events], [one.place for one in events]
        table.contents = [_encode(one.scopes[-1]).decode() for one in events]
        for scope, one in self._inputs:
            table.columns[one.text] = self._column(table, one, [event.scopes[scope] for event in events])
        return table

    def _column(self, table: Table, one: Input, values: list[Any]) -> list[str]:
        found = list(map(one.get, values))
        if None in found:
            for at in (at for at, text in enumerate(found) if text is None):
                table.complain(at, Code.WRONG_TYPE, one.where, "a list or an object where the mapping reads a text")
        return [text.strip() if text else "" for text in found]

    def _events(self, index: int, record: bytes, table: Table) -> list[_Event]:
        documents = self._documents(record.removeprefix(BOM_8))
        events: list[_Event] = []
        for number, document in enumerate(documents):
            place = f"/{number}" if len(documents) > 1 or record.lstrip()[:1] == b"[" else ""
            if not isinstance(document, dict):
                table.refused.append(Rejection(index, Code.NOT_AN_EVENT, place, "not an object"))
                continue
            events += self._divided(_Event((document,), index, place, place), table)
            if len(events) > EVENTS_MAX:
                raise RejectedError(Code.TOO_LARGE, detail=f"more than {EVENTS_MAX} events")
        return events

    def _divided(self, whole: _Event, table: Table) -> list[_Event]:
        events = [whole]
        for one in self.lists:
            divided: list[_Event] = []
            for event in events:
                try:
                    divided += _items(event, one)
                except RejectedError as error:
                    table.refused.append(Rejection(event.record, error.code, error.pointer, error.detail))
            events = divided
        return events


def _items(event: _Event, one: List) -> Iterator[_Event]:
    place = (event.place if one.scope else event.base) + one.selector.pointer
    try:
        found = node_of(event.scopes[one.scope], one.selector.steps)
    except TypeError:
        raise RejectedError(Code.WRONG_TYPE, place, "not a list") from None
    if found is None and not one.optional:
        raise RejectedError(Code.MISSING_FIELD, place, "the list is not there")
    items = found if isinstance(found, list) else [] if found in (None, "") else [found]
    if not items and one.optional:
        yield _Event((*event.scopes, {}), event.record, event.base, event.place)
    for number, item in enumerate(items):
        yield _Event((*event.scopes, item), event.record, event.base, f"{place}/{number}")


# -- JSON


def json_documents(encoding: Encoding) -> Documents:
    """Return what reads a record of JSON: one document, an array of them, or several one after the other.

    A comma after a document is passed over, as logs that are an array's inside have it.
    """

    def read(record: bytes) -> list[Any]:
        data = record if encoding.name == "utf-8" else encoding.text(record).encode("utf-8", "replace")
        data = data.rstrip().removesuffix(b",")
        try:
            document = _decode(data)
        except RecursionError:
            raise RejectedError(Code.TOO_DEEP) from None
        except BROKEN:
            return _several(data)
        return document if isinstance(document, list) else [document]

    return read


def _several(data: bytes) -> list[Any]:
    try:
        documents = _decode_lines(data)
    except RecursionError:
        raise RejectedError(Code.TOO_DEEP) from None
    except BROKEN:
        documents = []
    if len(documents) > 1:
        return documents
    try:
        data.decode()
    except UnicodeDecodeError:
        raise RejectedError(Code.NOT_UTF8) from None
    raise RejectedError(Code.UNPARSEABLE, detail="not JSON")


def json_cut(encoding: Encoding) -> Callable[[IO[bytes]], Blocks]:
    """Return what cuts a file of JSON: a document a line, or, where the first lines are none, one document."""
    read = json_documents(encoding)

    def cut(stream: IO[bytes]) -> Blocks:
        blocks = encoding.lines(stream)
        for first, lines in blocks:
            told = [(number, line) for number, line in enumerate(lines, first) if line.strip(_BLANK)]
            if first == 1 and not _is_a_document_a_line(read, [line for _, line in told[:LINES_TRIED]]):
                yield [1], [encoding.encode("\n").join(islice(chain(lines, *(more for _, more in blocks)), LINES_MAX))]
                return
            yield [number for number, _ in told], [line for _, line in told]

    return cut


_BLANK: Final = b" \t\r\n\0"
_GOES_ON: Final = (b"{", b"[", b",", b":")


def _is_a_document_a_line(read: Documents, lines: Sequence[bytes]) -> bool:
    """Tell whether the first line is a document, or one of the next is and the first does not merely begin one."""
    whole = [_is_document(read, line) for line in lines]
    return any(whole[:1]) or (any(whole) and not lines[0].rstrip(_BLANK).endswith(_GOES_ON))


def _is_document(read: Documents, line: bytes) -> bool:
    try:
        return any(isinstance(document, dict) for document in read(line))
    except RejectedError:
        return False


# -- XML

_DOCTYPE: Final = re.compile(rb"<\0?!\0?D\0?O\0?C\0?T\0?Y\0?P\0?E")


@lru_cache(maxsize=1)
def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )


def xml_documents(record: bytes) -> list[Any]:
    """Return the one document of a record as a tree: attributes as `@name`, texts beside them as `#text`, namespaces left out.

    Raises:
        RejectedError: not XML, or with a document type, which nothing of ours needs and attacks do.
    """
    if _DOCTYPE.search(record):
        raise RejectedError(Code.UNPARSEABLE, detail="a document type is not taken")
    try:
        root = etree.fromstring(record.strip(), _parser())
    except (etree.XMLSyntaxError, ValueError):
        raise RejectedError(Code.UNPARSEABLE, detail="not XML") from None
    tree = _tree(root)
    return [tree if isinstance(tree, dict) else {"#text": tree}]


def _tree(element: Any) -> Any:
    tree: dict[str, Any] = {f"@{_local(name)}": value for name, value in element.attrib.items()}
    for child in element:
        if not isinstance(child.tag, str):
            continue
        name, value = _local(child.tag), _tree(child)
        if name not in tree:
            tree[name] = value
        elif isinstance(tree[name], list):
            tree[name].append(value)
        else:
            tree[name] = [tree[name], value]
    text = (element.text or "").strip()
    if not tree:
        return text
    return tree | {"#text": text} if text else tree


def _local(name: str) -> str:
    return name.rpartition("}")[2]


_OPENS: Final = re.compile(rb"\s*<([^\s/>?!]+)")


def xml_cut(stream: IO[bytes]) -> Blocks:
    """Yield a document a line when the first line is a whole one, else the file as one document."""
    line = 1
    while lines := stream.readlines(1 << 20):
        if line == 1 and not _is_whole(next(filter(bytes.strip, lines), b"")):
            yield [1], [b"".join((*lines, stream.read(DOCUMENT_BYTES_MAX)))]
            return
        told = [(number, one) for number, one in enumerate(lines, line) if one.strip()]
        yield [number for number, _ in told], [one for _, one in told]
        line += len(lines)


def _is_whole(line: bytes) -> bool:
    match = _OPENS.match(line.removeprefix(BOM_8))
    text = line.strip()
    return match is not None and (text.endswith(b"</" + match[1] + b">") or (text.endswith(b"/>") and text.count(b"<") == 1))
