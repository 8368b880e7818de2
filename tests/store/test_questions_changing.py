"""What is told when the store changes while it is asked."""

from __future__ import annotations

import traceback

import pytest

from sentinel.core.batch import Assessment
from sentinel.store.client import Connections
from sentinel.store.errors import StoreError
from sentinel.store.questions import Questions
from sentinel.store.writer import Writer
from tests.store.making import DAY_US, START_US, TENANT, a_batch, an_alert, an_assessment, an_event

SECRET = "PATIENT-NOT-TO-BE-TOLD"


def test_changes_are_told_once_and_in_order(store: Connections) -> None:
    """From a cursor on: what is new, what has changed, by whichever writer, and nothing again."""
    questions, first, second = Questions(store.reader()), Writer(store.writer), Writer(store.writer, lane="b")
    nothing = questions.alerts_changed_since(TENANT)
    assert nothing.alerts == []
    first.write_alerts([an_alert(f"a-{at}") for at in range(5)])
    first.flush()
    begun = questions.alerts_changed_since(TENANT, nothing.cursor, limit=3)
    rest = questions.alerts_changed_since(TENANT, begun.cursor)
    assert [alert["id"] for alert in begun.alerts + rest.alerts] == [f"a-{at}" for at in range(5)]
    second.write_alerts([an_alert("b-0"), an_alert("a-1", version=2)])
    second.flush()
    first.write_alerts([an_alert("a-0", version=2), an_alert("a-2", version=1)])
    first.flush()
    changed = questions.alerts_changed_since(TENANT, rest.cursor)
    assert {(alert["id"], alert["version"]) for alert in changed.alerts} == {("a-0", 2), ("a-1", 2), ("b-0", 1)}
    assert questions.alerts_changed_since(TENANT, changed.cursor).alerts == []
    again = Writer(store.writer)
    again.write_alerts([an_alert("a-9")])
    again.flush()
    assert [alert["id"] for alert in questions.alerts_changed_since(TENANT, changed.cursor).alerts] == ["a-9"]


def test_evidence_out_of_the_alerts_time_is_found_too(store: Connections) -> None:
    """An alert may name an earlier event than its first."""
    writer = Writer(store.writer)
    batch = a_batch([an_event(1), an_event(2, occurred_at=START_US - 90 * DAY_US)])
    writer.write(batch, Assessment(["", ""], an_assessment(batch).p_value))
    writer.write_alerts([an_alert("story", batch=batch, first_seen=START_US)])
    writer.flush()
    assert len(Questions(store.reader()).evidence(TENANT, "story")) == 2


def test_no_error_tells_what_was_asked(store: Connections) -> None:
    """Not even when the engine would: only its code leaves."""
    reader = store.reader()
    store.writer.command("RENAME TABLE access TO elsewhere")
    with pytest.raises(StoreError) as failed:
        Questions(reader).accesses_to_patient(TENANT, [SECRET])
    assert failed.value.code == "UNKNOWN_TABLE"
    assert SECRET not in "".join(traceback.format_exception(failed.value))
