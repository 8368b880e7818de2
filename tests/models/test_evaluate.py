"""Alerts held against labels: what is counted, what is said when there is nothing to count, what is refused."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluate import Evaluation, EvaluationError, Label, evaluate, evaluate_folder, rate, read_alerts, read_labels

LABELS = [
    Label("a1", "coworker", "coworker-001"),
    Label("b1", "coworker", "coworker-002"),
    Label("a2", "coworker", "coworker-001"),
    Label("c1", "scraping", "scraping-001"),
    Label("a3", "coworker", "coworker-001"),
]


def _alert(number: int, *events: str, priority: float = 1.0, **others: Any) -> dict[str, Any]:
    times = {"first_seen": "2026-03-02T08:00:00Z", "last_seen": "2026-03-02T09:00:00Z"}
    return {"id": f"alert-{number}", "priority": priority, "event_ids": list(events), **times, **others}


# --- by hand -----------------------------------------------------------------------------------------


def test_a_case_is_found_by_any_of_its_events() -> None:
    """One alert on the second event of a case finds the case; the alert on ordinary events is wrong."""
    found = evaluate([_alert(1, "a2", "x1", priority=9), _alert(2, "x2"), _alert(3, "c1")], LABELS, days=2)
    assert (found.cases.hits, found.cases.total) == (2, 3)
    assert (found.events.hits, found.events.total) == (2, 5)
    assert (found.precision.hits, found.precision.total) == (2, 3)
    assert found.alerts_per_day == 1.5
    assert found.missed == ("coworker-002",)
    assert [(k.label, k.cases.hits, k.cases.total) for k in found.kinds] == [("coworker", 1, 2), ("scraping", 1, 1)]


def test_the_first_alerts_are_those_of_highest_priority() -> None:
    """Among as many alerts as there are cases, the best by priority count, ties by id."""
    alerts = [_alert(n, "x", priority=n) for n in range(1, 5)] + [_alert(9, "a1", priority=2.5)]
    first = evaluate(alerts, LABELS, days=1).precision_first
    assert (first.hits, first.total) == (1, 3)


def test_time_to_detect_runs_from_the_first_event_of_the_case() -> None:
    """The alert holds the third event, ten minutes in; the other case is caught at once; the median lies between."""
    times = {"a1": 0, "a2": 300_000_000, "a3": 600_000_000, "b1": 5, "c1": 7}
    found = evaluate([_alert(1, "a3"), _alert(2, "c1")], LABELS, times=times)
    assert found.seconds_to_detect == 300.0
    assert {kind.label: kind.seconds_to_detect for kind in found.kinds} == {"coworker": 600.0, "scraping": 0.0}
    assert {kind.label: kind.events_to_detect for kind in found.kinds} == {"coworker": 2.0, "scraping": 0.0}


def test_without_times_seconds_are_unknown() -> None:
    """Labels alone tell how many events came before, not how long it took."""
    found = evaluate([_alert(1, "a2")], LABELS, days=1)
    assert (found.seconds_to_detect, found.events_to_detect) == (None, 1.0)


def test_an_alert_counts_once_as_its_latest_version() -> None:
    """A story that grew is one alert, with the events of its highest version."""
    grown = [_alert(1, "x", version=1), _alert(1, "x", "a1", version=2), _alert(1, "y", version=0)]
    found = evaluate(grown, LABELS, days=1)
    assert (found.alerts, found.cases.hits) == (1, 1)


def test_alerts_of_two_tenants_are_two() -> None:
    """Ids are unique within a tenant alone."""
    assert evaluate([_alert(1, tenant="a"), _alert(1, tenant="b")], [], days=1).alerts == 2


def test_the_period_is_that_of_the_alerts_when_none_is_told() -> None:
    """From the first event of any alert to the last of any; a day at least."""
    late = _alert(2, first_seen="2026-03-05T20:00:00+00:00", last_seen="2026-03-06T08:00:00Z")
    assert evaluate([_alert(1), late], []).days == 4.0
    assert evaluate([_alert(1)], []).days == 1.0


# --- nothing to count --------------------------------------------------------------------------------


def test_no_alerts_and_no_labels_give_no_rates() -> None:
    """Nothing divides by nothing: rates are None, counts are 0, and the tables can still be shown."""
    found = evaluate([], [])
    assert found.cases == found.events == found.precision == found.precision_first == rate(0, 0)
    assert (found.days, found.alerts_per_day, found.seconds_to_detect, found.kinds, found.missed) == (None, None, None, (), ())
    assert found.rows() == [("all cases", "0/0", "-", "-", "-")]
    assert dict(found.figures())["precision"] == "-"


def test_no_alerts_miss_every_case() -> None:
    """Recall is 0 with an interval above it; precision is unknown."""
    found = evaluate([], LABELS, days=3)
    assert found.cases.value == 0.0
    assert found.cases.low == 0.0
    assert (found.cases.high or 0) > 0.3
    assert found.precision.value is None
    assert found.alerts_per_day == 0.0
    assert len(found.missed) == 3


def test_no_labels_make_every_alert_wrong() -> None:
    """Precision is 0 of all alerts; there is no case to recall, so no first alerts to judge."""
    found = evaluate([_alert(1, "x")], [], days=1)
    assert found.precision.value == 0.0
    assert (found.cases.value, found.precision_first.value) == (None, None)


def test_the_tables_can_be_shown_and_kept() -> None:
    """Rows tell found of all, share, interval and time; JSON holds the same figures."""
    found = evaluate([_alert(1, "a1"), _alert(2, "c1")], LABELS, days=2, times={"a1": 0, "c1": 0, "a2": 9, "a3": 9, "b1": 0})
    assert found.rows()[0] == ("coworker", "1/2", "50 %", "9 to 91", "0 s")
    assert found.rows()[-1][:3] == ("all cases", "2/3", "67 %")
    assert ("alerts a day", "1.0") in found.figures()
    kept = json.loads(found.to_json())
    assert kept["cases"]["hits"] == 2
    assert kept["kinds"][1]["label"] == "scraping"


@pytest.mark.parametrize(("seconds", "text"), [(30, "30 s"), (90, "1.5 min"), (7200, "2.0 h"), (129_600, "1.5 d")])
def test_a_time_is_told_in_its_largest_unit(seconds: int, text: str) -> None:
    """Seconds below a minute, then minutes, hours, days."""
    labels, times = [Label("e", "k", "k-1"), Label("f", "k", "k-1")], {"e": 0, "f": seconds * 1_000_000}
    assert evaluate([_alert(1, "f")], labels, days=1, times=times).rows()[0][-1] == text


# --- always ------------------------------------------------------------------------------------------

IDS = st.sampled_from([f"e{n}" for n in range(12)])
LABELLED = st.lists(st.tuples(IDS, st.sampled_from("ab"), st.integers(1, 3)), max_size=12, unique_by=lambda row: row[0]).map(
    lambda rows: [Label(event, kind, f"{kind}-{case}") for event, kind, case in rows]
)
HELD = st.lists(st.tuples(st.lists(IDS, max_size=5), st.floats(0, 10)), max_size=8).map(
    lambda rows: [_alert(n, *events, priority=priority) for n, (events, priority) in enumerate(rows)]
)


def _rates(found: Evaluation) -> Iterable[tuple[int, int]]:
    kinds = [share for kind in found.kinds for share in (kind.cases, kind.events)]
    return [(s.hits, s.total) for s in (found.cases, found.events, found.precision, found.precision_first, *kinds)]


@given(HELD, LABELLED)
def test_shares_are_shares(alerts: list[dict[str, Any]], labels: list[Label]) -> None:
    """Hits never exceed the total, kinds add up to the whole, what is missed is what was not found."""
    found = evaluate(alerts, labels, days=1)
    assert all(0 <= hits <= total for hits, total in _rates(found))
    assert sum(kind.cases.hits for kind in found.kinds) == found.cases.hits
    assert sum(kind.events.total for kind in found.kinds) == found.events.total
    assert len(found.missed) == found.cases.total - found.cases.hits


@given(HELD, LABELLED, st.randoms(use_true_random=False))
def test_the_order_of_alerts_does_not_matter(alerts: list[dict[str, Any]], labels: list[Label], shuffler: random.Random) -> None:
    """Alerts are ranked by priority, then id, however the file has them."""
    shuffled = alerts[:]
    shuffler.shuffle(shuffled)
    assert evaluate(shuffled, labels, days=1) == evaluate(alerts, labels, days=1)


@given(HELD, LABELLED, IDS)
def test_one_more_alert_never_finds_less(alerts: list[dict[str, Any]], labels: list[Label], event: str) -> None:
    """Recall grows or stays."""
    before, after = evaluate(alerts, labels, days=1), evaluate([*alerts, _alert(99, event)], labels, days=1)
    assert after.cases.hits >= before.cases.hits
    assert after.events.hits >= before.events.hits


@given(LABELLED.filter(bool))
def test_an_alert_for_each_labelled_event_is_perfect(labels: list[Label]) -> None:
    """All is found, at once, and nothing is wrong."""
    found = evaluate([_alert(n, label.event_id) for n, label in enumerate(labels)], labels, days=1)
    assert found.cases.value == found.events.value == found.precision.value == found.precision_first.value == 1.0
    assert found.events_to_detect == 0.0


@given(st.integers(0, 400), st.integers(1, 400))
def test_wilsons_interval_holds_the_share(hits: int, total: int) -> None:
    """Within [0, 1], around the share, narrower with ten times the cases, mirrored with hits and misses."""
    hits = min(hits, total)
    few, many, mirror = rate(hits, total), rate(10 * hits, 10 * total), rate(total - hits, total)
    assert 0.0 <= few.low <= few.value <= few.high <= 1.0
    assert many.high - many.low < few.high - few.low
    assert mirror.high == pytest.approx(1 - few.low)


def test_wilsons_interval_is_the_published_one() -> None:
    """0 of 10 gives [0, 0.2775], 5 of 10 gives [0.2366, 0.7634], as tables have it."""
    assert rate(0, 10).high == pytest.approx(0.2775, abs=5e-5)
    assert rate(5, 10).low == pytest.approx(0.2366, abs=5e-5)
    assert rate(5, 10).high == pytest.approx(0.7634, abs=5e-5)


# --- files -------------------------------------------------------------------------------------------


def _folder(tmp_path: Path, alerts: str = "", summary: str = "{}", labels: str = "", events: str | None = None) -> Path:
    files = {"alerts.ndjson": alerts, "summary.json": summary, "labels.tsv": labels, "events.ndjson": events}
    for name, text in files.items():
        if text is not None:
            (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_folder_is_evaluated(tmp_path: Path) -> None:
    """Alerts, days of the summary, labels with a heading, and times of the events beside them."""
    events = "\n".join(
        json.dumps({"resourceType": "AuditEvent", "id": event, "recorded": f"2026-03-02T09:{minute:02d}:00.000+01:00"})
        for event, minute in (("x", 0), ("a1", 1), ("a2", 3))
    )
    labels = "event_id\tlabel\tcase_id\na1\tcoworker\tcoworker-001\na2\tcoworker\tcoworker-001\n\n"
    out = _folder(tmp_path, json.dumps(_alert(1, "a2")) + "\n\n", '{"days": 4, "alerts": 1}', labels, events)
    found = evaluate_folder(out, out / "labels.tsv")
    assert (found.days, found.alerts_per_day, found.seconds_to_detect, found.cases.value) == (4.0, 0.25, 120.0, 1.0)


def test_a_folder_without_events_or_days_is_evaluated(tmp_path: Path) -> None:
    """Times and days are taken when they are there, not asked for."""
    out = _folder(tmp_path, json.dumps(_alert(1, "a1")), "{}", "a1\tcoworker\tcoworker-001\n")
    found = evaluate_folder(out, out / "labels.tsv")
    assert (found.days, found.seconds_to_detect, found.cases.value) == (1.0, None, 1.0)


SECRET = "Dupont-Moretti"
GOOD = json.dumps(_alert(1, "a1"))


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"alerts": GOOD + "\n{" + SECRET}, "alerts.ndjson:2: not JSON"),
        ({"alerts": f'["{SECRET}"]'}, "alerts.ndjson:1: not a JSON object"),
        ({"alerts": f'{{"id": "{SECRET}"}}'}, "alerts.ndjson:1: not an alert"),
        ({"alerts": GOOD.replace("2026-03-02T08:00:00Z", SECRET)}, "alerts.ndjson:1: not an alert"),
        ({"alerts": GOOD.replace("1.0", "NaN")}, "alerts.ndjson:1: not an alert"),
        ({"summary": SECRET}, "summary.json:1: not JSON"),
        ({"summary": '{"days": 0}'}, "summary.json:1: days"),
        ({"labels": f"a\tb\tc\n{SECRET}\tcoworker\n"}, "labels.tsv:2: not an event id"),
        ({"labels": f"{SECRET}\t\tc\n"}, "labels.tsv:1: not an event id"),
        ({"labels": "a\tb\tc\n", "events": SECRET}, "events.ndjson:1: not an event"),
        ({"labels": "a\tb\tc\n", "events": f'{{"id": "a", "recorded": "{SECRET}"}}'}, "events.ndjson:1: no time"),
    ],
)
def test_a_malformed_file_is_told_by_its_line_alone(files: dict[str, str], place: str, tmp_path: Path) -> None:
    """The error tells which file, which line and why; neither it nor its cause quotes the file."""
    out = _folder(tmp_path, **files)
    with pytest.raises(EvaluationError) as refused:
        evaluate_folder(out, out / "labels.tsv")
    assert place in str(refused.value)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_missing_file_and_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    """The operator learns which file cannot be read, and where."""
    with pytest.raises(EvaluationError, match=r"alerts.ndjson:0: No such file"):
        list(read_alerts(tmp_path / "alerts.ndjson"))
    (tmp_path / "labels.tsv").write_bytes(b"a\tb\tc\n\xff\xfe\n")
    with pytest.raises(EvaluationError, match=r"labels.tsv:2: not UTF-8"):
        list(read_labels(tmp_path / "labels.tsv"))
