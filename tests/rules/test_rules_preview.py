"""A preview says what rules would have done: exactly where events are assessed again, and otherwise as far as alerts tell."""

from __future__ import annotations

from typing import Any

import pytest

from sentinel.core.alert import rfc3339
from sentinel.core.context import Judgement
from sentinel.core.event import Action
from sentinel.core.house_rules import Rule, RuleKind, Selector, house_rules_of
from streams.rules_preview import Effect, counted, of_replayed, of_stored
from tests.builders import on
from tests.core.test_house_rules import DELETIONS, EXPORT, EXPORTS, a_rule, an_event, run


def stored(**told: Any) -> dict[str, Any]:
    """Return an alert on one person's two findings, as the store has it."""
    return {
        "id": "a" * 32,
        "severity": "high",
        "priority": 9.0,
        "actor": "nurse",
        "detectors": ["mass_export", "vip_record"],
        "last_seen": rfc3339(on(1)),
    } | told


def access(*detectors: str, **told: Any) -> dict[str, Any]:
    """Return an access that an alert rests on."""
    row = {"occurred_at": rfc3339(on(1)), "actor_id": "login-1", "actor_type": "human", "actor_role": "infirmier"}
    row |= {"actor_unit": "medecine", "patient_id": "p", "source": "sentinel_json", "application": "dpi"}
    return {"access": row | {"detectors": list(detectors)} | told}


EVIDENCE = [access("mass_export"), access("vip_record", application="labo")]


@pytest.mark.parametrize(
    ("rule", "effect"),
    [
        (a_rule(actors=["nurse"]), Effect.HIDDEN),
        (a_rule(actors=["login-1"]), Effect.HIDDEN),
        (a_rule(actors=["other"]), None),
        (a_rule(detectors=["vip_record"]), Effect.IN_PART),
        (a_rule(applications=["labo"]), Effect.IN_PART),
        (a_rule(actors=["nurse"], until=on(1)), None),
        (a_rule(RuleKind.WATCH_LIST, actors=["nurse"], raises=1.0), Effect.RAISED),
    ],
)
def test_stored_alerts_are_judged_by_their_accesses(rule: Rule, effect: Effect | None) -> None:
    """A finding is hidden where all accesses that it was made on fit the rule."""
    found = of_stored(stored(), EVIDENCE, house_rules_of([rule]), {})
    assert (found and found.effect) == effect


def test_what_is_critical_is_previewed_as_told() -> None:
    """Unless the rule says what is found, and on whom."""
    grave = stored(severity="critical")
    wide, narrow = a_rule(actors=["nurse"]), a_rule(actors=["nurse"], detectors=["mass_export", "vip_record"])
    effects = [found.effect for rule in (wide, narrow) if (found := of_stored(grave, EVIDENCE, house_rules_of([rule]), {}))]
    assert effects == [Effect.CRITICAL, Effect.HIDDEN]


def test_a_replay_says_what_rules_did() -> None:
    """Hidden, told but for a part, raised; of the hidden, how many had been confirmed as misuse."""
    rows = [EXPORT, EXPORT._replace(id="2", actor_id="other"), an_event(Action.DELETE, on(1, 10), actor_id="other")]
    rules = house_rules_of([Rule("exports", RuleKind.SUPPRESSION, on(0), on(9), Selector(detectors=frozenset({"on_export"})))])
    alerts = run(rows, *rules.by_name.values(), extra=[EXPORTS, DELETIONS]).alerts
    first = next(alert.id for alert in alerts.values() if alert.actor == "nurse")
    found = [one for alert in alerts.values() if (one := of_replayed(alert, {first: Judgement.MISUSE}))]
    assert [(one.actor, one.effect, one.verdict) for one in found] == [
        ("nurse", Effect.HIDDEN, "misuse"),
        ("other", Effect.IN_PART, ""),
    ]
    ((name, counts),) = counted(rules, found)
    assert (name, {effect: n for effect, n in counts.items() if n}) == (
        "exports",
        {"hidden": 1, "in-part": 1, "hidden misuse": 1},
    )
