"""The alert as `alerts.ndjson` and the API give it: a contract with whoever reads it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.alert import Alert, Reason, Severity, Usual, rfc3339
from sentinel.core.event import TIME_MAX_US, TIME_MIN_US, microseconds, moment
from tests.builders import TENANT, Seen, a_hospital, seen_by

FIELDS = {
    "id": str,
    "tenant": str,
    "version": int,
    "priority": float,
    "severity": str,
    "detectors": list,
    "actor": str,
    "patients": list,
    "event_ids": list,
    "event_keys": list,
    "first_seen": str,
    "last_seen": str,
    "reasons": list,
    "not_explained_by": list,
}


@pytest.fixture(scope="module")
def seen() -> Seen:
    """What is concluded of a small hospital."""
    hospital = a_hospital(1)
    return seen_by(hospital.context, hospital.events)


def test_an_alert_has_its_fields(seen: Seen) -> None:
    """Each of them, of its type, and no other."""
    for alert in seen.told:
        line = json.loads(alert.to_json())
        assert {name: type(value) for name, value in line.items()} == FIELDS
        assert len(line["id"]) == 32
        assert line["tenant"] == TENANT
        assert line["severity"] in [*Severity]
        assert line["priority"] > 0


def test_an_alert_found_afterwards_is_another_one_and_says_so(seen: Seen) -> None:
    """It has an id of its own, always the same, and `late` as its last field; all else is the same."""
    for alert in seen.told:
        late = alert.as_late()
        assert late.id != alert.id
        assert late == alert.as_late()
        assert late.to_dict() == alert.to_dict() | {"id": late.id, "late": True}
        assert late.to_json().endswith(',"late":true}')


def test_a_reason_has_its_fields(seen: Seen) -> None:
    """Observed, usual for the person and for peers, how often chance gives it, and a sentence in each language."""
    for alert in seen.told:
        for reason in alert.to_dict()["reasons"]:  # type: ignore[attr-defined]
            assert [*reason] == ["detector", "observed", "usual", "p_value", "text"]
            assert [*reason["usual"]] == ["actor", "peers"]
            assert [*reason["text"]] == ["fr", "en"]
            assert all(reason["text"].values())
            assert 0.0 < reason["p_value"] <= 1.0


def test_times_are_rfc3339_in_utc(seen: Seen) -> None:
    """They end in Z, and read back they are what they were."""
    for alert in seen.told:
        line = alert.to_dict()
        for name in ("first_seen", "last_seen"):
            text = line[name]
            assert isinstance(text, str)
            assert text.endswith("Z")
            assert microseconds(moment(text)) == getattr(alert, name)


@given(st.integers(TIME_MIN_US, TIME_MAX_US - 1))
def test_every_time_reads_back(when: int) -> None:
    """To the microsecond, within the years that are taken."""
    text = rfc3339(when)
    assert microseconds(moment(text)) == when
    assert datetime.fromisoformat(text) == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=when)


def test_one_line_is_one_alert(seen: Seen) -> None:
    """No line break within, letters as they are, and the same alert gives the same bytes."""
    for alert in seen.told:
        line = alert.to_json()
        assert "\n" not in line
        assert "\\u00" not in line
        assert line == alert.to_json()


@given(st.text(min_size=1), st.text())
def test_any_name_is_carried(actor: str, patient: str) -> None:
    """Ids come from outside: quotes, line breaks and other scripts included."""
    reason = Reason("d", None, Usual(), None, "vu", "seen")
    names = ("d",), actor, (patient,), ("e",), ("k",)
    alert = Alert("i", "t", 1, 3.0, Severity.LOW, *names, TIME_MIN_US, TIME_MIN_US, (reason,), ())
    line = json.loads(alert.to_json())
    assert (line["actor"], line["patients"]) == (actor, [patient])
    assert line["reasons"][0]["p_value"] is None
    assert len(alert.to_json().splitlines()) >= 1
