"""How good alerts are against labels: recall by kind of misuse, precision, workload, time to detect."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from math import isfinite, sqrt
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import msgspec

from sentinel.core.errors import SentinelError
from sentinel.core.event import microseconds, moment

Z_95 = 1.959964  # the normal deviate of a two-sided interval of 95 %
DAY_US = 86_400_000_000


class EvaluationError(SentinelError):
    """A file that cannot be evaluated: which one and which line, never what it says."""

    def __init__(self, path: Path, line: int, why: str) -> None:
        super().__init__(f"{path}:{line}: {why}")
        self.path, self.line, self.why = path, line, why


class Label(NamedTuple):
    """One event known to be misuse, in which case, of which kind."""

    event_id: str
    label: str
    case: str


@dataclass(frozen=True)
class Rate:
    """A share of hits: None when there was nothing to hit. `low` and `high`: Wilson's interval, 95 %."""

    hits: int
    total: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class KindResult:
    """What was found of one kind of misuse. Seconds and counts are medians over the cases found."""

    label: str
    cases: Rate
    events: Rate
    seconds_to_detect: float | None
    events_to_detect: float | None


@dataclass(frozen=True)
class Evaluation:
    """Alerts held against labels.

    `precision_first`: among the `cases.total` alerts of highest priority. `seconds_to_detect`: from a
    case's first event to the first of its events that an alert holds, None when times are not known;
    `events_to_detect`: how many of its events came before that one. Both are medians over cases found.
    """

    alerts: int
    days: float | None
    alerts_per_day: float | None
    cases: Rate
    events: Rate
    precision: Rate
    precision_first: Rate
    seconds_to_detect: float | None
    events_to_detect: float | None
    kinds: tuple[KindResult, ...]
    missed: tuple[str, ...]

    def to_json(self) -> str:
        """Return the evaluation as one line of JSON; the same evaluation gives the same bytes."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """Return a table for a console: kind, cases found, recall, its interval, time to detect."""
        rows = [_row(kind.label, kind.cases, kind.seconds_to_detect) for kind in self.kinds]
        return [*rows, _row("all cases", self.cases, self.seconds_to_detect)]

    def figures(self) -> list[tuple[str, str]]:
        """Return the other figures for a console, each with its name."""
        workload = "-" if self.alerts_per_day is None else f"{self.alerts_per_day:.1f}"
        return [
            ("alerts", str(self.alerts)),
            ("alerts a day", workload),
            ("precision", _percent(self.precision)),
            (f"precision of the first {self.precision_first.total}", _percent(self.precision_first)),
            ("events recalled", _percent(self.events)),
        ]


# --- the measures ------------------------------------------------------------------------------------


def rate(hits: int, total: int) -> Rate:
    """Return `hits` of `total` with Wilson's score interval (Wilson 1927), which holds for few cases and at 0 and 1."""
    if total == 0:
        return Rate(0, 0, None, None, None)
    share, square = hits / total, Z_95**2
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = Z_95 * sqrt(share * (1 - share) / total + square / (4 * total**2)) / (1 + square / total)
    # Rounding could push a bound past the share itself at 0 and 1.
    return Rate(hits, total, share, min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))


def evaluate(
    alerts: Iterable[Mapping[str, Any]],
    labels: Iterable[Label],
    days: float | None = None,
    times: Mapping[str, int] | None = None,
) -> Evaluation:
    """Return how well alerts find labelled cases.

    A case is found when an alert holds one of its events; an alert is right when it holds a labelled event.

    Args:
        alerts: as in `alerts.ndjson`; of two with one id, the one of the higher `version` counts.
        labels: in order of time.
        days: length of the period; None takes it from the alerts, first event to last, one day at least.
        times: µs of labelled events by id; None leaves the seconds to detect unknown.
    """
    current = _current(alerts)
    cases: dict[str, list[Label]] = defaultdict(list)
    for label in dict.fromkeys(labels):
        cases[label.case].append(label)
    labelled = {label.event_id for events in cases.values() for label in events}
    held = {event for alert in current for event in alert["event_ids"]}
    first = current[: len(cases)]
    days = _span_days(current) if days is None else days
    found = {case: delay for case, events in cases.items() if (delay := _delay(events, held, times)) is not None}
    return Evaluation(
        alerts=len(current),
        days=days,
        alerts_per_day=len(current) / days if days else None,
        cases=rate(len(found), len(cases)),
        events=rate(len(labelled & held), len(labelled)),
        precision=_precision(current, labelled),
        precision_first=_precision(first, labelled),
        seconds_to_detect=_median(delay.seconds for delay in found.values()),
        events_to_detect=_median(delay.events for delay in found.values()),
        kinds=tuple(_kinds(cases, found, held)),
        missed=tuple(sorted(cases.keys() - found.keys())),
    )


class _Delay(NamedTuple):
    seconds: float | None
    events: int


def _current(alerts: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the latest version of each alert, the highest priority first, ties by id."""
    latest: dict[tuple[str, str], Mapping[str, Any]] = {}
    for alert in alerts:
        key = str(alert.get("tenant", "")), str(alert["id"])
        if key not in latest or alert.get("version", 0) >= latest[key].get("version", 0):
            latest[key] = alert
    return sorted(latest.values(), key=lambda alert: (-alert["priority"], str(alert["id"])))


def _delay(events: Sequence[Label], held: set[str], times: Mapping[str, int] | None) -> _Delay | None:
    """Return how late a case was found; None when it was not."""
    ids = [event.event_id for event in events]
    place = next((n for n, event in enumerate(ids) if event in held), None)
    if place is None:
        return None
    known = [times[event] for event in ids if event in times] if times else []
    caught = [times[event] for event in ids if event in times and event in held] if times else []
    return _Delay((min(caught) - min(known)) / 1e6 if caught else None, place)


def _precision(alerts: Sequence[Mapping[str, Any]], labelled: set[str]) -> Rate:
    return rate(sum(not labelled.isdisjoint(alert["event_ids"]) for alert in alerts), len(alerts))


def _kinds(cases: Mapping[str, Sequence[Label]], found: Mapping[str, _Delay], held: set[str]) -> Iterator[KindResult]:
    by_kind: dict[str, list[str]] = defaultdict(list)
    for case, events in cases.items():
        by_kind[events[0].label].append(case)
    for kind in sorted(by_kind):
        mine = by_kind[kind]
        ids = {label.event_id for case in mine for label in cases[case]}
        delays = [found[case] for case in mine if case in found]
        yield KindResult(
            kind,
            rate(len(delays), len(mine)),
            rate(len(ids & held), len(ids)),
            _median(delay.seconds for delay in delays),
            _median(delay.events for delay in delays),
        )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(median(known)) if known else None


def _span_days(alerts: Sequence[Mapping[str, Any]]) -> float | None:
    if not alerts:
        return None
    seen = [microseconds(moment(alert[key])) for alert in alerts for key in ("first_seen", "last_seen")]
    return max(1.0, (max(seen) - min(seen)) / DAY_US)


def _percent(share: Rate) -> str:
    if share.value is None or share.low is None or share.high is None:
        return "-"
    return f"{100 * share.value:.0f} % ({100 * share.low:.0f} to {100 * share.high:.0f})"


def _row(name: str, cases: Rate, seconds: float | None) -> tuple[str, str, str, str, str]:
    value, _, interval = _percent(cases).partition(" (")
    return name, f"{cases.hits}/{cases.total}", value, interval.rstrip(")") or "-", "-" if seconds is None else _span(seconds)


def _span(seconds: float) -> str:
    """Return a duration in the largest unit that leaves one or more of it."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


# --- the files ---------------------------------------------------------------------------------------


def evaluate_folder(out: Path, labels: Path) -> Evaluation:
    """Return the evaluation of `OUT/alerts.ndjson`, over the days that `OUT/summary.json` tells if it does.

    Times of events are taken from an `events.ndjson` of AuditEvents beside the labels, if there is one.

    Raises:
        EvaluationError: a file is missing or malformed; it tells the file and the line.
    """
    known = list(read_labels(labels))
    events = labels.with_name("events.ndjson")
    times = read_times(events, {label.event_id for label in known}) if events.is_file() else None
    return evaluate(read_alerts(out / "alerts.ndjson"), known, read_days(out / "summary.json"), times)


def read_labels(path: Path) -> Iterator[Label]:
    """Yield the labels of a tab-separated file: event id, label, case id; a first line of headings is skipped.

    Raises:
        EvaluationError: a line that has not three fields that say something.
    """
    for number, line in _lines(path):
        fields = [field.strip() for field in line.rstrip("\r\n").split("\t")]
        if number == 1 and fields[0].casefold().replace(" ", "_") in ("event", "event_id", "id"):
            continue
        if fields == [""]:
            continue
        if len(fields) < 3 or not all(fields[:3]):
            raise EvaluationError(path, number, "not an event id, a label and a case id separated by tabs")
        yield Label(*fields[:3])


def read_alerts(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the alerts of an NDJSON file.

    Raises:
        EvaluationError: a line that is not an alert with its id, priority, event ids and times.
    """
    for number, line in _lines(path):
        if line.strip():
            alert = _object(path, number, line)
            if not _is_alert(alert):
                raise EvaluationError(path, number, "not an alert with id, priority, event_ids, first_seen and last_seen")
            yield alert


def read_days(path: Path) -> float | None:
    """Return `days` of a summary, None when it has none.

    Raises:
        EvaluationError: the file is missing or not a JSON object, or its `days` is no length of time.
    """
    text = "".join(line for _, line in _lines(path))
    days = _object(path, 1, text).get("days")
    if days is None:
        return None
    if not _is_number(days) or days <= 0:
        raise EvaluationError(path, 1, "days is not a number above 0")
    return float(days)


class _Recorded(msgspec.Struct, gc=False):
    """What an event's time is read from: an AuditEvent's `recorded`, or `occurred_at` of Sentinel's own format."""

    id: str | None = None
    recorded: str | None = None
    occurred_at: str | None = None


def read_times(path: Path, ids: set[str]) -> dict[str, int]:
    """Return the µs of the events of these ids, from an NDJSON file of FHIR AuditEvents or Sentinel's own events.

    Raises:
        EvaluationError: a line is not an event, or one of these events has no time with an offset.
    """
    found: dict[str, int] = {}
    decoder = msgspec.json.Decoder(_Recorded)
    for number, line in _lines(path):
        if line.strip():
            try:
                event = decoder.decode(line)
            except (msgspec.DecodeError, RecursionError):
                raise EvaluationError(path, number, "not an event in JSON") from None
            if event.id in ids:
                found[event.id] = _time(path, number, event.recorded or event.occurred_at)
    return found


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                yield number, line.decode()
    except OSError as error:
        raise EvaluationError(path, number, error.strerror or "cannot be read") from None
    except UnicodeDecodeError:
        raise EvaluationError(path, number, "not UTF-8") from None


def _object(path: Path, number: int, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise EvaluationError(path, number, "not JSON") from None
    if not isinstance(value, dict):
        raise EvaluationError(path, number, "not a JSON object")
    return value


def _is_alert(alert: Mapping[str, Any]) -> bool:
    ids = alert.get("event_ids")
    return (
        isinstance(alert.get("id"), str)
        and _is_number(alert.get("priority"))
        and isinstance(alert.get("version", 0), int)
        and isinstance(ids, list)
        and all(isinstance(event, str) for event in ids)
        and all(_is_time(alert.get(key)) for key in ("first_seen", "last_seen"))
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and isinstance(moment(value), datetime)
    except ValueError:
        return False


def _time(path: Path, number: int, value: object) -> int:
    try:
        return microseconds(moment(str(value)))
    except ValueError:
        raise EvaluationError(path, number, "no time with an offset") from None
