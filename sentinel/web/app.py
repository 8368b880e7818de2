"""The application: routes put together, and around them who may come in, what failures say and what is measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sentinel.web import api, cloudevents, fhir, fhir_repository, hec, intake, otlp, reference, scim, security, verdicts
from sentinel.web.body import Budget
from sentinel.web.carried import Carrier
from sentinel.web.feed import Feed
from sentinel.web.fhir_form import form_asked, in_form
from sentinel.web.metrics import Metrics
from sentinel.web.ports import Ports, UnavailableError
from sentinel.web.problem import TITLES, ProblemError, problem_response, unavailable
from sentinel.web.repeats import Repeats
from streams.faults import report
from streams.record import IntakeUnavailableError

NO_ROUTE: Final = "none"
_CODES: Final = {404: "not-found", 405: "method-not-allowed"}

ErrorPage = Callable[[Request, int], Response]
"""Makes the console's page of an error's status, for people in a browser."""


def create_app(ports: Ports, *, error_page: ErrorPage | None = None) -> FastAPI:
    """Return the application on `ports`; the console's router is included by whoever assembles it."""
    app = FastAPI(title="Sentinel", description=_DESCRIPTION, version="1", docs_url=None, redoc_url=None)
    metrics, budget = Metrics(ports.vitals, ports.received), Budget(ports.limits.bodies_bytes_max)
    feed = Feed(ports.tenant, ports.questions, ports.changes, ports.limits)
    repeats = Repeats(ports.tenant, ports.intake, ports.clock)
    app.include_router(intake.router(ports, metrics, budget, repeats))
    app.include_router(fhir.router(ports, metrics, budget, repeats))
    app.include_router(fhir_repository.router(ports))
    carrier = Carrier(ports, metrics, budget, repeats)
    for router in (cloudevents.router, hec.router, otlp.router):
        app.include_router(router(carrier))
    app.include_router(api.router(ports, feed))
    app.include_router(verdicts.router(ports, budget))
    if ports.staff is not None:
        app.include_router(scim.router(ports, budget, ports.staff))
    app.include_router(api.health(ports, metrics))
    app.include_router(security.router(ports.security))
    app.include_router(reference.router(app))
    answers = _Answers(error_page)
    app.add_exception_handler(ProblemError, answers.problem)
    app.add_exception_handler(HTTPException, answers.http)
    app.add_exception_handler(RequestValidationError, answers.parameter)
    app.add_exception_handler(IntakeUnavailableError, answers.unavailable)
    app.add_exception_handler(UnavailableError, answers.unavailable)
    app.add_middleware(Gate, ports=ports, metrics=metrics, answers=answers)
    return app


_DESCRIPTION: Final = "Who saw which health record, when, from where and why: access events in, explained alerts out."


class _Answers:
    """Turns what goes wrong into an answer of the kind the client reads: OperationOutcome, problem details or a page."""

    def __init__(self, error_page: ErrorPage | None) -> None:
        self._error_page = error_page

    def of(self, request: Request, problem: ProblemError) -> Response:
        """Return the answer to a problem."""
        path = request.url.path
        if path == "/fhir" or path.startswith("/fhir/"):
            return in_form(form_asked(request), fhir.outcome_of(problem, TITLES.get(problem.code, problem.code)))
        if path == hec.ROOT or path.startswith(f"{hec.ROOT}/"):
            return hec.answer_of(problem)
        if path.startswith(f"{scim.ROOT}/"):
            return scim.answer_of(problem)
        if path == otlp.PATH:
            return otlp.answer_of(request, problem)
        is_page = not path.startswith("/v1/") and "text/html" in request.headers.get("accept", "")
        if is_page and problem.status == 401:
            return security.login_page(path, 401, failed=False)
        if is_page and self._error_page is not None:
            return self._error_page(request, problem.status)
        return problem_response(problem)

    async def problem(self, request: Request, error: Any) -> Response:
        """Answer what was raised on purpose."""
        return self.of(request, error)

    async def http(self, request: Request, error: Any) -> Response:
        """Answer what the framework raised: no such route, no such method."""
        code = _CODES.get(error.status_code, "bad-request")
        return self.of(request, ProblemError(error.status_code, code, headers=error.headers))

    async def parameter(self, request: Request, error: Any) -> Response:
        """Name the parameter that is wrong; never its value."""
        names = sorted({str(one["loc"][-1]) for one in error.errors()})
        return self.of(request, ProblemError(400, "bad-parameter", f"see {', '.join(names)}"))

    async def unavailable(self, request: Request, error: Any) -> Response:
        """Say when to come back."""
        return self.of(request, unavailable(str(error), error.retry_after_seconds))


class Gate:
    """The outermost layer: lets in, bears the security headers, measures, and keeps failures from telling anything."""

    def __init__(self, app: ASGIApp, ports: Ports, metrics: Metrics, answers: _Answers) -> None:
        self._app, self._security, self._metrics, self._answers = app, ports.security, metrics, answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, between the checks and the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500
        request = Request(scope, receive)

        async def bear_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *_headers(message, scope["path"])]
            await send(message)

        try:
            await self._admitted(request, scope, receive, bear_headers)
        finally:
            self._measure(scope, status, time.perf_counter() - started)

    async def _admitted(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        is_started = False

        async def note_start(message: Message) -> None:
            nonlocal is_started
            is_started = True
            await send(message)

        try:
            security.admit(request, self._security)
            await self._app(scope, receive, note_start)
        except ProblemError as problem:
            await self._answers.of(request, problem)(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - whatever it is, its message may quote a record
            report("request-failed", error)
            if not is_started:
                await self._answers.of(request, ProblemError(500, "internal"))(scope, receive, send)

    def _measure(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", NO_ROUTE)
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


def _headers(message: Message, path: str) -> list[tuple[bytes, bytes]]:
    told = {name.lower() for name, _ in message.get("headers", [])}
    headers = dict(security.HEADERS)
    if not path.startswith("/static/") and path != "/docs/style.css":
        headers["Cache-Control"] = "no-store"
    return [(name.encode(), value.encode()) for name, value in headers.items() if name.lower().encode() not in told]
