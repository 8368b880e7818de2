"""The console: server-rendered pages over the named questions. Works without JavaScript; with it, the queue is live."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from sentinel.core.alert import Severity
from sentinel.core.explain import EXPLANATIONS
from sentinel.web import views
from sentinel.web.language import DAY_US
from sentinel.web.pages import Pages, query
from sentinel.web.ports import Answer, Questions, UnavailableError

ALERTS_A_PAGE: Final = 50
ALERTS_BESIDE: Final = 5  # on the page of a patient or a person
ACCESSES_A_PAGE: Final = 100
EVIDENCE_SHOWN: Final = 200
REPORT_MAX: Final = 5_000
PAGE_MAX: Final = 1_000  # rows the store gives at once
FORM_BYTES_MAX: Final = 4_096
CURSOR_MAX: Final = 200
PERIODS: Final = {"24h": DAY_US, "7d": 7 * DAY_US, "30d": 30 * DAY_US}
ORDERS: Final = ("priority", "time")
SUPPRESSED: Final = "yes"  # the filter that shows what rules keep back, and nothing else

Handler = Callable[[Request], Awaitable[Response]]
Of = Literal["patient", "actor"]


class NotFoundError(Exception):
    """There is nothing at this address."""


class BadRequestError(Exception):
    """The address or the form is not one of ours."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What of the queue is shown. An empty text: not filtered by it."""

    actor: str = ""
    patient: str = ""
    severity: str = ""
    detector: str = ""
    period: str = ""
    suppressed: str = ""
    order: str = "priority"

    def address(self, before: str = "", **changed: str) -> str:
        """Return where this part of the queue is: the ids of people in the path, never in the query."""
        told = {name: changed.get(name, getattr(self, name)) for name in self.__slots__}
        path = "".join(f"/{kind}s/{views.segment(told[kind])}" for kind in ("actor", "patient") if told[kind])
        order = told["order"] if told["order"] != ORDERS[0] else ""
        return ("/queue" + path if path else "/") + query(
            severity=told["severity"],
            detector=told["detector"],
            period=told["period"],
            suppressed=told["suppressed"],
            order=order,
            before=before,
        )

    @property
    def active(self) -> list[str]:
        """Return the names of the filters in use."""
        return [name for name in ("severity", "detector", "period", "suppressed", "actor", "patient") if getattr(self, name)]


def router(questions: Questions, pages: Pages) -> APIRouter:
    """Return the console's pages and files, to be included in the service's application."""
    return Console(questions, pages).router()


class Console:
    """The pages of one site, each a question or two and a template."""

    def __init__(self, questions: Questions, pages: Pages) -> None:
        self._ask = questions
        self._pages = pages
        self._tenant = pages.site.tenant

    def router(self) -> APIRouter:
        """Return one route a page."""
        routes = APIRouter(include_in_schema=False)
        for path, handler in self._gets().items():
            routes.add_api_route(path, self._guarded(handler), methods=["GET", "HEAD"], response_model=None)
        routes.add_api_route("/queue", self._guarded(self.filter), methods=["POST"], response_model=None)
        routes.add_api_route("/search", self._guarded(self.search), methods=["POST"], response_model=None)
        return routes

    def _gets(self) -> dict[str, Handler]:
        return {
            "/": self.queue,
            "/queue/actors/{actor}": self.queue,
            "/queue/patients/{patient}": self.queue,
            "/queue/actors/{actor}/patients/{patient}": self.queue,
            "/alerts/{id}": self.alert,
            "/patients/{id}": self.patient,
            "/patients/{id}/report": self.report,
            "/patients/{id}/accesses.csv": self.patient_csv,
            "/actors/{id}": self.actor,
            "/actors/{id}/accesses.csv": self.actor_csv,
            "/about": self.about,
            "/static/{name}": self.static,
        }

    def _guarded(self, handler: Handler) -> Handler:
        """Return the handler with its failures as pages; what nobody foresaw is the application's to log."""

        async def page(request: Request) -> Response:
            try:
                return await handler(request)
            except UnavailableError as unavailable:
                return self._pages.error(request, 503, unavailable.retry_after_seconds)
            except NotFoundError:
                return self._pages.error(request, 404)
            except BadRequestError:
                return self._pages.error(request, 400)
            except ValueError:
                if "before" in request.query_params:  # the store knows its cursors, and this is none of them
                    return self._pages.error(request, 400)
                raise

        return page

    # the queue

    async def queue(self, request: Request) -> Response:
        """Show the alerts that answer the filters, most urgent (or latest) first, and the counters."""
        filters = _filters(request)
        now = self._pages.site.clock.now_us()
        today = self._pages.reads(request).local(now).date()
        page, kept, since_midnight = await asyncio.gather(
            self._alerts(filters, now, _cursor(request)),
            self._ask.counts(self._tenant, since=None, until=None),
            self._ask.counts(self._tenant, since=views.start_of_day(today, self._pages.site.zone), until=None),
        )
        return self._pages.page(
            request,
            "queue.html",
            {
                "filters": filters,
                "detectors": self._detectors(filters),
                "origin": str(request.base_url).rstrip("/"),
                "alerts": page["alerts"],
                "next": page["next"],
                "before": _cursor(request),
                "kept": kept,
                "today": since_midnight["alerts"],
                "trend": views.trend(kept["days"], today, since_midnight["alerts"]),
                "periods": PERIODS,
                "orders": ORDERS,
                "severities": list(reversed(Severity)),
            },
        )

    def _detectors(self, filters: Filters) -> list[str]:
        """Return the names to choose from: what runs, and what is chosen already."""
        site = self._pages.site
        return sorted({detector.name for detector in site.detectors} | {site.model or "", filters.detector} - {""})

    async def filter(self, request: Request) -> Response:
        """Send the reader from the filter form to the address of what it asks for."""
        form = await _form(request)
        told = {name: form[name] for name in Filters.__slots__ if name in form}
        return RedirectResponse(Filters(**told).address(), 303)

    async def _alerts(self, filters: Filters, now: int, before: str | None, limit: int = ALERTS_A_PAGE) -> Answer:
        return await self._ask.alerts(
            self._tenant,
            since=now - PERIODS[filters.period] if filters.period else None,
            until=None,
            min_priority=0.0,
            severity=filters.severity or None,
            detector=filters.detector or None,
            actor=filters.actor or None,
            patient=filters.patient or None,
            suppressed=filters.suppressed == SUPPRESSED,
            order="time" if filters.order == "time" else "priority",
            limit=limit,
            before=before,
        )

    # one alert

    async def alert(self, request: Request) -> Response:
        """Show one alert: its reasons, why nothing explains it, and the accesses it rests on."""
        alert = await self._ask.alert(self._tenant, request.path_params["id"])
        if alert is None:
            raise NotFoundError
        evidence = await self._ask.evidence(self._tenant, alert["id"])
        striking = [row for row in evidence if views.is_striking(row["access"])]
        others = [row for row in evidence if not views.is_striking(row["access"])]
        shown = [*striking, *others][:EVIDENCE_SHOWN]
        return self._pages.page(
            request,
            "alert.html",
            {
                "alert": alert,
                "patients": views.striking_first(alert["patients"], striking),
                "striking": [row["access"] for row in striking[:EVIDENCE_SHOWN]],
                "others": [row["access"] for row in shown[len(striking) :]],
                "unexplained": len(striking),
                "shown": shown,
                "total": len(alert["event_keys"]),
                "timeline": views.timeline(views.moments_of(evidence)),
            },
        )

    # one patient

    async def patient(self, request: Request) -> Response:
        """Show who opened a patient's record: by person, then access by access."""
        id_, period = _id(request), self._period(request)
        summary, page, alerts = await asyncio.gather(
            self._ask.summary_of_patient(self._tenant, [id_], since=period.since_us, until=period.until_us),
            self._accesses("patient", id_, period, ACCESSES_A_PAGE, _cursor(request)),
            self._latest_alerts(Filters(patient=id_, order="time")),
        )
        return self._pages.page(
            request,
            "patient.html",
            self._listing(request, id_, period, page) | {"summary": summary, "totals": views.totals(summary), "alerts": alerts},
        )

    async def report(self, request: Request) -> Response:
        """Show the statement that is printed and handed to the patient."""
        id_, period = _id(request), self._period(request)
        summary = await self._ask.summary_of_patient(self._tenant, [id_], since=period.since_us, until=period.until_us)
        accesses: list[Answer] = []
        async with aclosing(self._every_access("patient", id_, period)) as pages:
            async for page in pages:
                accesses += page
                if len(accesses) > REPORT_MAX:
                    break
        return self._pages.page(
            request,
            "report.html",
            {
                "id": id_,
                "period": period,
                "summary": summary,
                "totals": views.totals(summary),
                "accesses": accesses[:REPORT_MAX],
                "cut": REPORT_MAX if len(accesses) > REPORT_MAX else None,
            },
        )

    async def patient_csv(self, request: Request) -> Response:
        """Give all accesses to a patient's record as a file."""
        return await self._csv(request, "patient")

    # one person or service

    async def actor(self, request: Request) -> Response:
        """Show what a person or service did, and at which hours of the week."""
        id_, period = _id(request), self._period(request)
        zone = str(self._pages.site.zone)
        week, page, alerts = await asyncio.gather(
            self._ask.hour_by_weekday(self._tenant, [id_], since=period.since_us, until=period.until_us, timezone=zone),
            self._accesses("actor", id_, period, ACCESSES_A_PAGE, _cursor(request)),
            self._latest_alerts(Filters(actor=id_, order="time")),
        )
        cells = views.heat(week)
        return self._pages.page(
            request,
            "actor.html",
            self._listing(request, id_, period, page)
            | {"week": week, "cells": cells, "busiest": views.busiest(cells), "alerts": alerts, "levels": views.HEAT_LEVELS},
        )

    async def actor_csv(self, request: Request) -> Response:
        """Give all a person or service did as a file."""
        return await self._csv(request, "actor")

    # both

    def _listing(self, request: Request, id_: str, period: views.Period, page: Answer) -> dict[str, Any]:
        return {
            "id": id_,
            "period": period,
            "accesses": page["accesses"],
            "next": page["next"],
            "before": _cursor(request),
            "latest": page["accesses"][0] if page["accesses"] else None,
        }

    def _period(self, request: Request) -> views.Period:
        try:
            return views.period_of(
                request.query_params.get("since", ""), request.query_params.get("until", ""), self._pages.site.zone
            )
        except (ValueError, OverflowError):
            raise BadRequestError from None

    async def _latest_alerts(self, filters: Filters) -> list[Answer]:
        page = await self._alerts(filters, 0, None, ALERTS_BESIDE)
        return list(page["alerts"])

    async def _accesses(self, of: Of, id_: str, period: views.Period, limit: int, before: str | None) -> Answer:
        ask = self._ask.accesses_to_patient if of == "patient" else self._ask.accesses_by_actor
        return await ask(self._tenant, [id_], since=period.since_us, until=period.until_us, limit=limit, before=before)

    async def _every_access(self, of: Of, id_: str, period: views.Period) -> AsyncGenerator[list[Answer]]:
        before: str | None = None
        while True:
            page = await self._accesses(of, id_, period, PAGE_MAX, before)
            yield page["accesses"]
            before = page["next"]
            if before is None:
                return

    async def _csv(self, request: Request, of: Of) -> Response:
        """Stream a file page by page; the first page is asked for before it is promised.

        In French the cells are apart by semicolons, and a byte order mark says UTF-8: what spreadsheets there expect.
        """
        t = self._pages.reads(request)
        separator = ";" if t.code == "fr" else ","
        pages = self._every_access(of, _id(request), self._period(request))
        first = await anext(pages)

        def lines(accesses: list[Answer]) -> str:
            return "".join(views.csv_line(views.csv_values(access, t), separator) for access in accesses)

        async def body() -> AsyncIterator[str]:
            yield "\N{BYTE ORDER MARK}" + views.csv_line((t(f"csv.{column}") for column in views.CSV_COLUMNS), separator)
            yield lines(first)
            async for accesses in pages:
                yield lines(accesses)

        headers = {"Content-Disposition": 'attachment; filename="accesses.csv"', "Cache-Control": "no-store"}
        return StreamingResponse(body(), media_type="text/csv; charset=utf-8", headers=headers)

    # search, about, files

    async def search(self, request: Request) -> Response:
        """Send the reader to the alert, patient or person of an id; a form, so that no id lands in a log's query."""
        asked = (await _form(request)).get("id", "")
        if not asked:
            return RedirectResponse("/", 303)
        whole = views.Period(None, None, None, None)
        alert, patient, actor = await asyncio.gather(
            self._ask.alert(self._tenant, asked),
            self._accesses("patient", asked, whole, 1, None),
            self._accesses("actor", asked, whole, 1, None),
        )
        found = [
            (kind, f"/{kind}s/{views.segment(asked)}")
            for kind, there in (("alert", alert), ("patient", patient["accesses"]), ("actor", actor["accesses"]))
            if there
        ]
        if len(found) == 1:
            return RedirectResponse(found[0][1], 303)
        return self._pages.page(request, "search.html", {"asked": asked, "found": found}, 200 if found else 404)

    async def about(self, request: Request) -> Response:
        """Show the version, the detectors enabled with their cards, and the ordinary reasons."""
        return self._pages.page(request, "about.html", {"reasons": EXPLANATIONS})

    async def static(self, request: Request) -> Response:
        """Give a style sheet, script or picture."""
        found = self._pages.asset(request.path_params["name"], request.query_params.get("v", ""))
        if found is None:
            raise NotFoundError
        return found


def _id(request: Request) -> str:
    return views.id_of(request.path_params["id"])


def _cursor(request: Request) -> str | None:
    """Return where to go on from, as the page before told it."""
    before = request.query_params.get("before", "")
    if len(before) > CURSOR_MAX or not re.fullmatch(r"[\w .+-]*", before, re.ASCII):
        raise BadRequestError
    return before or None


def _filters(request: Request) -> Filters:
    told = {name: request.query_params.get(name, "") for name in ("severity", "detector", "period", "suppressed")}
    order = request.query_params.get("order") or ORDERS[0]
    choices = {"severity": {"", *Severity}, "period": {"", *PERIODS}, "suppressed": {"", SUPPRESSED}}
    if any(told[name] not in choices[name] for name in choices) or order not in ORDERS:
        raise BadRequestError
    ids = {name: views.id_of(request.path_params.get(name, "")) for name in ("actor", "patient")}
    return Filters(**told, **ids, order=order)


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a small URL-encoded form, without blanks around them."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES_MAX:
            raise BadRequestError
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise BadRequestError from None
    return {name: values[-1].strip() for name, values in fields.items()}
