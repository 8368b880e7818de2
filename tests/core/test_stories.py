"""Stories, not hits: what belongs together is one line of the queue, under one id that lasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.alert import Alert, Severity
from sentinel.core.context import ContextRecord
from sentinel.core.detector import Detector, Evidence, Facts, Scope
from sentinel.core.event import Action, EventRow
from sentinel.core.explain import TRIED
from sentinel.core.model import Hours, Surprise, Weighed
from sentinel.core.story import (
    EVENTS_MAX,
    EVENTS_SPARED,
    PATIENTS_MAX,
    RAISED_MAX_US,
    RAISED_QUIET_US,
    SEVERITIES,
    STORY_US,
    severity_of,
)
from tests.builders import (
    DAY_US,
    HOUR_US,
    Seen,
    a_batch,
    a_detector,
    a_hospital,
    a_person,
    a_pipeline,
    a_stay,
    an_event,
    an_opening,
    cut,
    on,
    seen_by,
)

STRONG, WEAK = 1e-6, 1e-3  # alone enough to be told, and not, within a budget


def on_action(action: Action, p_value: float = STRONG, **told: Any) -> Detector:
    """Return a detector of one action, named after it."""
    return a_detector(lambda facts: facts.did(action), name=f"on_{action}", p_value=p_value, **told)


def run(
    rows: Sequence[EventRow], *detectors: Detector, cuts: Sequence[int] = (), context: Sequence[ContextRecord] = (), **told: Any
) -> Seen:
    """Return what these detectors alone conclude of events, within a budget that is never used up."""
    pipeline, seen = a_pipeline([], extra=detectors, **({"per_day": 100.0} | told)), Seen()
    pipeline.know(context)
    for piece in cut(rows, cuts):
        seen.add(pipeline.process(a_batch(piece)))
    return seen


EXPORT = on_action(Action.EXPORT)
WEAK_EXPORT, WEAK_DELETE = on_action(Action.EXPORT, WEAK), on_action(Action.DELETE, WEAK)


def exports(*times: int, **told: Any) -> list[EventRow]:
    """Return exports at these times."""
    return [an_event(Action.EXPORT, when, **told) for when in times]


def test_findings_of_a_day_are_one_alert() -> None:
    """One id, one line, all its events; the latest version is the story as it stands."""
    rows = exports(on(0, 9), on(0, 12), on(0, 23))
    seen = run(rows, EXPORT)
    (alert,) = seen.alerts.values()
    assert alert.event_ids == tuple(row.id for row in rows)
    assert (alert.first_seen, alert.last_seen, alert.version) == (on(0, 9), on(0, 23), 3)


def test_people_have_stories_of_their_own() -> None:
    """What two people do on the same patient on the same day is two alerts."""
    rows = [an_opening("p", on(0, 9), who, Action.EXPORT) for who in ("nurse", "doctor")]
    assert {alert.actor for alert in run(rows, EXPORT).alerts.values()} == {"nurse", "doctor"}


def test_weak_signs_of_one_day_add_up() -> None:
    """Neither is told alone; together they are, and not when a day lies between."""
    export, delete = an_event(Action.EXPORT, on(0, 9)), an_event(Action.DELETE, on(0, 20))
    assert not run([export], WEAK_EXPORT, WEAK_DELETE).told
    assert not run([delete], WEAK_EXPORT, WEAK_DELETE).told
    (alert,) = run([export, delete], WEAK_EXPORT, WEAK_DELETE).alerts.values()
    assert set(alert.detectors) == {"on_export", "on_delete"}
    far = delete._replace(occurred_at=export.occurred_at + STORY_US + 1)
    assert not run([export, far], WEAK_EXPORT, WEAK_DELETE).told


def test_the_same_sign_twice_counts_once() -> None:
    """A hundred exports are a matter of counting, not of a hundred findings."""
    assert not run(exports(*(on(0, 9, k) for k in range(100))), WEAK_EXPORT).told


def test_evidence_of_the_morning_does_not_end_a_story_at_night() -> None:
    """Findings six hours apart belong together, however early the first event that shows the same."""
    searched = a_detector(lambda facts: facts.did(Action.EXPORT), "on_export", WEAK, evidence=Evidence.SEARCHES)
    rows = [an_event(Action.SEARCH, on(0, 0, 30)), an_event(Action.EXPORT, on(0, 20)), an_event(Action.DELETE, on(1, 2))]
    (alert,) = run(rows, searched, WEAK_DELETE).alerts.values()
    assert len(alert.event_ids) == 3


def test_an_alert_takes_what_follows() -> None:
    """Within three days of the last finding, for a week at most: then another story begins."""
    quiet, week = RAISED_QUIET_US, RAISED_MAX_US
    assert len(run(exports(on(0), on(0) + quiet), EXPORT).alerts) == 1
    assert len(run(exports(on(0), on(0) + quiet + 1), EXPORT).alerts) == 2
    often = [on(0) + k * DAY_US for k in range(week // DAY_US + 1)]
    assert len(run(exports(*often), EXPORT).alerts) == 1
    assert len(run(exports(*often, often[-1] + HOUR_US), EXPORT).alerts) == 2


@settings(max_examples=6)
@given(st.integers(0, 20), st.lists(st.integers(0, 2_000), max_size=20))
def test_an_id_lasts_and_its_versions_rise(seed: int, cuts: list[int]) -> None:
    """Each time an alert is told again its version is higher, its evidence no less, its person the same."""
    hospital = a_hospital(seed)
    last: dict[str, Alert] = {}
    for alert in seen_by(hospital.context, hospital.events, cuts).told:
        before = last.get(alert.id)
        if before is not None:
            assert alert.version > before.version
            assert alert.actor == before.actor
            assert set(alert.event_ids) >= set(before.event_ids)
            assert set(alert.detectors) >= set(before.detectors)
            assert alert.first_seen <= before.first_seen <= before.last_seen <= alert.last_seen
        last[alert.id] = alert
    assert last


@settings(max_examples=6)
@given(st.integers(0, 20))
def test_one_event_is_the_evidence_it_is(seed: int) -> None:
    """Ids and keys tell the same events, each once, in order of time; patients are theirs; detectors those of the reasons."""
    hospital = a_hospital(seed)
    when = {row.id: row.occurred_at for row in hospital.events}
    patients = {row.id: row.patient_id for row in hospital.events}
    for alert in seen_by(hospital.context, hospital.events).alerts.values():
        assert len(alert.event_keys) == len(set(alert.event_keys)) >= len(set(alert.event_ids)) == len(alert.event_ids) > 0
        times = [when[id_] for id_ in alert.event_ids]
        assert times == sorted(times)
        assert alert.first_seen == times[0]
        assert alert.last_seen <= times[-1]
        assert set(alert.patients) == {patients[id_] for id_ in alert.event_ids} - {""}
        assert alert.detectors == tuple(reason.detector for reason in alert.reasons)
        assert len(set(alert.detectors)) == len(alert.detectors)
        strengths = [-np.log10(reason.p_value or 1.0) for reason in alert.reasons]
        assert max(strengths) > 0


def test_findings_on_patients_tell_what_was_tried() -> None:
    """Only where a record was opened for none of the reasons that care on file gives."""
    on_patient = on_action(Action.EXPORT, scope=Scope.PATIENT)
    row, nobody = [an_opening("p", on(0), action=Action.EXPORT)], [an_event(Action.EXPORT, on(0))]
    care, explained = [a_stay("other", "chirurgie")], [*a_person("nurse", "medecine"), a_stay("p", "medecine")]
    assert run(row, on_patient, context=care).told[0].not_explained_by == TRIED
    assert run(row, on_patient, context=explained).told[0].not_explained_by == ()
    assert run(row, on_patient).told[0].not_explained_by == ()
    assert run(nobody, EXPORT, context=care).told[0].not_explained_by == ()


def test_what_a_story_holds_is_bounded() -> None:
    """Thousands of findings on thousands of patients are one alert of a readable size."""
    on_patient = on_action(Action.EXPORT, scope=Scope.PATIENT)
    rows = [an_opening(f"p{k}", on(0, 9, 0, k), action=Action.EXPORT) for k in range(2 * EVENTS_MAX)]
    (alert,) = run(rows, on_patient).alerts.values()
    assert len(alert.event_ids) == EVENTS_MAX - EVENTS_SPARED
    assert len(alert.patients) <= EVENTS_MAX
    assert PATIENTS_MAX < EVENTS_MAX
    assert alert.version == len(rows)


def test_a_flood_of_one_sign_does_not_bury_another() -> None:
    """What a thousand events show leaves room for the one that shows something else; all together keep to the bound."""
    flood = [an_event(Action.EXPORT, on(0, 9, 0, k)) for k in range(2 * EVENTS_MAX)]
    other = [an_event(Action.DELETE, on(0, 11, 0, k)) for k in range(2 * EVENTS_MAX)]
    (alert,) = run([*flood, *other], on_action(Action.EXPORT), on_action(Action.DELETE)).alerts.values()
    shown = set(alert.event_ids)
    assert other[0].id in shown
    assert len(shown & {row.id for row in other}) == EVENTS_SPARED
    assert len(shown) == EVENTS_MAX


def test_more_patients_weigh_more_each_less_than_the_one_before() -> None:
    """Ten strangers' records are worse than one, and not ten times as bad."""
    on_patient = on_action(Action.EXPORT, 1e-5, scope=Scope.PATIENT)

    def priority(patients: int) -> float:
        rows = [an_opening(f"p{k}", on(0, 9, k), action=Action.EXPORT) for k in range(patients)]
        return run(rows, on_patient).told[-1].priority

    one, two, ten = map(priority, (1, 2, 10))
    assert one < two < 2 * one
    assert two < ten < 10 * one


def test_stronger_reasons_come_first() -> None:
    """Who reads two lines reads the most telling ones."""
    rows = [an_event(Action.DELETE, on(0, 9)), an_event(Action.EXPORT, on(0, 10))]
    (alert,) = run(rows, EXPORT, WEAK_DELETE).alerts.values()
    assert alert.detectors == ("on_export", "on_delete")


def test_what_a_finding_is_about_brings_its_evidence() -> None:
    """A finding on a count tells the events that were counted, of the last 24 h and of this person alone."""
    searched = on_action(Action.LOGOUT, evidence=Evidence.SEARCHES)
    rows = [
        an_event(Action.SEARCH, on(0, 9)),
        an_event(Action.SEARCH, on(1, 9)),
        an_event(Action.SEARCH, on(1, 9, 1), actor_id="doctor"),
        an_event(Action.READ, on(1, 9, 2)),
        an_event(Action.LOGOUT, on(1, 10)),
    ]
    (alert,) = run(rows, searched).alerts.values()
    assert set(alert.event_ids) == {rows[1].id, rows[4].id}


def test_evidence_is_not_what_came_after() -> None:
    """In one batch or in two, a finding knows only what came before it."""
    searched = on_action(Action.LOGOUT, evidence=Evidence.SEARCHES)
    rows = [an_event(Action.SEARCH, on(0, 9)), an_event(Action.LOGOUT, on(0, 9, 1)), an_event(Action.SEARCH, on(0, 9, 2))]
    for cuts in ([], [1], [2]):
        (alert,) = run(rows, searched, cuts=cuts).alerts.values()
        assert set(alert.event_ids) == {rows[0].id, rows[1].id}


@pytest.mark.parametrize("score", [0.0, 4.9, *(least for least, _ in SEVERITIES), 100.0])
def test_severity_follows_priority(score: float) -> None:
    """From low to critical, never down when the score goes up."""
    order = [*Severity]
    assert order.index(severity_of(score)) <= order.index(severity_of(score + 1.0))
    assert severity_of(0.0) is Severity.LOW
    assert severity_of(100.0) is Severity.CRITICAL


def test_a_finding_that_waits_joins_the_story_of_its_event() -> None:
    """What is judged a day later is told under the id of the alert that the event was part of."""
    waiting = on_action(Action.BREAK_GLASS, after_hours=24)
    emergency = an_opening("p", on(0, 9, 30), action=Action.BREAK_GLASS)
    export = an_opening("p", on(0, 9, 40), action=Action.EXPORT)
    later = an_event(when=on(1, 11), actor_id="somebody")
    (alert,) = run([emergency, export, later], waiting, EXPORT, cuts=[1, 2]).alerts.values()
    assert set(alert.detectors) == {"on_break-glass", "on_export"}
    assert set(alert.event_ids) == {emergency.id, export.id}


def test_each_finding_waits_as_long_as_its_detector_says() -> None:
    """One that waits two hours is told after two, although another of the same morning waits a day."""
    patient, quick = on_action(Action.BREAK_GLASS, after_hours=24), on_action(Action.EXPORT, after_hours=2)
    rows = [
        an_opening("p", on(0, 9), action=Action.BREAK_GLASS),
        an_opening("p", on(0, 9, 30), action=Action.EXPORT),
        an_event(when=on(0, 12), actor_id="somebody"),
    ]
    assert [alert.detectors for alert in run(rows, patient, quick).alerts.values()] == [("on_export",)]


@dataclass
class Startled:
    """An online model that is surprised by the hours in which somebody logs out."""

    name: str = "startled"
    hours: list[Hours] = field(default_factory=list)

    def close_hour(self, hours: Hours) -> list[Surprise]:
        """Take an hour in; be surprised by hours of a single event."""
        self.hours.append(hours)
        weighed = (Weighed("events", 1.0, 20.0, 30.0),)
        return [Surprise(name, 1e-9, weighed) for name, vector in zip(hours.names, hours.vectors, strict=True) if vector[0] == 1]

    def snapshot(self) -> dict[str, object]:
        """Return nothing: it learns nothing."""
        return {}

    def restore(self, state: dict[str, object]) -> None:
        """Stay as it is."""


def modelled(rows: Sequence[EventRow], *detectors: Detector) -> tuple[Startled, Seen]:
    """Return the model and what was concluded with it."""
    model = Startled()
    return model, run(rows, *detectors, model=model)


def test_the_model_is_handed_whole_hours_of_everybody() -> None:
    """People in the order of their names, each with what the hour held, once the hour is over."""
    rows = [an_event(when=on(0, 9, k), actor_id=who) for k, who in enumerate("bacbab")]
    model, _ = modelled([*rows, an_event(when=on(0, 10))])
    (hours,) = model.hours
    assert [*hours.names] == ["a", "b", "c"]
    assert hours.vectors[:, 0].tolist() == [2.0, 3.0, 1.0]
    assert hours.learnable.all()


def test_people_with_an_alert_teach_the_model_nothing() -> None:
    """Misuse must not become usual."""
    rows = [an_event(Action.EXPORT, on(0, 9)), an_event(when=on(0, 9), actor_id="doctor"), an_event(when=on(0, 10))]
    model, _ = modelled(rows, EXPORT)
    assert dict(zip(model.hours[0].names, model.hours[0].learnable.tolist(), strict=True)) == {"doctor": True, "nurse": False}


def test_a_surprise_is_told_with_its_reasons() -> None:
    """Observed and usual, in French and in English."""
    rows = [an_event(Action.SEARCH, on(0, 9)), an_event(when=on(0, 11), actor_id="doctor")]
    _, seen = modelled(rows)
    (alert,) = seen.alerts.values()
    (reason,) = alert.reasons
    assert (alert.actor, reason.detector, reason.observed) == ("nurse", "startled", 1.0)
    assert (reason.usual.actor, reason.usual.peers) == (20.0, 30.0)
    assert "événements" in reason.fr
    assert "events" in reason.en


def test_a_surprise_is_about_its_own_hour() -> None:
    """An hour with nothing notable in it is not told on an event of days ago, nor under the id of an alert that is over."""
    first = an_event(Action.EXPORT, on(0, 9))
    others = [an_event(when=on(day, hour, k), actor_id="doctor") for day in range(5) for hour in range(24) for k in range(2)]
    quiet_hour = an_event(Action.LOGOUT, on(3, 15))
    rows = sorted([first, *exports(on(0, 9, 1)), *others, quiet_hour], key=lambda row: row.occurred_at)
    seen = modelled(rows, EXPORT)[1]
    versions = [alert.version for alert in seen.told if alert.actor == "nurse"]
    assert versions == sorted(versions)
    assert all(alert.last_seen - alert.first_seen < DAY_US for alert in seen.told if alert.actor == "nurse")
    assert not [a for a in seen.told if "startled" in a.detectors and a.last_seen < on(3)]


def test_facts_of_a_waiting_finding_are_those_of_its_event() -> None:
    """It is put into words as it was, not as things stand a day later."""
    shown: list[float] = []

    def say(facts: Facts, i: int) -> Any:
        shown.append(float(facts["deleted_24h"][i]))
        return a_detector(lambda f: f["vip"] > 0).say(facts, i)

    waiting = on_action(Action.BREAK_GLASS, after_hours=24)
    rows = [
        an_event(Action.DELETE, on(0, 8)),
        an_event(Action.BREAK_GLASS, on(0, 9)),
        *(an_event(Action.DELETE, on(0, 10, k)) for k in range(9)),
        an_event(when=on(2)),
    ]
    run(rows, replace(waiting, say=say))
    assert set(shown) == {1.0}
