"""The questions people ask of what is kept, each by name. Times are µs since 1970 UTC where asked, RFC 3339 where answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlencode
from zoneinfo import available_timezones

import msgspec
from clickhouse_connect.driver.client import Client

from sentinel.core.alert import rfc3339
from sentinel.core.event import TIME_MAX_US, TIME_MIN_US
from sentinel.store.errors import without_data

LIMIT_MAX: Final = 1_000
Order = Literal["priority", "time"]


@dataclass(frozen=True, slots=True)
class Access:
    """One access as it is kept, with what was concluded of it. `key` in hex; `p_value` None: no opinion."""

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
    explained_by: str
    p_value: float | None
    detectors: list[str]
    weighed: dict[str, float | str]


@dataclass(frozen=True, slots=True)
class AccessPage:
    """Accesses, the latest first; `next` continues as `before`, None at the end."""

    accesses: list[Access]
    next: str | None


@dataclass(frozen=True, slots=True)
class ActorSummary:
    """What one person or service did with a patient's record: how often, how often with an ordinary reason."""

    actor_id: str
    actor_type: str
    actor_role: str
    actor_unit: str
    first: str
    last: str
    count: int
    explained: int


@dataclass(frozen=True, slots=True)
class AlertPage:
    """Alerts as `alerts.ndjson` gives them; `next` continues as `before`, None at the end."""

    alerts: list[dict[str, Any]]
    next: str | None


@dataclass(frozen=True, slots=True)
class AlertChanges:
    """Alerts new or changed since a cursor, in the order of change; `cursor` for the next time."""

    alerts: list[dict[str, Any]]
    cursor: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """An access an alert rests on, and the record it came in, when that was kept.

    `raw`: text; bytes that are not UTF-8 are shown as \\xNN.
    """

    access: Access
    raw: str | None


@dataclass(frozen=True, slots=True)
class DayCounts:
    """What happened on one day (UTC, ISO 8601). `accesses`: events on a patient; `explained`: of these."""

    day: str
    events: int
    accesses: int
    explained: int
    alerts: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What is kept. `explained`: share of the accesses to patients that have an ordinary reason; None without any."""

    events: int
    accesses: int
    alerts: int
    explained: float | None
    days: list[DayCounts]


_COLUMNS: Final = """
    hex(key), source, id, toUnixTimestamp64Micro(occurred_at) AS at, toUnixTimestamp64Micro(received_at), action, outcome,
    actor_id, actor_type, actor_role, actor_unit, actor_rpps, patient_id, resource_type, resource_id, resource_sensitivity,
    resource_count, purpose, reason, client_address, device, application, site, session, destination,
    partition, offset, ordinal, explained_by, p_value, detectors, weighed"""
_PERIOD: Final = "occurred_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') AND occurred_at < fromUnixTimestamp64Micro({until:Int64}, 'UTC')"
_BEFORE: Final = "AND (toUnixTimestamp64Micro(occurred_at), hex(key)) < ({before_at:Int64}, {before_key:String})"


class Questions:
    """What is asked of the store, through one client that reads."""

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
        """Return who opened a patient's record, under any of its ids, in [since, until), the latest first."""
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
        """Return what a person or service did, under any of their ids, in [since, until), the latest first."""
        return self._accesses("actor_id", tenant, actor_ids, since, until, limit, before)

    def summary_of_patient(
        self,
        tenant: str,
        patient_ids: Sequence[str],
        since: int | None = None,
        until: int | None = None,
        limit: int = LIMIT_MAX,
    ) -> list[ActorSummary]:
        """Return who opened a patient's record, a line an actor, the most recent first."""
        rows = self._rows(
            f"""SELECT actor_id, any(actor_type), argMax(actor_role, occurred_at), argMax(actor_unit, occurred_at),
                toUnixTimestamp64Micro(min(occurred_at)), toUnixTimestamp64Micro(max(occurred_at)) AS last, count(), countIf(explained_by != '')
            FROM access WHERE tenant = {{tenant:String}} AND patient_id IN {{ids:Array(String)}} AND {_PERIOD}
            GROUP BY actor_id ORDER BY last DESC, actor_id LIMIT {{limit:UInt32}}""",
            tenant=tenant,
            ids=list(patient_ids),
            limit=_bounded(limit),
            **_period(since, until),
        )
        return [ActorSummary(*who, rfc3339(first), rfc3339(last), count, explained) for *who, first, last, count, explained in rows]

    def hour_by_weekday(
        self,
        tenant: str,
        actor_ids: Sequence[str],
        since: int | None = None,
        until: int | None = None,
        timezone: str = "UTC",
    ) -> list[list[int]]:
        """Return how many events an actor has in each hour of the week: 7 rows (Monday first) of 24.

        Raises:
            ValueError: there is no such time zone.
        """
        if timezone not in available_timezones():
            raise ValueError("no such time zone")
        rows = self._rows(
            f"""SELECT toDayOfWeek(occurred_at, 1, {{timezone:String}}) AS day, toHour(occurred_at, {{timezone:String}}) AS hour, count()
            FROM access WHERE tenant = {{tenant:String}} AND actor_id IN {{ids:Array(String)}} AND {_PERIOD} GROUP BY day, hour""",
            tenant=tenant,
            ids=list(actor_ids),
            timezone=timezone,
            **_period(since, until),
        )
        week = [[0] * 24 for _ in range(7)]
        for day, hour, count in rows:
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
        order: Order = "priority",
        limit: int = 100,
        before: str | None = None,
    ) -> AlertPage:
        """Return the queue, each story as it stands: those last seen in [since, until), by priority or the latest first."""
        rank = {"priority": "priority", "time": "toFloat64(toUnixTimestamp64Micro(last_seen))"}[order]
        rows = self._rows(
            f"""SELECT body, {rank} AS rank, id FROM alert FINAL
            WHERE tenant = {{tenant:String}} AND priority >= {{min_priority:Float64}}
                AND last_seen >= fromUnixTimestamp64Micro({{since:Int64}}, 'UTC') AND last_seen < fromUnixTimestamp64Micro({{until:Int64}}, 'UTC')
                AND ({{severity:String}} = '' OR severity = {{severity:String}})
                AND ({{detector:String}} = '' OR has(detectors, {{detector:String}}))
                AND ({{actor:String}} = '' OR actor = {{actor:String}})
                AND ({{patient:String}} = '' OR has(patients, {{patient:String}}))
                {"AND (rank, id) < ({before_rank:Float64}, {before_id:String})" if before else ""}
            ORDER BY rank DESC, id DESC LIMIT {{limit:UInt32}}""",
            tenant=tenant,
            min_priority=min_priority,
            severity=severity or "",
            detector=detector or "",
            actor=actor or "",
            patient=patient or "",
            limit=_bounded(limit),
            **_period(since, until),
            **_alert_cursor(before),
        )
        last = f"{rows[-1][1]!r} {rows[-1][2]}" if len(rows) == _bounded(limit) else None
        return AlertPage([msgspec.json.decode(body) for body, _, _ in rows], last)

    def alerts_changed_since(self, tenant: str, cursor: str | None = None, limit: int = 100) -> AlertChanges:
        """Return the alerts written after `cursor` (None: from the beginning), oldest change first.

        The cursor only grows: a change is told once, whatever else is written meanwhile.
        """
        seen = _lanes(cursor)
        rows = self._rows(
            """SELECT lane, sequence, body FROM alert FINAL
            WHERE tenant = {tenant:String} AND sequence > transform(lane, {lanes:Array(String)}, {sequences:Array(UInt64)}, 0)
            ORDER BY lane, sequence LIMIT {limit:UInt32}""",
            tenant=tenant,
            lanes=["", *seen],
            sequences=[seen.get("", 0), *seen.values()],
            limit=_bounded(limit),
        )
        seen.update({lane: sequence for lane, sequence, _ in rows})
        return AlertChanges([msgspec.json.decode(body) for _, _, body in rows], urlencode(seen))

    def alert(self, tenant: str, alert_id: str) -> dict[str, Any] | None:
        """Return one alert as it stands; None: there is no such alert."""
        rows = self._rows(
            "SELECT body FROM alert FINAL WHERE tenant = {tenant:String} AND id = {id:String}",
            tenant=tenant,
            id=alert_id,
        )
        return msgspec.json.decode(rows[0][0]) if rows else None

    def evidence(self, tenant: str, alert_id: str, limit: int = LIMIT_MAX) -> list[Evidence]:
        """Return the accesses an alert rests on, oldest first, with the records they came in."""
        alert = self.alert(tenant, alert_id)
        if alert is None:
            return []
        rows = self._rows(
            f"""SELECT {_COLUMNS} FROM access
            WHERE tenant = {{tenant:String}} AND key IN (SELECT toFixedString(unhex(arrayJoin({{keys:Array(String)}})), 16))
            ORDER BY at, key LIMIT {{limit:UInt32}}""",
            tenant=tenant,
            keys=alert["event_keys"],
            limit=_bounded(limit),
        )
        accesses = [_access(row) for row in rows]
        raw = self._raw(tenant, accesses)
        return [Evidence(access, raw.get((access.partition, access.offset))) for access in accesses]

    def counts(self, tenant: str, since: int | None = None, until: int | None = None) -> Counts:
        """Return how much is kept, in all and by day, the latest day first."""
        rows = self._rows(
            f"""SELECT toString(toDate(occurred_at)) AS day, count(), countIf(patient_id != ''), countIf(patient_id != '' AND explained_by != '')
            FROM access WHERE tenant = {{tenant:String}} AND {_PERIOD} GROUP BY day ORDER BY day DESC""",
            tenant=tenant,
            **_period(since, until),
        )
        alerts = self._alerts_by_day(tenant, since, until)
        days = [DayCounts(*row, alerts.pop(row[0], 0)) for row in rows]
        days += [DayCounts(day, 0, 0, 0, count) for day, count in alerts.items()]
        return _total(sorted(days, key=lambda day: day.day, reverse=True))

    def _alerts_by_day(self, tenant: str, since: int | None, until: int | None) -> dict[str, int]:
        rows = self._rows(
            """SELECT toString(toDate(last_seen)) AS day, count() FROM alert FINAL WHERE tenant = {tenant:String}
            AND last_seen >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') AND last_seen < fromUnixTimestamp64Micro({until:Int64}, 'UTC')
            GROUP BY day""",
            tenant=tenant,
            **_period(since, until),
        )
        return {day: count for day, count in rows}

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
        at, key = _access_cursor(before)
        rows = self._rows(
            f"""SELECT {_COLUMNS} FROM access
            WHERE tenant = {{tenant:String}} AND {of} IN {{ids:Array(String)}} AND {_PERIOD} {_BEFORE if before else ""}
            ORDER BY occurred_at DESC, key DESC LIMIT {{limit:UInt32}}""",
            tenant=tenant,
            ids=list(ids),
            limit=_bounded(limit),
            before_at=at,
            before_key=key,
            **_period(since, until),
        )
        last = f"{rows[-1][3]} {rows[-1][0]}" if len(rows) == _bounded(limit) else None
        return AccessPage([_access(row) for row in rows], last)

    def _raw(self, tenant: str, accesses: Sequence[Access]) -> dict[tuple[int, int], str]:
        places = sorted({(access.partition, access.offset) for access in accesses if access.offset >= 0})
        rows = self._rows(
            """SELECT partition, offset, raw FROM raw_record
            WHERE tenant = {tenant:String} AND (partition, offset) IN {places:Array(Tuple(Int64, Int64))}
            LIMIT 1 BY partition, offset""",
            tenant=tenant,
            places=places,
        )
        return {(partition, offset): _shown(raw) for partition, offset, raw in rows}

    def _rows(self, query: str, **asked: Any) -> Sequence[Sequence[Any]]:
        with without_data("answer"):
            return self._client.query(query, parameters=asked).result_rows


def _access(row: Sequence[Any]) -> Access:
    key, source, id_, occurred_at, received_at, *told, p_value, detectors, weighed = row
    return Access(
        key.lower(),
        source,
        id_,
        rfc3339(occurred_at),
        rfc3339(received_at),
        *told,
        None if p_value != p_value else p_value,
        list(detectors),
        msgspec.json.decode(weighed) if weighed else {},
    )


def _total(days: list[DayCounts]) -> Counts:
    accesses = sum(day.accesses for day in days)
    explained = sum(day.explained for day in days) / accesses if accesses else None
    return Counts(sum(day.events for day in days), accesses, sum(day.alerts for day in days), explained, days)


def _bounded(limit: int) -> int:
    return max(1, min(limit, LIMIT_MAX))


def _period(since: int | None, until: int | None) -> dict[str, int]:
    return {"since": TIME_MIN_US if since is None else since, "until": TIME_MAX_US if until is None else until}


def _access_cursor(before: str | None) -> tuple[int, str]:
    at, _, key = (before or "0 ").partition(" ")
    return int(at), key


def _alert_cursor(before: str | None) -> dict[str, float | str]:
    rank, _, id_ = (before or "0 ").partition(" ")
    return {"before_rank": float(rank), "before_id": id_}


def _lanes(cursor: str | None) -> dict[str, int]:
    return {lane: int(sequence) for lane, sequence in parse_qsl(cursor or "", keep_blank_values=True)}


def _shown(raw: str | bytes) -> str:
    return raw if isinstance(raw, str) else raw.decode("utf-8", "backslashreplace")
