"""The questions people ask of what is kept, each by name. Times: µs since 1970 UTC where asked, RFC 3339 where answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from math import isnan
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlencode
from zoneinfo import available_timezones

import msgspec
from clickhouse_connect.driver.client import Client

from sentinel.core.alert import rfc3339
from sentinel.core.event import TIME_MAX_US, TIME_MIN_US
from sentinel.store import sql
from sentinel.store.answers import Access, AccessPage, ActorSummary, AlertChanges, AlertPage, Counts, DayCounts, Evidence
from sentinel.store.errors import without_data

LIMIT_MAX: Final = 1_000
Order = Literal["priority", "time"]
_ACCESS: Final = [column.name for column in fields(Access)]
_SUMMARY: Final = [column.name for column in fields(ActorSummary)]


class Questions:
    """What is asked of the store, through one client that reads.

    `since` and `until` bound times as [since, until), None: without bound. `limit` is held within 1 to 1,000.
    `before` is the `next` of the page before. All raise `StoreError` when the store does not answer, and
    `ValueError` for a cursor, an order or a time zone that is none.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def accesses_to_patient(
        self,
        tenant: str,
        patient_ids: Sequence[str],
        since: int | None = None,
        until: int | None = None,
        limit: int = 100,
        before: str | None = None,
    ) -> AccessPage:
        """Return who opened a patient's record, under any of its ids, the latest first."""
        return self._accesses("patient_id", tenant, patient_ids, since, until, limit, before)

    def accesses_by_actor(
        self,
        tenant: str,
        actor_ids: Sequence[str],
        since: int | None = None,
        until: int | None = None,
        limit: int = 100,
        before: str | None = None,
    ) -> AccessPage:
        """Return what a person or service did, under any of their ids, the latest first."""
        return self._accesses("actor_id", tenant, actor_ids, since, until, limit, before)

    def search(
        self,
        tenant: str,
        wanted: Sequence[tuple[str, Sequence[Any]]],
        *,
        since: int | None = None,
        until: int | None = None,
        latest_first: bool = True,
        limit: int = 100,
        after: str | None = None,
    ) -> AccessPage:
        """Return the accesses that pass all tests of `wanted`, each one of `sentinel.store.sql.TESTS` with its values.

        By time, then key, so that pages do not shift; `after` is the `next` of the page before.
        """
        asked = {f"p{number}": _values(name, values) for number, (name, values) in enumerate(wanted)}
        asked |= {"tenant": tenant, "limit": _bounded(limit), **_period(since, until), **_edge(after, latest_first=latest_first)}
        return _access_page(self._rows(sql.search([name for name, _ in wanted], latest_first=latest_first), asked), limit)

    def summary_of_patient(
        self,
        tenant: str,
        patient_ids: Sequence[str],
        since: int | None = None,
        until: int | None = None,
        limit: int = LIMIT_MAX,
    ) -> list[ActorSummary]:
        """Return who opened a patient's record, a line an actor, the most recent first."""
        asked = {"tenant": tenant, "ids": list(patient_ids), "limit": _bounded(limit), **_period(since, until)}
        return [_summary(row) for row in self._rows(sql.SUMMARY_OF_PATIENT, asked)]

    def hour_by_weekday(
        self,
        tenant: str,
        actor_ids: Sequence[str],
        since: int | None = None,
        until: int | None = None,
        timezone: str = "UTC",
    ) -> list[list[int]]:
        """Return how many events an actor has in each hour of the week there: 7 rows (Monday first) of 24."""
        if timezone not in available_timezones():
            raise ValueError("no such time zone")
        asked = {"tenant": tenant, "ids": list(actor_ids), "timezone": timezone, **_period(since, until)}
        week = [[0] * 24 for _ in range(7)]
        for day, hour, count in self._rows(sql.HOUR_BY_WEEKDAY, asked):
            week[day][hour] = count
        return week

    def alerts(
        self,
        tenant: str,
        *,
        since: int | None = None,
        until: int | None = None,
        min_priority: float = 0.0,
        severity: str | None = None,
        detector: str | None = None,
        actor: str | None = None,
        patient: str | None = None,
        late: bool | None = None,
        suppressed: bool | None = False,
        order: Order = "priority",
        limit: int = 100,
        before: str | None = None,
    ) -> AlertPage:
        """Return the queue, each story as it stands: those last seen in the period, by priority or the latest first.

        `late` True: only those that a backfill found, False: only the others, None: all; `suppressed`: as much of those that
        rules keep back.
        """
        if order not in ("priority", "time"):
            raise ValueError("no such order")
        wanted = {"severity": severity or "", "detector": detector or "", "actor": actor or "", "patient": patient or ""}
        wanted |= {"late": _wanted(late), "suppressed": _wanted(suppressed)}
        asked = {"tenant": tenant, "min_priority": min_priority, "order": order, **wanted, **_period(since, until)}
        rows = self._rows(sql.ALERTS, asked | _alert_cursor(before) | {"limit": _bounded(limit)})
        following = f"{rows[-1][1]!r} {rows[-1][2]}" if len(rows) == _bounded(limit) else None
        return AlertPage([msgspec.json.decode(body) for body, _, _ in rows], following)

    def alerts_changed_since(self, tenant: str, cursor: str | None = None, limit: int = 100) -> AlertChanges:
        """Return the alerts written after `cursor` (None: from the first on) and told, each as it stands, oldest change first.

        A cursor only grows: a change is told once, whatever is written meanwhile.
        """
        seen = _lanes(cursor)
        known = {"": 0, **seen}  # the engine takes the first of equal lanes, and no empty list
        asked = {"tenant": tenant, "lanes": list(known), "sequences": list(known.values()), "limit": _bounded(limit)}
        rows = self._rows(sql.ALERTS_CHANGED, asked)
        seen.update({lane: sequence for lane, sequence, _ in rows})
        return AlertChanges([msgspec.json.decode(body) for _, _, body in rows], urlencode(seen))

    def alert(self, tenant: str, alert_id: str) -> dict[str, Any] | None:
        """Return one alert as it stands; None: there is no such alert."""
        rows = self._rows(sql.ALERT, {"tenant": tenant, "id": alert_id})
        return msgspec.json.decode(rows[0][0]) if rows else None

    def evidence(self, tenant: str, alert_id: str, limit: int = LIMIT_MAX) -> list[Evidence]:
        """Return the accesses an alert rests on, oldest first, with the records they came in; none: no such alert."""
        rows = self._rows(sql.ALERT, {"tenant": tenant, "id": alert_id})
        if not rows:
            return []
        _, keys, first, last = rows[0]
        found = self._by_key(tenant, keys, first, last + 1, limit)
        if len(found) < min(len(set(keys)), _bounded(limit)):
            found = self._by_key(tenant, keys, TIME_MIN_US, TIME_MAX_US, limit)
        raw = self._raw(tenant, found)
        return [Evidence(access, raw.get((access.source, access.partition, access.offset))) for access in found]

    def events_of_rule(
        self,
        tenant: str,
        statement: str,
        told: dict[str, Any],
        since: int | None = None,
        until: int | None = None,
        limit: int = 100,
    ) -> list[dict[str, Any]]:
        """Return the events that a rule's statement gives, with their keys (hex) and times; `told`: what is bound in it."""
        rows = self._rows(statement, told | {"tenant": tenant, "limit": limit, **_period(since, until)})
        return [
            dict(zip(("key", "occurred_at", "source", "id", "actor_id", "patient_id"), (key, rfc3339(at), *rest), strict=True))
            for key, at, *rest in rows
        ]

    def counts(self, tenant: str, since: int | None = None, until: int | None = None) -> Counts:
        """Return how much is kept in whole days (UTC), of which the first and the last hold `since` and `until`."""
        asked = {"tenant": tenant, **_period(since, until)}
        alerts: dict[str, int] = dict(self._rows(sql.ALERTS_BY_DAY, asked))
        days = {day: (events, on_patients, explained) for day, events, on_patients, explained in self._rows(sql.COUNTS, asked)}
        every = sorted(days.keys() | alerts.keys(), reverse=True)
        return _total([DayCounts(day, *days.get(day, (0, 0, 0)), alerts.get(day, 0)) for day in every])

    def _accesses(
        self,
        of: str,
        tenant: str,
        ids: Sequence[str],
        since: int | None,
        until: int | None,
        limit: int,
        before: str | None,
    ) -> AccessPage:
        asked = {"of": of, "tenant": tenant, "ids": list(ids), "limit": _bounded(limit), **_period(since, until)}
        return _access_page(self._rows(sql.ACCESSES, asked | _access_cursor(before)), limit)

    def _by_key(self, tenant: str, keys: Sequence[str], since: int, until: int, limit: int) -> list[Access]:
        asked = {"tenant": tenant, "keys": list(keys), "limit": _bounded(limit), **_period(since, until)}
        return [_access(row) for row in self._rows(sql.ACCESSES_BY_KEY, asked)]

    def _raw(self, tenant: str, accesses: Sequence[Access]) -> dict[tuple[str, int, int], str]:
        places = sorted({(access.partition, access.offset) for access in accesses if access.offset >= 0})
        rows = self._rows(sql.RAW_RECORDS, {"tenant": tenant, "places": places}, {"String": "bytes"})
        return {(source.decode(), *place): raw.decode("utf-8", "backslashreplace") for source, *place, raw in rows}

    def _rows(self, query: str, asked: dict[str, Any], formats: dict[str, str] | None = None) -> list[tuple[Any, ...]]:
        with without_data("answer"):
            rows = self._client.query(query, parameters=asked, query_formats=formats).result_rows
            return [tuple(row) for row in rows]


def _access_page(rows: list[tuple[Any, ...]], limit: int) -> AccessPage:
    following = f"{rows[-1][3]} {rows[-1][0]}" if len(rows) == _bounded(limit) else None
    return AccessPage([_access(row) for row in rows], following)


def _access(row: tuple[Any, ...]) -> Access:
    kept: dict[str, Any] = dict(zip(_ACCESS, row, strict=True))
    for name in ("occurred_at", "received_at"):
        kept[name] = rfc3339(kept[name])
    kept["p_value"] = None if isnan(kept["p_value"]) else kept["p_value"]
    kept["weighed"] = msgspec.json.decode(kept["weighed"]) if kept["weighed"] else {}
    return Access(**kept)


def _summary(row: tuple[Any, ...]) -> ActorSummary:
    kept: dict[str, Any] = dict(zip(_SUMMARY, row, strict=True))
    return ActorSummary(**kept | {"first": rfc3339(kept["first"]), "last": rfc3339(kept["last"])})


def _total(days: list[DayCounts]) -> Counts:
    accesses = sum(day.accesses for day in days)
    explained = sum(day.explained for day in days) / accesses if accesses else None
    return Counts(sum(day.events for day in days), accesses, sum(day.alerts for day in days), explained, days)


def _wanted(mark: bool | None) -> str:
    return "" if mark is None else "yes" if mark else "no"


def _bounded(limit: int) -> int:
    return max(1, min(limit, LIMIT_MAX))


def _period(since: int | None, until: int | None) -> dict[str, int]:
    return {
        "since": TIME_MIN_US if since is None else max(since, TIME_MIN_US),
        "until": TIME_MAX_US if until is None else min(until, TIME_MAX_US),
    }


def _access_cursor(before: str | None) -> dict[str, int | str]:
    at, _, key = (before or f"{TIME_MAX_US} ").partition(" ")
    return {"before_at": int(at), "before_key": key}


def _edge(after: str | None, *, latest_first: bool) -> dict[str, int | str]:
    """Return what a search goes on behind."""
    at, _, key = (after or f"{TIME_MAX_US if latest_first else TIME_MIN_US} ").partition(" ")
    return {"edge_at": int(at), "edge_key": key}


def _values(test: str, values: Sequence[Any]) -> Any:
    """Return the values of a test as the client takes them: pairs as tuples, a column's name alone.

    Raises:
        ValueError: no column that may be asked of.
    """
    if test in {"empty", "told"}:
        [column] = values
        if column not in sql.TESTED:
            raise ValueError("no such column")
        return column
    return [tuple(value) if isinstance(value, list) else value for value in values]


def _alert_cursor(before: str | None) -> dict[str, float | str]:
    rank, _, id_ = (before or "inf ").partition(" ")
    return {"before_rank": float(rank), "before_id": id_}


def _lanes(cursor: str | None) -> dict[str, int]:
    return {lane: int(sequence) for lane, sequence in parse_qsl(cursor or "", keep_blank_values=True)}
