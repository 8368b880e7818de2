"""XML from strangers, read by expat: no document type, no entity of the sender's, nothing fetched, nothing kept.

lxml is as fast, but keeps every name it ever met as long as its thread lives: a sender could fill the memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn
from xml.parsers import expat

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code

Start = Callable[[str, dict[str, str]], Any]
Text = Callable[[str], Any]

_DOCTYPE: Final = b"<!DOCTYPE"


def parse(document: bytes, start: Start, end: Text | None = None, text: Text | None = None, separator: str | None = None) -> None:
    """Parse a document in the encoding it declares, UTF-8 when it doesn't, and tell its elements in their order.

    `start` is told the name and the attributes of an element, `end` its name, `text` characters.
    With a `separator` names are told with their namespace before it, without as they are written.

    Raises:
        RejectedError: not well formed, not in its encoding, or with a document type, of which nothing is read.
    """
    # Before parsing, since expat would go on to the document's end; by the handler in encodings unlike ASCII.
    if _DOCTYPE in document:
        _refuse_document_type()
    parser = expat.ParserCreate(None, separator)
    parser.StartDoctypeDeclHandler = _refuse_document_type
    parser.StartElementHandler = start
    if end is not None:
        parser.EndElementHandler = end
    if text is not None:
        parser.buffer_text = True
        parser.CharacterDataHandler = text
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        raise _refused(error, document) from None
    except (LookupError, ValueError):
        raise RejectedError(Code.NOT_UTF8, detail="an encoding that is not known") from None


def _refuse_document_type(*_: object) -> NoReturn:
    raise RejectedError(Code.UNPARSEABLE, detail="a document type, of which nothing is read")


def _refused(error: expat.ExpatError, document: bytes) -> RejectedError:
    if error.code in _ENCODINGS:
        return RejectedError(Code.NOT_UTF8, detail="an encoding that is not known, or not the declared one")
    try:
        document.decode()
    except UnicodeDecodeError:
        return RejectedError(Code.NOT_UTF8)
    return RejectedError(Code.UNPARSEABLE)


_ENCODINGS: Final = (
    expat.errors.codes[expat.errors.XML_ERROR_UNKNOWN_ENCODING],
    expat.errors.codes[expat.errors.XML_ERROR_INCORRECT_ENCODING],
)
