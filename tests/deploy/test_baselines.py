"""What Sentinel is compared with: each way sees what it is made to see, within the budget, the same each time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from deploy.baselines import LIMITS, WAYS, Log, alerts, read
from sentinel.core.event import Action

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
PEOPLE = 12
DAYS = [*range(5), *range(7, 12)]  # two weeks of working days
BURST_DAY, BURST = 10, 80


def an_event(number: int, when: datetime, who: str, patient: str, action: str = "R") -> bytes:
    """Return a line of FHIR: somebody opens (R) or deletes (D) a record."""
    event = {
        "resourceType": "AuditEvent",
        "id": f"e{number}",
        "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"},
        "action": action,
        "recorded": when.isoformat(),
        "outcome": "0",
        "agent": [{"who": {"reference": f"Practitioner/{who}"}, "requestor": True}],
        "source": {"observer": {"display": "DPI"}},
        "entity": [
            {
                "what": {"reference": f"Patient/{patient}"},
                "role": {"system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "1"},
            }
        ],
    }
    return json.dumps(event).encode() + b"\n"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """Two teams, each with its patients; on one day somebody deletes eighty records of the other team's."""
    lines, n = [], 0
    for day in DAYS:
        for k in range(10):
            for person in range(PEOPLE):
                when = START + timedelta(days=day, minutes=30 * k + person)
                lines.append(an_event(n := n + 1, when, f"p{person}", f"t{person % 2}-{(k + person) % 15}"))
        if day == BURST_DAY:
            for k in range(BURST):
                when = START + timedelta(days=day, hours=6, seconds=20 * k)
                lines.append(an_event(n := n + 1, when, "p0", f"t1-{k % 15}", "D"))
    file = tmp_path_factory.mktemp("log") / "events.ndjson"
    file.write_bytes(b"".join(lines))
    return read(file, ZoneInfo("Europe/Paris"))


def test_a_log_is_read_in_order_of_time(log: Log) -> None:
    """All events, with local hours and codes that tell people and patients apart."""
    assert len(log) == len(DAYS) * 10 * PEOPLE + BURST
    assert (log.at[1:] >= log.at[:-1]).all()
    assert log.hour.min() == 9  # eight o'clock UTC
    assert (len(set(log.actor.tolist())), len(set(log.patient.tolist()))) == (PEOPLE, 30)


@pytest.mark.parametrize("way", WAYS)
def test_each_way_tells_the_day_that_stands_out(log: Log, way: str) -> None:
    """The person who deletes another team's records is among the first few, on that day."""
    told = alerts(log, WAYS[way][1](log), 6)
    deleted = {one for one, action in zip(log.id, log.did(Action.DELETE).tolist(), strict=True) if action}
    [burst] = [alert for alert in told if deleted & set(alert["event_ids"])]
    assert burst["first_seen"].startswith("2026-03-12")
    assert {log.actor[log.id.index(one)] for one in burst["event_ids"]} == {log.actor[0]}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_keeps_the_budget_and_says_the_same_twice(log: Log, way: str) -> None:
    """No more alerts than are asked for, one a person's day; what is random has its seed."""
    score = WAYS[way][1]
    told = alerts(log, score(log), 5)
    assert len(told) <= 5
    assert told == alerts(log, score(log), 5)


def test_below_all_limits_nothing_is_told(log: Log) -> None:
    """Fixed limits have no opinion on days that keep them: of the whole period one day breaks one."""
    told = alerts(log, WAYS["thresholds"][1](log), 100)
    assert [round(alert["priority"], 3) for alert in told] == [BURST / LIMITS["deleted"]]


def test_nothing_to_tell_is_no_alert(log: Log, tmp_path: Path) -> None:
    """Without a score above 0 there is no alert."""
    assert alerts(log, WAYS["thresholds"][1](log) * 0, 5) == []
