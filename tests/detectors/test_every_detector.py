"""What every detector owes, tried on each that is found: `detector:check`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import FrozenInstanceError, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import detectors as package
from sentinel.assembly import detectors
from sentinel.core.alert import Alert
from sentinel.core.context import ContextRecord
from sentinel.core.detector import Detector, Facts
from sentinel.core.event import EventRow
from sentinel.core.facts.declare import FACTS, RATES
from sentinel.core.pipeline import Pipeline
from sentinel.core.shard import LOG
from tests.builders import Seen, a_batch, a_pipeline, cut
from tests.detectors.scenarios import SCENARIOS, Scenario

DETECTORS = {detector.name: detector for detector in detectors()}
FOLDER = Path(package.__path__[0])


@cache
def scenario(name: str) -> Scenario:
    """Return the scenario of a detector."""
    return SCENARIOS[name]()


def alone(detector: Detector, shown: list[Facts] | None = None) -> Pipeline:
    """Return a pipeline with one detector, whose every finding is told: how much it weighs beside others is not tried here."""

    def match(facts: Facts) -> Any:
        if shown is not None:
            shown.append(facts)
        return detector.match(facts)

    return a_pipeline([], extra=[replace(detector, match=match, weight=100.0, measured=False)])


def watched(context: Sequence[ContextRecord], rows: Sequence[EventRow], name: str) -> tuple[Seen, list[Facts]]:
    """Return what one detector alone concludes of events, and the facts it was shown."""
    shown: list[Facts] = []
    pipeline = alone(DETECTORS[name], shown)
    pipeline.know(context)
    seen = Seen()
    for piece in cut(rows, range(0, len(rows), 500)):
        seen.add(pipeline.process(a_batch(piece, delays=scenario(name).delays)))
    return seen, shown


@cache
def hit(name: str) -> tuple[Seen, list[Facts]]:
    """Return what the detector makes of its scenario."""
    return watched(scenario(name).context, scenario(name).hit, name)


def alerts_of(name: str) -> list[Alert]:
    """Return the alerts of the scenario in which the detector finds something."""
    return [*hit(name)[0].alerts.values()]


def check_finds_its_pattern(detector: Detector) -> None:
    """The scenario gives an alert that names the detector, the person, and the evidence."""
    alerts = alerts_of(detector.name)
    rows = scenario(detector.name).hit
    assert alerts, "nothing was found"
    assert all(alert.detectors == (detector.name,) for alert in alerts)
    assert {alert.actor for alert in alerts} <= {row.actor_id for row in rows} | {f"{LOG}{row.application}" for row in rows}
    assert all(set(alert.event_ids) <= {row.id for row in rows} and alert.event_ids for alert in alerts)


def check_leaves_the_near_miss(detector: Detector) -> None:
    """What differs from it in one respect is left alone."""
    near = scenario(detector.name)
    seen, _ = watched(near.context_of_miss, near.miss, detector.name)
    assert not seen.told
    assert not seen.found


def check_p_value(detector: Detector) -> None:
    """Of every hit in (0, 1], before anybody clips it, one a hit, and never missing."""
    _, shown = hit(detector.name)
    told = [
        value for facts in shown if (where := np.nonzero(detector.match(facts))[0]).size for value in _p(detector, facts, where)
    ]
    assert told
    assert all(0.0 < value <= 1.0 for value in told)
    reasons = [reason for alert in alerts_of(detector.name) for reason in alert.reasons]
    assert all(reason.p_value is not None and 0.0 < reason.p_value <= 1.0 for reason in reasons)


def _p(detector: Detector, facts: Facts, where: Any) -> list[float]:
    p_values: list[float] = np.asarray(detector.p_value(facts.at(where))).tolist()
    assert len(p_values) == len(where)
    return p_values


def check_says_it_in_both_languages(detector: Detector) -> None:
    """Two sentences that differ, with what was observed, and no trace of a program in them."""
    for alert in alerts_of(detector.name):
        for reason in alert.reasons:
            assert reason.fr != reason.en
            for text in (reason.fr, reason.en):
                assert text.endswith(".")
                assert not re.search(r"nan|None|inf\b|\d\.0\b|  |\be[+-]\d|%s|\{", text), text


def check_names_nobody(detector: Detector) -> None:
    """The sentences name neither the patient nor the person nor an event: a screen that shows them tells no secret."""
    rows = scenario(detector.name).hit
    secrets = {row.patient_id for row in rows} | {row.actor_id for row in rows} | {row.id for row in rows} | {"le goff"}
    texts = " ".join(reason.fr + reason.en for alert in alerts_of(detector.name) for reason in alert.reasons).lower()
    assert not [secret for secret in secrets - {"", "nurse"} if secret.lower() in texts]


def check_keeps_to_json(detector: Detector) -> None:
    """What was observed and what is usual are numbers or texts that JSON knows, not missing ones in disguise."""
    for alert in alerts_of(detector.name):
        json.loads(alert.to_json(), parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
        for reason in alert.reasons:
            for value in (reason.observed, reason.usual.actor, reason.usual.peers):
                assert value is None or type(value) in (int, float, str)
                assert not (isinstance(value, float) and math.isnan(value))


def check_state_with_its_findings_can_be_kept(detector: Detector) -> None:
    """Stopped in the middle of its scenario and gone on with, it finds the same."""
    told = scenario(detector.name)
    pipeline = alone(detector)
    pipeline.know(told.context)
    seen = Seen()
    for piece in cut(told.hit, [len(told.hit) // 2, len(told.hit) - 1]):
        seen.add(pipeline.process(a_batch(piece, delays=told.delays)))
        fresh = alone(detector)
        fresh.restore(pipeline.snapshot())
        pipeline = fresh
    assert {a.to_json() for a in seen.alerts.values()} == {a.to_json() for a in alerts_of(detector.name)}


def check_declares_the_context_it_needs(detector: Detector) -> None:
    """Without any context it is silent if its card says that it needs some, rather than taking everything for misuse."""
    seen, _ = watched((), scenario(detector.name).hit, detector.name)
    assert bool(detector.card.needs) is not bool(seen.found or seen.told)


def check_card(detector: Detector) -> None:
    """An analyst can read what it is, why it matters and when it is wrong, before trusting it."""
    card = detector.card
    assert all(text.strip() and text.endswith(".") for text in (card.what, card.why, card.false_positives))
    assert all(re.fullmatch(r"[A-Z][A-Za-z]+(\.[a-zA-Z]+)*", need) for need in card.needs)
    assert all(card.references) or not card.references
    assert detector.title_fr
    assert detector.title_en
    assert detector.title_fr != detector.title_en


def check_is_named_as_its_file(detector: Detector) -> None:
    """Who has the name has the file, and the file says in a sentence what it is."""
    text = (FOLDER / f"{detector.name}.py").read_text(encoding="utf-8")
    assert f'name="{detector.name}"' in text
    assert re.match(r'"""[A-Z][^"]+\."""', text)


def check_cannot_be_changed(detector: Detector) -> None:
    """What runs is what the file says."""
    with pytest.raises(FrozenInstanceError):
        detector.weight = 0.0  # type: ignore[misc]


def check_stands_any_facts(detector: Detector) -> None:
    """On facts of any kind, missing ones everywhere, it tells hits in the right shape, and each can be put into words."""
    facts = any_facts(400)
    where = np.nonzero(detector.match(facts))[0]
    assert detector.match(facts).shape == (400,)
    assert detector.match(facts).dtype == np.bool_
    among = facts.at(where)
    assert all(math.isnan(value) or value > 0.0 for value in np.clip(detector.p_value(among), 1e-12, 1.0).tolist())
    for i in range(len(where)):
        words = detector.say(among, i)
        assert words.fr != words.en
        assert "nan" not in words.fr + words.en


def any_facts(n: int) -> Facts:
    """Return facts in their declared ranges, a third of them missing."""
    chance = np.random.default_rng(7)
    values = np.full((len(FACTS), n), np.nan, np.float32)
    for row, fact in zip(values, FACTS, strict=True):
        drawn = chance.random(n) if fact.unit == "share" else chance.integers(0, 60, n)
        row[:] = chance.integers(0, 2, n) if fact.unit == "flag" else drawn
        row[chance.random(n) < (0.0 if fact.missing == "never" else 0.33)] = np.nan
    flags = chance.random((5, n)) < 0.5
    codes = [chance.integers(0, most, n).astype(np.int8) for most in (16, 3, 6)]
    roles = chance.integers(0, 3, n)
    return Facts(values, *codes, *flags[: len(Facts.__slots__) - 6], role=roles, rates=np.full((3, len(RATES)), 0.01))


CHECKS: Sequence[Callable[[Detector], None]] = [value for name, value in sorted(globals().items()) if name.startswith("check_")]


def test_every_detector_has_its_scenario() -> None:
    """A new detector comes with what it must see and what it must leave alone."""
    assert sorted(SCENARIOS) == sorted(DETECTORS)


@pytest.mark.parametrize(
    ("detector", "check"),
    [
        pytest.param(detector, check, id=f"{detector.name}:{check.__name__}")
        for detector in DETECTORS.values()
        for check in CHECKS
    ],
)
def test_every_detector(detector: Detector, check: Callable[[Detector], None]) -> None:
    """One promise, kept by one detector."""
    check(detector)
