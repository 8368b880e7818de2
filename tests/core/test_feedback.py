"""Verdicts move what is found later, within bounds, and nothing else: not by their order, not by being told twice."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.alert import Usual
from sentinel.core.context import ContextRecord, Judgement, Verdict
from sentinel.core.detector import Finding, Scope, Words
from sentinel.core.feedback import FACTOR_MAX, FACTOR_MIN, VERDICTS_MAX, Feedback
from sentinel.core.pipeline import Pipeline
from sentinel.core.story import SEVERITIES, EventRef, Story, held_up
from tests.builders import Seen, a_batch, a_hospital, a_patient, a_person, a_pipeline, a_stay, an_opening, cut, on, seen_by

NURSES: list[ContextRecord] = [
    *a_person("nurse", "medecine"),
    *a_person("other", "medecine"),
    a_patient("p"),
    a_stay("q", "chirurgie"),
]
VERDICTS = st.builds(
    Verdict,
    alert_id=st.sampled_from("abcde"),
    actor_id=st.sampled_from(["nurse", "other"]),
    detectors=st.lists(st.sampled_from(["one", "two", "three"]), unique=True).map(tuple),
    patients=st.lists(st.sampled_from(["p", "q"]), unique=True).map(tuple),
    judgement=st.sampled_from(list(Judgement)),
    decided_at=st.integers(1, 100),
)


def said(judgement: Judgement, alert: str = "a", actor: str = "nurse", *detectors: str) -> Verdict:
    """Return a verdict given on the first day."""
    return Verdict(alert, actor, detectors or ("no_care_relation",), ("p",), judgement, on(0, 8))


def priority(*verdicts: Verdict, actor: str = "nurse") -> float:
    """Return the priority of the opening of a stranger's record, after verdicts."""
    pipeline = a_pipeline(["no_care_relation"])
    pipeline.know([*NURSES, *verdicts])
    pipeline.process(a_batch([an_opening("p", on(1), actor)]))
    return next(iter(pipeline.shard.stories.open.values())).score


def test_misuse_raises_and_justified_lowers_the_same_story_later() -> None:
    """On that person and detector; a test, and an alert that is unclear, change nothing."""
    plain = priority()
    assert priority(said(Judgement.MISUSE)) > plain > priority(said(Judgement.JUSTIFIED))
    assert priority(said(Judgement.ERROR)) == priority(said(Judgement.JUSTIFIED))
    assert priority(said(Judgement.TEST)) == priority(said(Judgement.UNCLEAR)) == plain


def test_a_verdict_says_nothing_of_other_stories() -> None:
    """Somebody else's, or another detector's: how often a detector is wrong on a role is measured, not told (habits.py)."""
    assert priority(said(Judgement.JUSTIFIED, "a", "other")) == priority()
    assert priority(said(Judgement.JUSTIFIED, "a", "nurse", "mass_export")) == priority()


def test_the_same_story_is_about_the_same_patient() -> None:
    """Advice on one patient explains nothing of another; what is about the person holds whoever the patients."""
    feedback = Feedback()
    feedback.take(said(Judgement.JUSTIFIED))
    same, another, whoever = (feedback.factor("nurse", "no_care_relation", patient) for patient in ("p", "q", ""))
    assert same == whoever == pytest.approx(2 / 3)
    assert another == 1.0


def test_a_verdict_can_be_taken_back() -> None:
    """The last one on an alert counts: unclear after justified leaves nothing behind."""
    assert priority(said(Judgement.JUSTIFIED), said(Judgement.UNCLEAR)) == priority()
    assert priority(said(Judgement.JUSTIFIED), said(Judgement.MISUSE)) == priority(said(Judgement.MISUSE))


@given(st.lists(VERDICTS, max_size=12))
def test_no_number_of_clicks_goes_beyond_the_bounds(verdicts: list[Verdict]) -> None:
    """Half and one and a half times a finding's strength, whatever was said and however often."""
    feedback = Feedback()
    for verdict in verdicts:
        feedback.take(verdict)
    for actor in ("nurse", "other", "nobody"):
        for detector in ("one", "two", "three", "four"):
            for patient in ("", "p", "r"):
                assert FACTOR_MIN <= feedback.factor(actor, detector, patient) <= FACTOR_MAX
            assert feedback.factor(actor, "four", "") == 1.0


@given(st.lists(VERDICTS, max_size=5, unique_by=lambda verdict: verdict.alert_id), st.randoms())
def test_the_order_of_verdicts_on_different_alerts_does_not_matter(verdicts: list[Verdict], chance: random.Random) -> None:
    """Two runtimes that read them in different orders conclude the same."""
    one, other = Feedback(), Feedback()
    for verdict in verdicts:
        one.take(verdict)
    for verdict in chance.sample(verdicts, len(verdicts)) * 2:
        other.take(verdict)
    pairs = [(actor, detector, patient) for actor in ("nurse", "other") for detector in ("one", "two") for patient in ("", "p")]
    assert [one.factor(*pair) for pair in pairs] == [other.factor(*pair) for pair in pairs]
    assert [one.confirmed_at(actor) for actor, *_ in pairs] == [other.confirmed_at(actor) for actor, *_ in pairs]


def test_what_is_remembered_is_bounded() -> None:
    """The verdict told first makes room, and takes with it what it counted for."""
    feedback = Feedback()
    for n in range(VERDICTS_MAX + 1):
        feedback.take(Verdict(f"alert-{n}", f"actor-{n}", ("one",), (), Judgement.MISUSE, 1))
    assert (len(feedback.verdicts), len(feedback.about)) == (VERDICTS_MAX, VERDICTS_MAX)
    assert feedback.confirmed_at("actor-0") == 0
    assert feedback.confirmed_at("actor-1") == 1


def finding(strength: float, factor: float, name: str) -> Finding:
    """Return a finding that verdicts move by a factor."""
    return Finding(name, name, Scope.PATIENT, strength, 10**-strength, Words(1, Usual(), "vu", "seen"), factor=factor)


def story_of(findings: Sequence[Finding]) -> Story:
    """Return the story of findings on one patient."""
    story = Story("id", 1, 0, 0, 0)
    for number, one in enumerate(findings):
        story.add(one, EventRef(number, str(number), str(number), 1, 0), ())
    return story


@given(st.lists(st.tuples(st.floats(0, 8), st.floats(FACTOR_MIN, 1.0)), min_size=1, max_size=6))
def test_nothing_serious_is_silenced_by_clicks(told: list[tuple[float, float]]) -> None:
    """What is critical without verdicts stays as it is, and anything else keeps half of its priority at least."""
    judged = story_of([finding(strength, factor, f"d{n}") for n, (strength, factor) in enumerate(told)])
    plain = story_of([finding(strength, 1.0, f"d{n}") for n, (strength, _) in enumerate(told)])
    assert judged.score <= plain.score + 1e-9
    assert judged.score >= plain.score * FACTOR_MIN - 1e-9
    if plain.score >= SEVERITIES[0][0]:
        assert judged.score == pytest.approx(plain.score)


def test_the_floor_does_not_hold_back_what_is_raised() -> None:
    """A confirmed misuse may make any story graver."""
    assert held_up(15.0, 10.0) == 15.0
    assert story_of([finding(4.0, 1.5, "d")]).score == pytest.approx(6.0)


def test_a_verdict_withdrawn_while_the_story_is_open_leaves_no_trace_in_it() -> None:
    """A stronger finding after it weighs as if nothing had been said."""
    again = story_of([finding(4.0, 0.5, "d"), finding(5.0, 1.0, "d")])
    assert again.score == story_of([finding(5.0, 1.0, "d")]).score


def judged_midway(cuts: Sequence[int], *, stopped: bool) -> Seen:
    """Return what is seen of a small hospital in which verdicts come in after its first half."""
    hospital = a_hospital(31, days=6)
    verdicts = [said(Judgement.JUSTIFIED, "a", "actor-1"), said(Judgement.MISUSE, "b", "actor-2")]
    half = len(hospital.events) // 2
    seen, pipeline = Seen(), a_pipeline()
    pipeline.know(hospital.context)
    for part, told in ((hospital.events[:half], verdicts), (hospital.events[half:], [])):
        for piece in cut(part, cuts):
            seen.add(pipeline.process(a_batch(piece)))
            pipeline = continued(pipeline) if stopped else pipeline
        pipeline.know(told)
    return seen


def continued(pipeline: Pipeline) -> Pipeline:
    """Return another pipeline with the state of this one."""
    fresh = a_pipeline()
    fresh.restore(pipeline.snapshot())
    return fresh


def test_verdicts_are_part_of_the_state_and_no_batch_cut_matters() -> None:
    """Stopped, restored, or cut elsewhere: the same alerts to the byte."""
    whole = judged_midway((), stopped=False)
    assert whole.detectors()
    for other in (judged_midway((7, 50, 51), stopped=False), judged_midway((20, 90), stopped=True)):
        assert {a.to_json() for a in other.alerts.values()} == {a.to_json() for a in whole.alerts.values()}


def test_a_case_is_remembered_of_the_person_it_was_about() -> None:
    """The latest misuse counts; others' do not, nor does what was justified."""
    told = [said(Judgement.MISUSE, "a"), said(Judgement.JUSTIFIED, "b", "other")]
    for verdicts in permutations(told):
        rows = [an_opening("p", on(2, 8), actor) for actor in ("nurse", "other")]
        assert seen_by([*NURSES, *verdicts], rows, names=[]).fact("confirmed_days")[0] == pytest.approx(2.0)
        assert seen_by([*NURSES, *verdicts], rows, names=[]).fact("confirmed_days")[1] != pytest.approx(2.0)
