"""`POST /v1/alerts/{id}/verdict`: what an analyst found an alert to be, durable before it is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from sentinel.core.context import Judgement
from sentinel.core.event import EPOCH, TEXT_MAX
from sentinel.web.body import Budget, read_body, size_expected
from sentinel.web.ports import Answer, Ports
from sentinel.web.problem import Problem, ProblemError
from streams.verdicts import PATIENTS_MAX, REASON_MAX, Told, record


class VerdictModel(BaseModel):
    """A verdict: `unclear` says that it was read, and takes an earlier one back."""

    verdict: Literal["misuse", "justified", "error", "test", "unclear"]
    reason: str = Field(default="", max_length=REASON_MAX)
    by: str = Field(default="", max_length=TEXT_MAX, description="Who gives it, as they call themselves.")


class KeptModel(BaseModel):
    """The verdict that was kept: it counts for what is found from now on."""

    alert: str
    verdict: str
    at: str


class _Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    verdict: Judgement
    reason: Annotated[str, msgspec.Meta(max_length=REASON_MAX)] = ""
    by: Annotated[str, msgspec.Meta(max_length=TEXT_MAX)] = ""


_asked: Final = msgspec.json.Decoder(_Asked)


def router(ports: Ports, budget: Budget) -> APIRouter:
    """Return the route that takes verdicts."""
    routes = APIRouter(prefix="/v1", tags=["verdicts"], responses=_RESPONSES)

    @routes.post(
        "/alerts/{alert_id}/verdict",
        status_code=202,
        summary="Say what an alert was",
        response_model=KeptModel,
        openapi_extra=_BODY,
    )
    async def post_verdict(request: Request, alert_id: str) -> Response:
        """Keep a verdict in place of the one before on this alert; 202 once it is on disk.

        A confirmed misuse weighs what is found later on the person more, a justified one the same findings less, within bounds.
        """
        async with budget.hold(size_expected(request, ports.limits)):
            asked = _read(await read_body(request, ports.limits))
        alert = await ports.questions.alert(ports.tenant, alert_id)
        if alert is None:
            raise ProblemError(404, "not-found")
        told = _told(alert, asked, ports.clock.now_us())
        await ports.intake.append([record(ports.tenant, told)])
        kept = {"alert": told.alert, "verdict": told.verdict, "at": told.at}
        return Response(msgspec.json.encode(kept), status_code=202, media_type="application/json")

    return routes


def _read(body: bytes) -> _Asked:
    try:
        return _asked.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ProblemError(400, "bad-request", f"verdict is one of {', '.join(Judgement)}; reason and by are text") from None


def _told(alert: Answer, asked: _Asked, now_us: int) -> Told:
    detectors, patients = tuple(alert["detectors"]), tuple(alert["patients"][:PATIENTS_MAX])
    at = EPOCH + timedelta(microseconds=now_us)
    return Told(alert["id"], alert["actor"], detectors, patients, asked.verdict, at, asked.by, asked.reason)


_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": Problem, "description": "The body is no verdict."},
    404: {"model": Problem, "description": "There is no alert of that id."},
    503: {"model": Problem, "description": "It cannot be kept now; Retry-After says when to come back."},
}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": VerdictModel.model_json_schema()}}}
}
