"""What a page draws of an answer: bars, weeks, days and rows as shapes and figures. Knows no HTTP and no HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec

from sentinel.core.event import microseconds
from sentinel.core.explain import EXPLANATIONS, Explanation
from sentinel.web.language import Language
from sentinel.web.texts import Words

Answer = Mapping[str, Any]
TIMES_MAX: Final = 100
BAR_LEAST: Final = 0.5  # of 100: what is not nothing is seen
HEAT_LEVELS: Final = 5
TIMELINE_TICKS: Final = 200
TREND_DAYS: Final = 14
CSV_COLUMNS: Final = (
    "occurred_at",
    "actor_id",
    "actor_role",
    "actor_unit",
    "action",
    "outcome",
    "patient_id",
    "resource_type",
    "resource_id",
    "resource_count",
    "client_address",
    "device",
    "application",
    "site",
    "explained_by",
    "purpose",
    "reason",
    "detectors",
    "source",
    "id",
)
_REASON_WORDS: Final = {e.name: Words(e.fr, e.en) for e in EXPLANATIONS}


# ids in paths


def segment(id_: str) -> str:
    """Return an id as one segment of a path: `~` and `/` as in a JSON pointer (RFC 6901), the rest in percent.

    An encoded slash is decoded too early by servers and proxies. Browsers resolve `.` and `..`, encoded or not:
    an id of dots alone has them as `~2`.
    """
    text = id_.replace("~", "~0").replace("/", "~1")
    if not text.strip("."):
        text = text.replace(".", "~2")
    return quote(text, safe="~", errors="replace")


def id_of(segment_: str) -> str:
    """Return the id of a path segment, its percent signs already decoded."""
    return segment_.replace("~2", ".").replace("~1", "/").replace("~0", "~")


# periods


@dataclass(frozen=True, slots=True)
class Period:
    """Days of the site, both included; None: open. `since_us`, `until_us`: the same as [since, until) in µs UTC."""

    since: date | None
    until: date | None
    since_us: int | None
    until_us: int | None


def period_of(since: str, until: str, zone: ZoneInfo) -> Period:
    """Return the period between two ISO 8601 dates, either of which may be empty.

    Raises:
        ValueError: not a date.
    """
    first = date.fromisoformat(since) if since else None
    last = date.fromisoformat(until) if until else None
    return Period(
        first,
        last,
        None if first is None else start_of_day(first, zone),
        None if last is None else start_of_day(last + timedelta(days=1), zone),
    )


def start_of_day(day: date, zone: ZoneInfo) -> int:
    """Return in µs UTC when a day begins at the site."""
    return microseconds(datetime(day.year, day.month, day.day, tzinfo=zone))


# reasons

_FIRST_CLAUSE: Final = re.compile(r"\s?;\s|\.(?:\s|$)")


def headline(alert: Answer, t: Language) -> tuple[str, str]:
    """Return an alert's strongest reason as what happened and the rest: what is usual, what else is known."""
    if not alert["reasons"]:
        return ", ".join(spelled(name) for name in alert["detectors"]), ""
    text: str = alert["reasons"][0]["text"][t.code]
    what, *rest = _FIRST_CLAUSE.split(text, maxsplit=1)
    return what, "".join(rest)


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure beside its bar. `width` in [0, 100]; None: not a number, or not known (`text` empty)."""

    label: str
    text: str
    width: float | None


def bars(reason: Answer, t: Language) -> list[Bar]:
    """Return what was observed, then what is usual for the person and for peers, on one scale from 0."""
    figures = {
        "alert.observed": reason["observed"],
        "alert.usual.actor": reason["usual"]["actor"],
        "alert.usual.peers": reason["usual"]["peers"],
    }
    top = max((abs(value) for value in figures.values() if _is_number(value)), default=0)
    return [
        Bar(
            t(label),
            "" if value is None else t.scalar(value),
            max(round(100 * abs(value) / top, 2), BAR_LEAST if value else 0.0) if _is_number(value) and top else None,
        )
        for label, value in figures.items()
    ]


def comparison(reason: Answer, t: Language) -> str:
    """Return how many times the usual was observed, the person's own first; empty under twice, or when it happened once."""
    for key, usual in (("alert.ratio", reason["usual"]["actor"]), ("alert.ratio.peers", reason["usual"]["peers"])):
        observed = reason["observed"]
        if _is_number(observed) and _is_number(usual) and usual > 0:
            times = observed / usual
            return t(key, n=_multiple(times, t)) if times >= 2 and observed >= 2 else ""
    return ""


def _multiple(times: float, t: Language) -> str:
    """Return how many times in words: a share of nothing is not worth its digits."""
    if times > TIMES_MAX:
        return t("alert.ratio.over", n=t.number(TIMES_MAX))
    return t.number(round(times, 0 if times >= 10 else 1))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def reason_words(name: str, t: Language) -> str:
    """Return an ordinary reason in words; a reason of a newer or older version by its name."""
    words = _REASON_WORDS.get(name)
    return t.words(words) if words else spelled(name)


def window(name: str, t: Language) -> str:
    """Return the days around what it refers to within which an ordinary reason holds; empty: none is declared."""
    found: Explanation | None = next((e for e in EXPLANATIONS if e.name == name), None)
    if found is None or not (found.before_days or found.after_days):
        return ""
    before, after = (t.count("n.days", int(days)) for days in (found.before_days, found.after_days))
    return t("alert.window", before=before, after=after) if found.before_days else t("alert.window.after", after=after)


def spelled(name: str) -> str:
    """Return a plug-in's name as words."""
    return name.replace("_", " ").replace("-", " ")


# a week of hours


@dataclass(frozen=True, slots=True)
class Cell:
    """One hour of the week. `level` 0: none, then 1..`HEAT_LEVELS` by quantiles of the hours with activity."""

    day: int
    hour: int
    count: int
    level: int


def heat(week: Sequence[Sequence[int]]) -> list[Cell]:
    """Return the 168 hours of a week (7 rows of 24 counts, Monday first) with how busy each is."""
    busy = sorted(count for day in week for count in day if count)
    bounds = [busy[len(busy) * step // HEAT_LEVELS] for step in range(1, HEAT_LEVELS)] if busy else []
    return [
        Cell(day, hour, count, 1 + sum(count > bound for bound in bounds) if count else 0)
        for day, counts in enumerate(week)
        for hour, count in enumerate(counts)
    ]


def busiest(cells: Iterable[Cell]) -> Cell | None:
    """Return the busiest hour of the week, the earliest of equals; None without any activity."""
    top = max(cells, key=lambda cell: cell.count, default=None)
    return top if top and top.count else None


# days and moments


@dataclass(frozen=True, slots=True)
class Column:
    """One day of a trend. `height` in [0, 100] of the highest."""

    day: date
    count: int
    height: float


def trend(days: Sequence[Answer], last: date, alerts_last: int) -> list[Column]:
    """Return the alerts of the `TREND_DAYS` days up to `last`, the oldest first.

    The store counts days in UTC; the last one is counted apart, from the site's midnight on.
    """
    alerts = {row["day"]: row["alerts"] for row in days} | {last.isoformat(): alerts_last}
    shown = [last - timedelta(days=back) for back in reversed(range(TREND_DAYS))]
    counts = [alerts.get(day.isoformat(), 0) for day in shown]
    top = max(counts) or 1
    return [Column(day, count, 100 * count / top) for day, count in zip(shown, counts, strict=True)]


def timeline(moments: Sequence[int]) -> list[float]:
    """Return where moments (µs, in any order) lie between the first and the last, in [0, 100]: each place once."""
    if not moments:
        return []
    first, span = min(moments), (max(moments) - min(moments)) or 1
    places = {round(TIMELINE_TICKS * (moment - first) / span) for moment in moments}
    return [100 * place / TIMELINE_TICKS for place in sorted(places)] if span > 1 else [50.0]


def moments_of(evidence: Sequence[Answer]) -> list[int]:
    """Return when the accesses of an alert happened, µs UTC."""
    return [microseconds(datetime.fromisoformat(row["access"]["occurred_at"])) for row in evidence]


def is_striking(access: Answer) -> bool:
    """Whether an access is what an alert is about: flagged itself, or on a patient without an ordinary reason."""
    return bool(access["detectors"]) or bool(access["patient_id"] and not access["explained_by"])


def striking_first(patients: Sequence[str], striking: Sequence[Answer]) -> list[str]:
    """Return the patients of an alert, those of its striking accesses before those that only belong to the picture."""
    meant = {row["access"]["patient_id"] for row in striking}
    return sorted(patients, key=lambda id_: (id_ not in meant, id_))


# raw records and files


def pretty(raw: str) -> str:
    """Return JSON laid out over lines with every character of its values as it came; anything else unchanged."""
    try:
        return msgspec.json.format(raw, indent=2)
    except (msgspec.DecodeError, RecursionError):
        return raw


def csv_line(values: Iterable[Any], separator: str) -> str:
    """Return one line of a CSV file (RFC 4180), whose cells no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return separator.join(_cell(str(value), separator) for value in values) + "\r\n"


def _cell(text: str, separator: str) -> str:
    safe = f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
    return '"' + safe.replace('"', '""') + '"' if any(c in safe for c in (separator, '"', "\n", "\r")) else safe


def csv_values(access: Answer, t: Language) -> list[str]:
    """Return an access as the cells of `CSV_COLUMNS`: ids as they are, value sets in words, time with the site's offset."""
    shown = {
        "occurred_at": t.local(access["occurred_at"]).isoformat(),
        "action": t.named("action", access["action"]),
        "outcome": t.named("outcome", access["outcome"]),
        "explained_by": reason_words(access["explained_by"], t) if access["explained_by"] else "",
        "detectors": " ".join(access["detectors"]),
    }
    return [str(shown.get(column, access[column])) for column in CSV_COLUMNS]


def totals(summary: Sequence[Answer]) -> dict[str, Any]:
    """Return a patient's accesses in all: count, explained, share explained (None without any), people, first, last."""
    count = sum(row["count"] for row in summary)
    explained = sum(row["explained"] for row in summary)
    return {
        "count": count,
        "explained": explained,
        "share": explained / count if count else None,
        "people": len(summary),
        "first": min((row["first"] for row in summary), key=datetime.fromisoformat, default=None),
        "last": max((row["last"] for row in summary), key=datetime.fromisoformat, default=None),
    }
