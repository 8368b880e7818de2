"""What travels before it is decoded: a record with its bytes, and the letter kept of one that could not be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from sentinel.core.context import ContextRecord
from sentinel.core.errors import Rejection, RejectionCode, SentinelError
from sentinel.core.ids import derive
from streams.sources.contract import Decoded, Source

ContextDecoder = Callable[[bytes], list[ContextRecord]]
"""Turns one context resource into records, or raises `RejectedError`."""


CONTEXT_SOURCE: Final = "fhir"
"""What context in the log is written in, whichever way it came."""
HL7_SOURCE: Final = "hl7v2"
"""What messages were written in that could not be read: context that stands in the light of what came before it."""


class Kind(StrEnum):
    """What a record tells: that something was done, or who works where and who is in whose care."""

    EVENT = "event"
    CONTEXT = "context"


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record as it came, with its source's name. `received_us`: µs since 1970 UTC.

    `subject` is a derived id of what a context record tells about (a resource's type and id): the
    newest of a subject is never forgotten. Empty for events.
    """

    tenant: str
    kind: Kind
    source: str
    raw: bytes = field(repr=False)
    received_us: int
    subject: str = ""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record that could not be read: its bytes, and why. Times are µs since 1970 UTC."""

    record: LogRecord
    code: RejectionCode
    pointer: str = ""
    detail: str = ""

    @property
    def id(self) -> str:
        """Name the letter by what was received: the same refusal met twice is one letter."""
        record = self.record
        return derive("dead-letter", record.tenant, record.kind, record.source, record.raw.decode("latin-1"))


class MarkKind(StrEnum):
    """What marks are of."""

    ANSWER = "answer"  # to a request, for those that repeat it
    FILE = "file"  # how far it was read
    OBJECT = "object"  # of a bucket, how far it was taken
    STAFF = "staff"  # what directories told of people at work
    SQL = "sql"  # how far a table was read
    HL7 = "hl7"  # what messages told of a patient, a visit, an appointment


@dataclass(frozen=True, slots=True)
class Mark:
    """What is kept beside the log's records, in one commit with them. `written_us`: µs since 1970 UTC.

    One written again takes the place of the former. One whose `value` is empty is forgotten.
    """

    kind: MarkKind
    name: str
    value: bytes = field(repr=False)
    written_us: int


class IntakeUnavailableError(SentinelError):
    """Nothing more can be made durable now; the sender should try again after `retry_after_seconds`."""

    def __init__(self, why: str, retry_after_seconds: int) -> None:
        super().__init__(why)
        self.retry_after_seconds = retry_after_seconds


def guarded(source: Source) -> Source:
    """Return `source` made safe against its own faults: a record that makes `decode` raise is rejected alone."""
    return replace(source, decode=lambda raws: _decode(source, raws))


def _decode(source: Source, raws: Sequence[bytes]) -> Decoded:
    try:
        return source.decode(raws)
    except Exception:  # noqa: BLE001 - a plug-in's fault must cost one record, whatever it raises
        return _one_by_one(source, raws)


def _one_by_one(source: Source, raws: Sequence[bytes]) -> Decoded:
    together = Decoded()
    for index, raw in enumerate(raws):
        try:
            alone = source.decode([raw])
        except Exception:  # noqa: BLE001
            alone = Decoded(rejections=[Rejection(0, RejectionCode.UNPARSEABLE, detail="the source failed on this record")])
        together.rows += alone.rows
        together.records += [index] * len(alone.rows)
        together.rejections += [replace(rejection, index=index) for rejection in alone.rejections]
        together.skipped += alone.skipped
    return together


def _refuse_all(raws: Sequence[bytes]) -> Decoded:
    why = "no source of this name is enabled"
    return Decoded(rejections=[Rejection(at, RejectionCode.NOT_AN_EVENT, detail=why) for at in range(len(raws))])


NO_SOURCE: Final = Source("none", "A source that is not enabled any more", _refuse_all)
