"""Analysts' verdicts: read by a Faust agent, each kept as the last word on its alert before it is acknowledged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec

from sentinel.core.errors import RejectionCode, SentinelError
from streams.faults import report

SOURCE: Final = "feedback"
ID_BYTES_MAX: Final = 64
TEXT_MAX: Final = 4_000


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an analyst found an alert to be. The record's key is the alert's id."""

    finding: Literal["misuse", "ordinary", "unclear"]
    by: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    note: Annotated[str, msgspec.Meta(max_length=TEXT_MAX)] = ""


class BadVerdictError(Exception):
    """One that cannot be read. `code` and `detail` go to the dead letters; neither quotes it."""

    def __init__(self, code: RejectionCode, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


_verdict: Final = msgspec.json.Decoder(Verdict)


def verdict_of(key: bytes | None, value: bytes | None) -> tuple[str, Verdict | None]:
    """Return the alert's id and the verdict; None: it is withdrawn (a record without value).

    Raises:
        BadVerdictError: it cannot be read.
    """
    if not key or len(key) > ID_BYTES_MAX or not key.isalnum():
        raise BadVerdictError(RejectionCode.MISSING_FIELD, "the key is not an alert's id")
    if value is None:
        return key.decode("ascii"), None
    try:
        return key.decode("ascii"), _verdict.decode(value)
    except msgspec.ValidationError:
        raise BadVerdictError(RejectionCode.BAD_VALUE, "a field is missing, unknown or out of its range") from None
    except msgspec.DecodeError:
        raise BadVerdictError(RejectionCode.UNPARSEABLE, "not JSON") from None


Reject = Callable[[Any, BadVerdictError], Awaitable[None]]


def reader(last: MutableMapping[str, Any], reject: Reject) -> Callable[[Any], AsyncIterator[None]]:
    """Return the agent's body. `last`: the table of the last verdict on each alert; `reject` returns once it is durable.

    An event is acknowledged after its effect, and none is left: Faust passes over one alone, and stops committing at two.
    """

    async def body(stream: Any) -> AsyncIterator[None]:
        async for event in stream.noack().events():
            try:
                await _take(event.message)
            except Exception as error:  # noqa: BLE001 - Faust would log its message, which may quote the verdict
                report("feedback-failed", error)
                raise SentinelError("a verdict could not be kept") from None
            event.ack()
            yield

    async def _take(message: Any) -> None:
        try:
            alert, verdict = verdict_of(message.key, message.value)
        except BadVerdictError as bad:
            await reject(message, bad)
            return
        if verdict is None:
            last.pop(alert, None)
        else:
            last[alert] = msgspec.to_builtins(verdict)

    return body
