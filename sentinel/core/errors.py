"""Every error Sentinel raises on purpose, in two families: refuse to start, and reject one record.

SentinelError
├── RefusedToStartError        a plug-in, setting, context or store that cannot be worked with
├── SupersededError            another has taken over: what is held is the other's to keep
└── RejectedError              one record that cannot be read; the others go on

No message ever quotes a record: a code out of a bounded set and a JSON pointer (RFC 6901) tell where.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SentinelError(Exception):
    """Root of all errors raised on purpose."""


class RefusedToStartError(SentinelError):
    """What was asked for cannot be run as configured; the message is for the operator."""


class SupersededError(SentinelError):
    """Another has taken over what this one was at: whatever it holds is the other's to keep."""


class RejectionCode(StrEnum):
    """Why one record was not taken. A bounded set: it labels metrics and dead letters."""

    UNPARSEABLE = "unparseable"  # not JSON, XML, … at all
    NOT_UTF8 = "not-utf8"
    WRONG_TYPE = "wrong-type"  # well formed, but a field has another type than the standard says
    UNKNOWN_FIELD = "unknown-field"
    MISSING_FIELD = "missing-field"
    BAD_VALUE = "bad-value"  # out of range, or not in the value set
    BAD_TIME = "bad-time"  # no time, no offset, or out of 1990..2100
    NO_ACTOR = "no-actor"
    NOT_AN_EVENT = "not-an-event"  # a resource of another kind
    TOO_LARGE = "too-large"
    TOO_DEEP = "too-deep"


class RejectedError(SentinelError):
    """One record that cannot be read."""

    def __init__(self, code: RejectionCode, pointer: str = "", detail: str = "") -> None:
        super().__init__(f"{code} at {pointer or '/'}: {detail}" if detail else f"{code} at {pointer or '/'}")
        self.code, self.pointer, self.detail = code, pointer, detail


@dataclass(frozen=True, slots=True)
class Rejection:
    """What is kept of a refusal: where it was, why, and never what it said.

    `index` counts records from 0 in what was handed to the source; `pointer` is a JSON pointer
    into the record (empty: the whole of it); `detail` is a constant sentence of ours.
    """

    index: int
    code: RejectionCode
    pointer: str = ""
    detail: str = ""
