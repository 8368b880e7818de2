"""The benchmark runs from end to end and reports every figure; how fast it is, no test says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.bench.__main__ import KAFKA, main
from deploy.bench.inputs import own_lines
from deploy.bench.report import ASSESSMENT_GOALS, Report, Row
from deploy.kafka.broker import BrokerError, _run
from streams.sources.fhir_auditevent import SOURCE as FHIR
from streams.sources.sentinel_json import SOURCE as OWN

EVENTS = 1_000
AUDIT_EVENT = json.dumps(
    {
        "resourceType": "AuditEvent",
        "id": "e1",
        "type": {"code": "rest"},
        "subtype": [{"code": "search"}],
        "action": "E",
        "recorded": "2026-03-29T02:30:00.250+01:00",
        "outcome": "0",
        "agent": [{"who": {"reference": "Practitioner/p1"}, "requestor": True, "role": [{"text": "Sage-femme"}]}],
        "source": {"site": "Nord", "observer": {"display": "ehr"}},
        "entity": [{"what": {"reference": f"Patient/{n}"}, "role": {"code": "1"}} for n in (1, 2)],
    }
).encode()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The JSON of a small run without Kafka, and without compiling everything anew."""
    folder = tmp_path_factory.mktemp("bench")
    main(["--events", str(EVENTS), "--folder", str(folder), "--without", "kafka", "--without", "compile"])
    return json.loads((folder / "latest.json").read_text("utf-8"))


def test_each_measured_process_tells_its_events_its_cpu_and_its_memory(told: dict) -> None:
    """Both formats are replayed with the store, and the same bytes are parsed by the yardstick."""
    assert set(told["rows"]) == {
        *("start", "replay sentinel_json, store", "replay fhir_auditevent, store", "replay sentinel_json, no store"),
        *("yardstick: orjson, sentinel_json", "yardstick: orjson, fhir_auditevent", "memory: a tenth", "memory: all"),
    }
    for row in told["rows"].values():
        assert row["events"] > 0
        assert row["events_per_cpu_second"] == pytest.approx(row["events"] / row["cpu_seconds"], abs=1)
        assert row["peak_rss_bytes"] > 1 << 20


def test_all_replays_of_an_input_take_the_same_events(told: dict) -> None:
    """The two formats hold the same events, none of them refused, and no fewer than asked for."""
    events = {row["events"] for name, row in told["rows"].items() if name.startswith(("replay", "yardstick"))}
    assert events == {told["input"]["events"]}
    assert events.pop() >= EVENTS


def test_ratios_memory_and_stages_are_told(told: dict) -> None:
    """Replays are held against their yardstick; memory and stages have their figures; what is left out is said."""
    assert {name: set(marks) for name, marks in told["ratios"].items()} == {
        f"replay {name}, store": {"orjson"} for name in ("sentinel_json", "fhir_auditevent")
    }
    assert told["memory"]["times"] == pytest.approx(10, rel=0.05)
    assert told["memory"]["ratio"] > 0
    assert len(told["stages"]) == 9
    both = told["stages"]["read and decode"] + told["stages"]["read and decode FHIR"]
    assert sum(told["sums"].values()) == pytest.approx(2 * sum(told["stages"].values()) - both, abs=0.1)
    assert set(told["assessment"]) == {"events", *ASSESSMENT_GOALS}
    assert all(figure > 0 for figure in told["assessment"].values())
    assert set(told["skipped"]) == {"kafka", "compile"}
    assert {"cpu", "cores", "python", "load"} == set(told["machine"])


def test_an_audit_event_becomes_the_same_events_in_our_own_format() -> None:
    """Transcoding loses nothing: decoded again, the lines are the rows of the AuditEvent, each under an id of its own."""
    rows = FHIR.decode([AUDIT_EVENT]).rows
    again = OWN.decode([line.strip() for line in own_lines(AUDIT_EVENT)]).rows
    assert [row.id for row in again] == ["e1", "e1#1"]
    assert [row._replace(id="", sub="") for row in again] == [row._replace(id="", sub="") for row in rows]


def test_a_run_too_short_beyond_its_start_has_no_steady_throughput() -> None:
    """Under a CPU-second more than the start's nothing is said; beyond it, the start's events and time are left out."""
    start = Row(1_000, 3.0, 0, 3.0)
    assert Row(2_000, 3.9, 0, 4.0).steady(start) is None
    assert Row(21_000, 5.0, 0, 5.0).steady(start) == 10_000


def test_a_yardstick_that_was_not_measured_gives_no_ratio() -> None:
    """Without Kafka the ratios to it are left out, the others stay."""
    report = Report(rows={"replay": Row(100, 2.0, 0, 2.0), "parse": Row(100, 0.5, 0, 0.5)})
    report.yardsticks["replay"] = {"orjson": "parse", "Kafka": KAFKA}
    assert report.ratios() == {"replay": {"orjson": 0.25}}


def test_what_fetching_kafka_fails_on_is_said() -> None:
    """The program's own words end the message, and one that is not there is an error of the same kind."""
    with pytest.raises(BrokerError, match=r"cannot fetch:\nno network"):
        _run(["sh", "-c", "echo no network; exit 1"], "cannot fetch")
    with pytest.raises(BrokerError, match="FileNotFoundError"):
        _run([str(Path("/nowhere/mvn"))], "cannot fetch")
