"""`/v1`: alerts, their evidence and the live stream; who opened a record; what somebody opened; how the service goes."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Any, Final, Literal, TypedDict

import msgspec
from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, Field

from sentinel.core.alert import shadow_of
from sentinel.core.event import microseconds, moment
from sentinel.web.feed import Feed, FeedResponse
from sentinel.web.metrics import MEDIA_TYPE as METRICS_TYPE
from sentinel.web.metrics import Metrics
from sentinel.web.ports import Answer, Ports, Vitals
from sentinel.web.problem import Problem, ProblemError

Limit = Annotated[int, Query(ge=1, le=1_000, description="Rows in a page.")]
Before = Annotated[str | None, Query(max_length=200, description="The `next` of the page before.")]
Time = Annotated[str | None, Query(max_length=40, description="RFC 3339 with an offset.")]


class UsualModel(BaseModel):
    """What is usual, for this person and for peers; null: not known yet."""

    actor: float | int | str | None
    peers: float | int | str | None


class ReasonModel(BaseModel):
    """One finding: what was observed, what is usual, how often chance alone gives it; null: it says nothing of chance."""

    detector: str
    observed: float | int | str | None
    usual: UsualModel
    p_value: float | None
    text: dict[Literal["fr", "en"], str]
    suppressed_by: str = Field(default="", description="The rule that hides it; left out when there is none.")


class AlertModel(BaseModel):
    """One line of the queue, as it stands."""

    id: str
    tenant: str
    version: int
    priority: float
    severity: Literal["low", "medium", "high", "critical"]
    detectors: list[str]
    actor: str
    patients: list[str]
    event_ids: list[str]
    event_keys: list[str]
    first_seen: str
    last_seen: str
    reasons: list[ReasonModel]
    not_explained_by: list[str]
    late: bool = Field(default=False, description="Found in history that was taken in afterwards; left out when false.")
    suppressed: bool = Field(default=False, description="Kept and not told, by rules; left out when false.")
    suppressed_by: list[str] = Field(default=[], description="Rules that hide something of it; left out when there are none.")
    raised_by: list[str] = Field(default=[], description="Watch-lists it is on; left out when there are none.")
    configuration: str = Field(default="", description="The version it was made with; left out when none is declared.")


class AccessModel(BaseModel):
    """One access as it is kept, with what was concluded of it; the event's fields are those of docs/formats.md."""

    key: str
    source: str
    id: str
    occurred_at: str
    received_at: str
    action: str
    outcome: str
    actor_id: str
    actor_type: str
    actor_role: str
    actor_unit: str
    actor_rpps: str
    patient_id: str
    resource_type: str
    resource_id: str
    resource_sensitivity: str
    resource_count: int
    purpose: str
    reason: str
    client_address: str
    device: str
    application: str
    site: str
    session: str
    destination: str
    partition: int
    offset: int
    ordinal: int
    explained_by: str = Field(description="The ordinary reason; empty when none was found or none is needed.")
    p_value: float | None
    detectors: list[str]
    weighed: dict[str, Any]


class AlertsModel(BaseModel):
    """A page of alerts; `next` is the `before` of the page after, null at the end."""

    alerts: list[AlertModel]
    next: str | None


class AccessesModel(BaseModel):
    """A page of accesses, the latest first; `next` is the `before` of the page after, null at the end."""

    accesses: list[AccessModel]
    next: str | None


class EvidenceModel(BaseModel):
    """An access an alert rests on, and the record it came in, when that was kept."""

    access: AccessModel
    raw: str | None


class HealthModel(BaseModel):
    """How the service goes. `lag_records`: durable and not yet processed."""

    status: Literal["ok", "unready"]
    worker: str
    intake: Literal["open", "full"]
    lag_records: int
    dead_letters: int


def router(ports: Ports, feed: Feed) -> APIRouter:
    """Return the routes that read alerts and accesses."""
    routes = APIRouter(prefix="/v1", tags=["reading"], responses=_RESPONSES)
    ask, tenant = ports.questions, ports.tenant

    @routes.get("/alerts", summary="The alert queue", response_model=AlertsModel)
    async def get_alerts(
        since: Time = None,
        until: Time = None,
        min_priority: Annotated[float, Query(ge=0, allow_inf_nan=False)] = 0.0,
        severity: Literal["low", "medium", "high", "critical"] | None = None,
        detector: Annotated[str | None, Query(max_length=100)] = None,
        actor: Annotated[str | None, Query(max_length=256)] = None,
        patient: Annotated[str | None, Query(max_length=256)] = None,
        late: Annotated[bool | None, Query(description="Only those that a backfill found, or only the others.")] = None,
        suppressed: Annotated[
            bool | Literal["all"], Query(description="Only those that rules keep back, only the others, or all.")
        ] = False,
        shadow: Annotated[bool, Query(description="What the configuration in the shadow would tell.")] = False,
        order: Literal["priority", "time"] = "priority",
        limit: Limit = 100,
        before: Before = None,
    ) -> Response:
        """Return the stories last seen in [since, until), each as it stands, the most telling or the latest first."""
        asked = ask.alerts(
            shadow_of(tenant) if shadow else tenant,
            **_period(since, until),
            min_priority=min_priority,
            severity=severity,
            detector=detector,
            actor=actor,
            patient=patient,
            late=late,
            suppressed=None if suppressed == "all" else suppressed,
            order=order,
            limit=limit,
            before=before,
        )
        return await _page(asked)

    @routes.get("/alerts/stream", summary="Alerts as they are written", responses=_STREAM)
    async def stream_alerts(last_event_id: Annotated[str, Header(max_length=2_000)] = "") -> Response:
        """Stream server-sent events: `alert` with the alert as data; `Last-Event-ID` resumes after what was told."""
        return await _stream(feed, last_event_id)

    @routes.get("/alerts/{alert_id}", summary="One alert", response_model=AlertModel)
    async def get_alert(alert_id: str) -> Response:
        """Return one story as it stands."""
        return _json(_found(await ask.alert(tenant, alert_id)))

    @routes.get("/alerts/{alert_id}/evidence", summary="What an alert rests on", response_model=list[EvidenceModel])
    async def get_evidence(alert_id: str) -> Response:
        """Return the accesses an alert rests on, oldest first, with the records they came in."""
        _found(await ask.alert(tenant, alert_id))
        return _json(await ask.evidence(tenant, alert_id))

    @routes.get("/patients/{patient_id:path}/accesses", summary="Who opened a record", response_model=AccessesModel)
    async def get_patient(
        patient_id: str, since: Time = None, until: Time = None, limit: Limit = 100, before: Before = None
    ) -> Response:
        """Return all accesses to a patient's record in [since, until), the latest first."""
        return await _page(ask.accesses_to_patient(tenant, [patient_id], **_period(since, until), limit=limit, before=before))

    @routes.get("/actors/{actor_id:path}/accesses", summary="What somebody opened", response_model=AccessesModel)
    async def get_actor(
        actor_id: str, since: Time = None, until: Time = None, limit: Limit = 100, before: Before = None
    ) -> Response:
        """Return all that a person or service did in [since, until), the latest first."""
        return await _page(ask.accesses_by_actor(tenant, [actor_id], **_period(since, until), limit=limit, before=before))

    return routes


def health(ports: Ports, metrics: Metrics) -> APIRouter:
    """Return the routes by which machines learn how the service goes."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz", summary="Is the process alive", response_model=dict[str, str])
    async def get_healthz() -> Response:
        """Return 200 as long as the process answers."""
        return _json({"status": "ok"})

    @routes.get("/readyz", summary="Can the service do all it is for", response_model=HealthModel, responses=_UNREADY)
    async def get_readyz() -> Response:
        """Return 200 when records are taken, processed and can be asked for, else 503."""
        told = health_of(ports.vitals())
        return _json(told, 200 if told["status"] == "ok" else 503)

    @routes.get("/metrics", summary="Numbers for Prometheus")
    async def get_metrics() -> Response:
        """Return counters and gauges; no label names a person."""
        return Response(metrics.text(), media_type=METRICS_TYPE)

    return routes


def health_of(vitals: Vitals) -> dict[str, Any]:
    """Return what `/readyz` tells."""
    is_open = vitals.log_bytes < vitals.log_bytes_max
    return {
        "status": "ok" if is_open and vitals.worker == "ready" else "unready",
        "worker": vitals.worker,
        "intake": "open" if is_open else "full",
        "lag_records": vitals.lag_records,
        "dead_letters": vitals.dead_letters,
    }


async def _stream(feed: Feed, last_event_id: str) -> Response:
    try:
        cursor = last_event_id or await feed.newest()
        await feed.check(cursor)
    except ValueError:
        raise ProblemError(400, "bad-parameter", "Last-Event-ID is an id this stream gave") from None
    return FeedResponse(feed, cursor)


async def _page(asked: Awaitable[Answer]) -> Response:
    try:
        return _json(await asked)
    except ValueError:
        raise ProblemError(400, "bad-parameter", "before is the `next` of the page before") from None


def _found(answer: Answer | None) -> Answer:
    if answer is None:
        raise ProblemError(404, "not-found")
    return answer


def _json(told: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(told), status_code=status, media_type="application/json")


class _Period(TypedDict):
    since: int | None
    until: int | None


def _period(since: str | None, until: str | None) -> _Period:
    return {"since": _time(since, "since"), "until": _time(until, "until")}


def _time(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    try:
        return microseconds(moment(text))
    except ValueError:
        raise ProblemError(400, "bad-parameter", f"{name} is an RFC 3339 time with an offset") from None


_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": Problem, "description": "A parameter has a value it cannot have."},
    404: {"model": Problem, "description": "There is nothing of that id."},
    503: {"model": Problem, "description": "Nobody can answer now; Retry-After says when to come back."},
}
_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Server-sent events."}
}
_UNREADY: Final[dict[int | str, dict[str, Any]]] = {503: {"model": HealthModel, "description": "Not all works now."}}
