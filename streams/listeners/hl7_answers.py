"""Answers to HL7 v2 messages (2.9): MSH, MSA and, of what was refused, ERR with a code and a place, never with content."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Final

from sentinel.core.errors import RejectedError, RejectionCode
from sentinel.core.event import EPOCH
from sentinel.core.ids import derive

# HL7 table 0357
_CODES: Final = {
    RejectionCode.UNPARSEABLE: (100, "Segment sequence error"),
    RejectionCode.MISSING_FIELD: (101, "Required field missing"),
    RejectionCode.BAD_TIME: (102, "Data type error"),
    RejectionCode.WRONG_TYPE: (102, "Data type error"),
    RejectionCode.NOT_UTF8: (102, "Data type error"),
    RejectionCode.BAD_VALUE: (103, "Table value not found"),
    RejectionCode.TOO_LARGE: (207, "Application internal error"),
}
_REFUSED: Final = {  # what another receiver may understand: the message is rejected, not found in error
    "/MSH/9": (200, "Unsupported message type"),
    "/MSH/9/2": (201, "Unsupported event code"),
    "/MSH/11": (202, "Unsupported processing id"),
    "/MSH/12": (203, "Unsupported version id"),
}
_INTERNAL: Final = (207, "Application internal error")
_WANTED: Final = {"AL": (True, False), "SU": (True,), "ER": (False,)}  # table 0155: which outcomes are to be told
_NO_HEADER: Final = b"MSH|^~\\&"


class Header:
    """What an answer needs of a message's MSH, whether or not the rest can be read. Fields are as they came."""

    def __init__(self, raw: bytes) -> None:
        first = raw.lstrip().partition(b"\r")[0].partition(b"\n")[0]
        self._text = (first if first[:3] == b"MSH" and len(first) > 8 else _NO_HEADER).decode("latin-1")
        self._fields = self._text.split(self._text[3])
        told = self._fields[1] if len(self._fields) > 1 else ""
        self.separator, self.encoding = self._text[3], told if len(told) >= 2 else "^~\\&"

    def field(self, number: int) -> str:
        """Return MSH-`number`, from 3 on; empty when it is not there."""
        return self._fields[number - 1] if number <= len(self._fields) else ""

    def parts(self, number: int) -> list[str]:
        """Return the components of a field."""
        return self.field(number).split(self.encoding[0])


def answers(raw: bytes, why: RejectedError | None, now_us: int) -> list[bytes]:
    """Return the answers to a message that was made durable, or that was refused.

    In the original mode that is one. Who tells MSH-15 or MSH-16 asks for the enhanced mode: a commit answer, an application's
    answer, both or neither, by what they say.
    """
    header = Header(raw)
    letter = "A" if why is None else "R" if why.pointer in _REFUSED else "E"
    commit, application = header.field(15).strip(), header.field(16).strip()
    if not (commit or application):
        return [_answer(header, f"A{letter}", why, now_us)]
    wanted = [(kind, asked) for kind, asked in (("C", commit), ("A", application)) if (why is None) in _WANTED.get(asked, ())]
    return [_answer(header, kind + letter, why, now_us) for kind, _ in wanted]


def batch(raw: bytes, told: list[bytes]) -> bytes:
    """Return the answers to a batch, as one."""
    header = Header(raw.partition(b"MSH")[1] + raw.partition(b"MSH")[2])
    opening = f"BHS{header.separator}{header.encoding}".encode("latin-1")
    return b"\r".join([opening, *(one.rstrip(b"\r") for one in told), f"BTS{header.separator}{len(told)}".encode(), b""])


def _answer(header: Header, code: str, why: RejectedError | None, now_us: int) -> bytes:
    version = header.parts(12)[0] or "2.5"
    segments = [_msh(header, code, version, now_us), ["MSA", code, header.field(10)]]
    if why is not None:
        segments.append(_err(header, why, version))
    return "".join(header.separator.join(one) + "\r" for one in segments).encode("latin-1")


def _msh(header: Header, code: str, version: str, now_us: int) -> list[str]:
    stamp = (EPOCH + timedelta(microseconds=now_us)).astimezone(UTC).strftime("%Y%m%d%H%M%S+0000")
    event = [*header.parts(9), ""][1]
    kind = {"2.3": ["ACK"], "2.4": ["ACK", event]}.get(version[:3], ["ACK", event, "ACK"])
    id_ = derive("hl7-answer", code, header.field(10), str(now_us))[:20]
    sender, receiver = [header.field(5), header.field(6)], [header.field(3), header.field(4)]
    rest = [header.encoding[0].join(kind), id_, header.field(11), header.field(12), "", "", "", "", "", header.field(18)]
    return ["MSH", header.encoding, *sender, *receiver, stamp, "", *rest]


def _err(header: Header, why: RejectedError, version: str) -> list[str]:
    number, text = _REFUSED.get(why.pointer) or _CODES.get(why.code, _INTERNAL)
    segment, _, place = why.pointer.strip("/").partition("/")
    where = [part for part in (segment, "1" if segment else "", *place.split("/")) if part]
    if version < "2.5":
        coded = (header.encoding[3:4] or "&").join((str(number), text, "HL70357"))
        return ["ERR", header.encoding[0].join([*where, *[""] * (3 - len(where)), coded])]
    coded = header.encoding[0].join((str(number), text, "HL70357"))
    return ["ERR", "", header.encoding[0].join(where), coded, "E", "", "", "", why.detail]
