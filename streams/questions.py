"""The store's questions as the service asks them of its worker: without blocking, within a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

from sentinel.web.ports import Answer, UnavailableError
from streams.channel import Answered, Ask, ServiceEnd


class RemoteQuestions:
    """`sentinel.web.ports.Questions`, answered at the other end of a channel that comes and goes with the worker."""

    def __init__(self, seconds_max: float) -> None:
        self._seconds_max = seconds_max
        self._channel: ServiceEnd | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._last = 0

    def connect(self, channel: ServiceEnd) -> None:
        """Ask at the other end of `channel` from now on."""
        self._channel = channel

    def disconnect(self) -> None:
        """Fail what was asked and not answered."""
        self._channel = None
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(UnavailableError("the worker was lost"))

    def take(self, answered: Answered) -> None:
        """Hand an answer to whoever asked; nobody may be waiting any more."""
        waiting = self._waiting.get(answered.id)
        if waiting is None or waiting.done():
            return
        match answered.error:
            case "":
                waiting.set_result(answered.answer)
            case "argument":
                waiting.set_exception(ValueError("a cursor or a name is none"))
            case _:
                waiting.set_exception(UnavailableError("the store did not answer"))

    async def _ask(self, question: str, *args: object, **kwargs: object) -> Any:
        if self._channel is None:
            raise UnavailableError("the worker is starting")
        self._last += 1
        asked = Ask(self._last, question, list(args), kwargs)
        waiting = self._waiting[asked.id] = asyncio.get_running_loop().create_future()
        try:
            self._channel.send(asked)
            async with asyncio.timeout(self._seconds_max):
                return await waiting
        except TimeoutError:
            raise UnavailableError("the store took too long") from None
        finally:
            del self._waiting[asked.id]

    async def accesses_to_patient(
        self, tenant: str, patient_ids: Sequence[str], *, since: int | None, until: int | None, limit: int, before: str | None
    ) -> Answer:
        """See the port."""
        asked = {"since": since, "until": until, "limit": limit, "before": before}
        answer: Answer = await self._ask("accesses_to_patient", tenant, list(patient_ids), **asked)
        return answer

    async def accesses_by_actor(
        self, tenant: str, actor_ids: Sequence[str], *, since: int | None, until: int | None, limit: int, before: str | None
    ) -> Answer:
        """See the port."""
        asked = {"since": since, "until": until, "limit": limit, "before": before}
        answer: Answer = await self._ask("accesses_by_actor", tenant, list(actor_ids), **asked)
        return answer

    async def search(
        self,
        tenant: str,
        wanted: Sequence[tuple[str, Sequence[Any]]],
        *,
        since: int | None,
        until: int | None,
        latest_first: bool,
        limit: int,
        after: str | None,
    ) -> Answer:
        """See the port."""
        asked = {"since": since, "until": until, "latest_first": latest_first, "limit": limit, "after": after}
        answer: Answer = await self._ask("search", tenant, list(wanted), **asked)
        return answer

    async def summary_of_patient(
        self, tenant: str, patient_ids: Sequence[str], *, since: int | None, until: int | None
    ) -> list[Answer]:
        """See the port."""
        answer: list[Answer] = await self._ask("summary_of_patient", tenant, list(patient_ids), since=since, until=until)
        return answer

    async def hour_by_weekday(
        self, tenant: str, actor_ids: Sequence[str], *, since: int | None, until: int | None, timezone: str
    ) -> list[list[int]]:
        """See the port."""
        asked = {"since": since, "until": until, "timezone": timezone}
        answer: list[list[int]] = await self._ask("hour_by_weekday", tenant, list(actor_ids), **asked)
        return answer

    async def alerts(
        self,
        tenant: str,
        *,
        since: int | None,
        until: int | None,
        min_priority: float,
        severity: str | None,
        detector: str | None,
        actor: str | None,
        patient: str | None,
        late: bool | None = None,
        suppressed: bool | None = False,
        order: Literal["priority", "time"],
        limit: int,
        before: str | None,
    ) -> Answer:
        """See the port."""
        answer: Answer = await self._ask(
            "alerts",
            tenant,
            since=since,
            until=until,
            min_priority=min_priority,
            severity=severity,
            detector=detector,
            actor=actor,
            patient=patient,
            late=late,
            suppressed=suppressed,
            order=order,
            limit=limit,
            before=before,
        )
        return answer

    async def alerts_changed_since(self, tenant: str, cursor: str | None, *, limit: int) -> Answer:
        """See the port."""
        answer: Answer = await self._ask("alerts_changed_since", tenant, cursor, limit=limit)
        return answer

    async def alert(self, tenant: str, alert_id: str) -> Answer | None:
        """See the port."""
        answer: Answer | None = await self._ask("alert", tenant, alert_id)
        return answer

    async def evidence(self, tenant: str, alert_id: str) -> list[Answer]:
        """See the port."""
        answer: list[Answer] = await self._ask("evidence", tenant, alert_id)
        return answer

    async def counts(self, tenant: str, *, since: int | None, until: int | None) -> Answer:
        """See the port."""
        answer: Answer = await self._ask("counts", tenant, since=since, until=until)
        return answer
