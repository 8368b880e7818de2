"""Rules hide what is found, or raise it: in event time, one event at a time, never what is critical by the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.assembly import detectors
from sentinel.core.alert import Alert, Severity
from sentinel.core.context import ContextRecord, LinkKind, Unit
from sentinel.core.detector import Detector, Scope
from sentinel.core.event import Action, ActorType, EventRow
from sentinel.core.house_rules import WATCH_LIST, Rule, RuleKind, Selector, house_rules_of
from sentinel.core.pipeline import Pipeline
from tests.builders import (
    SOURCE,
    Seen,
    a_batch,
    a_detector,
    a_hospital,
    a_link,
    a_person,
    a_pipeline,
    an_event,
    an_opening,
    on,
    seen_by,
    the_same,
)

STRONG = 1e-6


def on_action(action: Action, p_value: float = STRONG, **told: Any) -> Detector:
    """Return a detector of one action, named after it."""
    return a_detector(lambda facts: facts.did(action), name=f"on_{action}", p_value=p_value, **told)


EXPORTS, DELETIONS = on_action(Action.EXPORT), on_action(Action.DELETE)
READS = on_action(Action.READ, 1e-8, scope=Scope.PATIENT)


def a_rule(kind: RuleKind = RuleKind.SUPPRESSION, since: int = on(0, 0), until: int = on(30), **told: Any) -> Rule:
    """Return a rule in force for a month; what is not one of its own fields says what it is about."""
    own = {name: told.pop(name) for name in ("name", "raises", "every_access") if name in told}
    about = Selector(**{name: frozenset(values) for name, values in told.items()})
    return Rule(own.pop("name", "the-rule"), kind, since, until, about, **own)


def run(rows: Sequence[EventRow], *rules: Rule, context: Sequence[ContextRecord] = (), **told: Any) -> Seen:
    """Return what is concluded of events under rules, within a budget that is never used up."""
    told = {"per_day": 100.0, "extra": [EXPORTS, DELETIONS, READS]} | told
    pipeline, seen = a_pipeline([], house_rules=house_rules_of(rules), **told), Seen()
    pipeline.know(context)
    seen.add(pipeline.process(a_batch(rows)))
    return seen


def the_alert(seen: Seen) -> Alert:
    """Return the only alert as it stands."""
    (alert,) = seen.alerts.values()
    return alert


EXPORT = an_event(Action.EXPORT, on(1), patient_id="p", application="dpi", actor_unit="medecine", actor_role="infirmier")


@pytest.mark.parametrize(
    ("about", "hides"),
    [
        ({"actors": ["nurse"]}, True),
        ({"actors": ["other"]}, False),
        ({"detectors": ["on_export"]}, True),
        ({"detectors": ["on_delete"]}, False),
        ({"patients": ["p"]}, True),
        ({"patients": ["q"], "actors": ["nurse"]}, False),
        ({"sources": [SOURCE]}, True),
        ({"sources": ["another"]}, False),
        ({"applications": ["dpi"]}, True),
        ({"applications": ["labo"]}, False),
        ({"roles": ["infirmier"]}, True),
        ({"roles": ["medecin"]}, False),
        ({"units": ["medecine"]}, True),
        ({"units": ["pole"]}, True),
        ({"units": ["chirurgie"]}, False),
        ({"actor_types": [ActorType.HUMAN]}, True),
        ({"actor_types": [ActorType.SERVICE]}, False),
        ({"actors": ["nurse"], "since": on(2)}, False),
        ({"actors": ["nurse"], "until": on(1)}, False),
        ({"actors": ["nurse"], "since": on(1), "until": on(1) + 1}, True),
    ],
    ids=str,
)
def test_a_rule_hides_what_fits_all_that_it_says(about: dict[str, Any], hides: bool) -> None:
    """Of each list one; in event time; a unit holds those below it."""
    units = [Unit("pole", "Pôle"), Unit("medecine", "Médecine", "pole"), Unit("chirurgie", "Chirurgie", "pole")]
    alert = the_alert(run([EXPORT], a_rule(**about), context=units))
    assert alert.suppressed is hides
    assert alert.suppressed_by == (("the-rule",) if hides else ())


def test_names_are_those_of_the_directory_and_units_those_of_the_position() -> None:
    """A rule on a person holds under each of their accounts; one on a unit where the person works, though no event says so."""
    context = [*a_person("nurse", "medecine", aliases=("login-9",)), Unit("medecine", "Médecine", "pole")]
    row = EXPORT._replace(actor_id="login-9", actor_unit="")
    assert the_alert(run([row], a_rule(actors=["nurse"]), context=context)).suppressed
    assert the_alert(run([row], a_rule(units=["pole"]), context=context)).suppressed


def test_what_is_hidden_is_kept_whole() -> None:
    """The same story, with its reasons, events and the priority that it would have; what hid it stands beside."""
    plain, hidden = the_alert(run([EXPORT])), the_alert(run([EXPORT], a_rule(actors=["nurse"])))
    assert (hidden.id, hidden.priority, hidden.event_ids, hidden.detectors) == (
        plain.id,
        plain.priority,
        plain.event_ids,
        plain.detectors,
    )
    assert hidden.to_dict()["suppressed"] is True
    assert [reason.suppressed_by for reason in hidden.reasons] == ["the-rule"]
    assert not {"suppressed", "suppressed_by", "raised_by"} & plain.to_dict().keys()


def test_what_is_not_hidden_is_told_with_what_is() -> None:
    """A story that stands by itself is told by its own weight; what a rule hides of it is marked, and comes last."""
    rows = [EXPORT, an_event(Action.DELETE, on(1, 10))]
    alert = the_alert(run(rows, a_rule(detectors=["on_export"])))
    alone = the_alert(run(rows[1:]))
    assert (alert.suppressed, alert.priority) == (False, alone.priority)
    assert [(reason.detector, reason.suppressed_by) for reason in alert.reasons] == [("on_delete", ""), ("on_export", "the-rule")]


def openings(n: int) -> list[EventRow]:
    """Return the opening of so many records, each a grave finding on its patient."""
    return [an_opening(f"p-{k}", on(1, 9, k)) for k in range(n)]


def test_a_wide_rule_never_hides_what_is_critical() -> None:
    """What says who alone, or where, hides the lesser; what would be critical is told as if there were no such rule."""
    few, many = openings(1), openings(12)
    assert the_alert(run(few, a_rule(actors=["nurse"]))).suppressed
    told, plain = the_alert(run(many, a_rule(actors=["nurse"]))), the_alert(run(many))
    assert plain.severity is Severity.CRITICAL
    assert (told.suppressed, told.priority) == (False, plain.priority)
    assert told.suppressed_by == ("the-rule",)


def test_a_narrow_rule_hides_what_it_names() -> None:
    """What says both what is found and on whom may hide it, however much: so does a window, of what programs do."""
    assert the_alert(run(openings(12), a_rule(actors=["nurse"], detectors=["on_read"]))).suppressed
    programs = [row._replace(actor_type=str(ActorType.SERVICE)) for row in openings(12)]
    window = a_rule(RuleKind.MAINTENANCE, sources=[SOURCE], actor_types=[ActorType.SERVICE])
    assert the_alert(run(programs, window)).suppressed
    assert not the_alert(run(openings(12), window)).suppressed


def test_what_is_hidden_does_not_use_up_the_budget() -> None:
    """The stories of the others are raised as if it had not been there."""
    crowd = [an_event(Action.EXPORT, on(0, h), actor_id=f"robot-{h}-{k}") for h in range(24) for k in range(4)]
    last = [an_event(Action.DELETE, on(5, h), actor_id=f"person-{h}") for h in range(5)]
    robots = a_rule(actors=[row.actor_id for row in crowd], detectors=["on_export"])
    hidden, plain = run([*crowd, *last], robots, per_day=2.0), run([*crowd, *last], per_day=2.0)
    assert {alert.actor for alert in hidden.told if not alert.suppressed} == {row.actor_id for row in last}
    assert not {alert.actor for alert in plain.told} >= {row.actor_id for row in last}


def test_a_watch_list_raises_stories_and_no_ordinary_access() -> None:
    """By the amount that it says; an access that nothing is found in stays untold, whoever is watched."""
    watch = a_rule(RuleKind.WATCH_LIST, name="vip", patients=["p"], raises=2.5)
    plain, watched = the_alert(run([EXPORT])), the_alert(run([EXPORT], watch))
    assert watched.priority == pytest.approx(plain.priority + 2.5)
    assert (watched.raised_by, plain.raised_by) == (("vip",), ())
    assert not run([an_event(Action.UPDATE, on(1), patient_id="p")], watch).alerts


def test_the_strongest_of_watch_lists_counts() -> None:
    """Two lists with one name don't add up."""
    lists = [a_rule(RuleKind.WATCH_LIST, name=name, actors=["nurse"], raises=by) for name, by in (("one", 1.0), ("two", 2.0))]
    alert = the_alert(run([EXPORT], *lists))
    assert alert.priority == pytest.approx(the_alert(run([EXPORT])).priority + 2.0)
    assert alert.raised_by == ("one", "two")


def test_a_list_may_want_each_access_told() -> None:
    """Explained or not, whatever the budget, and without using it up; each is evidence of one story a person."""
    watch = a_rule(RuleKind.WATCH_LIST, name="vip", patients=["p"], raises=1.0, every_access=True)
    rows = [an_opening("p", on(1, 9, k), action=Action.UPDATE) for k in range(3)] + [
        an_opening("q", on(1, 10), action=Action.UPDATE)
    ]
    context = [*a_person("nurse", "medecine"), a_link("p", "nurse", LinkKind.CARE_TEAM, on(0), on(9))]
    seen = run(rows, watch, context=context)
    alert = the_alert(seen)
    assert alert.event_ids == tuple(row.id for row in rows[:3])
    assert [(reason.detector, reason.p_value) for reason in alert.reasons] == [(WATCH_LIST, None)]
    assert (alert.priority, alert.raised_by) == (1.0, ("vip",))
    assert set(seen.found.values()) == {(WATCH_LIST,)}


def test_what_is_watched_is_never_hidden() -> None:
    """A watch-list goes before a suppression."""
    watch = a_rule(RuleKind.WATCH_LIST, name="watch", patients=["p"], raises=1.0)
    alert = the_alert(run([EXPORT], watch, a_rule(actors=["nurse"])))
    assert (alert.suppressed, alert.raised_by) == (False, ("watch",))


def test_one_story_can_be_silenced() -> None:
    """By its id: it is told no more, the person's next one is."""
    first = the_alert(run([EXPORT]))
    later = EXPORT._replace(id="later", occurred_at=on(9))
    seen = run([EXPORT, later], a_rule(alerts=[first.id]))
    assert {alert.id: alert.suppressed for alert in seen.told}[first.id]
    assert sorted(alert.suppressed for alert in seen.alerts.values()) == [False, True]


@pytest.mark.parametrize(
    ("name", "first", "last", "is_open"),
    [
        ("pacs", on(2), on(3), True),
        ("labo", on(4), on(9), True),
        ("pacs", on(0, 1), on(0, 23), False),
        ("dpi", on(2), on(3), False),
    ],
)
def test_a_window_excuses_the_silence_of_its_source(name: str, first: int, last: int, is_open: bool) -> None:
    """Of the format, or of the application, that it names; where it was open for a part of the silence."""
    window = a_rule(RuleKind.MAINTENANCE, since=on(1), until=on(5), sources=["pacs"], applications=["labo"])
    suppression = a_rule(name="another", sources=["dpi"])
    assert house_rules_of([window, suppression]).in_maintenance(name, first, last) is is_open


RULES = (
    a_rule(name="wide", actors=[*(f"actor-{k}" for k in range(8))]),
    a_rule(name="narrow", detectors=[d.name for d in detectors()], actors=["actor-9", "actor-10"]),
    a_rule(name="unit", units=["psychiatrie"], since=on(2), until=on(4)),
    a_rule(RuleKind.MAINTENANCE, name="window", sources=[SOURCE], since=on(3), until=on(5), actor_types=[ActorType.SERVICE]),
    a_rule(RuleKind.WATCH_LIST, name="list", patients=["patient-7"], raises=3.0, every_access=True),
)


@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(0, 4_000), max_size=4), st.booleans())
def test_rules_hang_on_no_cut_and_no_restart(cuts: list[int], stop: bool) -> None:
    """However the stream is cut, stopped and restored, the same alerts are told, kept and raised."""
    hospital = a_hospital(5, days=6)

    def restored(pipeline: Pipeline) -> Pipeline:
        if not stop:
            return pipeline
        after = Pipeline(pipeline.tenant, pipeline.detectors, None, 0.0, "UTC", pipeline.house_rules)
        after.restore(pipeline.snapshot())
        return after

    told = {"house_rules": house_rules_of(RULES)}
    whole = seen_by(hospital.context, hospital.events, **told)
    the_same(seen_by(hospital.context, hospital.events, cuts, between=restored, **told), whole)
    assert {alert.suppressed for alert in whole.alerts.values()} == {True, False}


def test_rules_change_nothing_but_what_is_told() -> None:
    """What is kept of each event is the same with and without suppressions; alerts alone differ."""
    hospital = a_hospital(5, days=6)
    plain = seen_by(hospital.context, hospital.events)
    ruled = seen_by(hospital.context, hospital.events, house_rules=house_rules_of(RULES[:4]))
    assert (plain.found, plain.weighed, plain.explained_by) == (ruled.found, ruled.weighed, ruled.explained_by)
    before, after = plain.alerts, ruled.alerts
    assert before.keys() == after.keys()
    assert all(after[id_].priority <= alert.priority for id_, alert in before.items())
    grave = [id_ for id_, alert in before.items() if alert.severity is Severity.CRITICAL]
    assert not [id_ for id_ in grave if after[id_].suppressed and "narrow" not in after[id_].suppressed_by]
