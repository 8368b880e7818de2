"""Analysts' verdicts: the last on each alert kept by a Faust agent, and each learnt by the core at its time in the one order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Final

import msgspec

from sentinel.core.context import ContextRecord
from sentinel.core.errors import RejectedError, RejectionCode, SentinelError
from streams.faults import report
from streams.verdicts import ALERT_ID, Told, learnt, read, taken_back

SOURCE: Final = "feedback"


def verdict_of(key: bytes | None, value: bytes | None) -> tuple[str, Told | None]:
    """Return the alert's id and the verdict; None: it is withdrawn (a record without value).

    Raises:
        RejectedError: it cannot be read, or is about another alert than its key says; nothing of it is quoted.
    """
    alert = (key or b"").decode("utf-8", "replace")
    if not ALERT_ID.fullmatch(alert):
        raise RejectedError(RejectionCode.MISSING_FIELD, "", "the key is not an alert's id")
    if value is None:
        return alert, None
    told = read(value)
    if told.alert != alert:
        raise RejectedError(RejectionCode.BAD_VALUE, "/alert", "not the alert that the key names")
    return alert, told


def learnt_of(key: bytes, value: bytes | None) -> list[ContextRecord]:
    """Return what the core learns of a record of the topic: nothing of one that cannot be read, which the agent tells of."""
    try:
        alert, told = verdict_of(key, value)
    except RejectedError:
        return []
    return [taken_back(alert) if told is None else learnt(told)]


Reject = Callable[[Any, RejectedError], Awaitable[None]]


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
        except RejectedError as bad:
            await reject(message, bad)
            return
        if verdict is None:
            last.pop(alert, None)
        else:
            last[alert] = msgspec.json.decode(msgspec.json.encode(verdict))  # as the table has it after a restart

    return body
