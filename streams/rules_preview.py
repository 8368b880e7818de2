"""What rules would have done to alerts that are there already: as far as an alert and its accesses tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sentinel.core.alert import Alert, Severity
from sentinel.core.context import Judgement
from sentinel.core.event import microseconds
from sentinel.core.house_rules import HouseRules, Rule

Answer = Mapping[str, Any]


class Effect(StrEnum):
    """What becomes of an alert: kept and not told; told since it is critical; told, but for a part of it; raised."""

    HIDDEN = "hidden"
    CRITICAL = "critical"
    IN_PART = "in-part"
    RAISED = "raised"


@dataclass(frozen=True, slots=True)
class Previewed:
    """One alert that rules would change, or change. `verdict`: the last one on it, empty: none."""

    alert: str
    effect: Effect
    rules: tuple[str, ...]
    severity: str
    priority: float
    actor: str
    detectors: tuple[str, ...]
    last_seen: str
    verdict: str = ""


def of_stored(
    alert: Answer, evidence: Sequence[Answer], rules: HouseRules, verdicts: Mapping[str, Judgement]
) -> Previewed | None:
    """Return what rules would have done to an alert, given the accesses that it rests on; None: nothing.

    An estimate: a person is known by the ids in the alert and its accesses, a unit and a role as the events told them,
    and what is not in the accesses' own findings (the model, what was waited for) is taken for all of them.
    """
    accesses = [row["access"] for row in evidence]
    held = {name: _held(rules, alert, accesses, name) for name in alert["detectors"]}
    hiding = {name: rule for name in held if (rule := rules.hides(held[name], name, alert["id"])) is not None}
    raising = {rule for name in held for rule in rules.raises(held[name], name, alert["id"])}
    effect = _effect(alert, hiding, is_raised=bool(raising))
    if effect is None:
        return None
    names = raising if effect is Effect.RAISED else {rule.name for rule in hiding.values()}
    return _previewed(alert, effect, names, verdicts)


def of_replayed(alert: Alert, verdicts: Mapping[str, Judgement]) -> Previewed | None:
    """Return what rules did to an alert of a replay under them; None: nothing."""
    if not (alert.suppressed_by or alert.raised_by):
        return None
    effect = Effect.HIDDEN if alert.suppressed else Effect.IN_PART if alert.suppressed_by else Effect.RAISED
    if effect is Effect.IN_PART and all(reason.suppressed_by for reason in alert.reasons):
        effect = Effect.CRITICAL
    names = alert.raised_by if effect is Effect.RAISED else alert.suppressed_by
    return _previewed(alert.to_dict(), effect, names, verdicts)


def counted(rules: HouseRules, found: Iterable[Previewed]) -> list[tuple[str, dict[str, int]]]:
    """Return of each rule how many alerts it had a part in, by effect; how many of the hidden were misuse, or not yet judged."""
    counts = {name: Counter[str]() for name in rules.by_name}
    for one in found:
        for name in one.rules:
            counts[name][str(one.effect)] += 1
            if one.effect is Effect.HIDDEN:
                counts[name][f"hidden {one.verdict or 'unjudged'}"] += 1
    columns = (*map(str, Effect), f"hidden {Judgement.MISUSE}", "hidden unjudged")
    return [(name, {column: count[column] for column in columns}) for name, count in counts.items()]


def _previewed(alert: Answer, effect: Effect, names: Iterable[str], verdicts: Mapping[str, Judgement]) -> Previewed:
    told = (alert["severity"], alert["priority"], alert["actor"], tuple(alert["detectors"]), alert["last_seen"])
    return Previewed(alert["id"], effect, tuple(sorted(names)), *told, str(verdicts.get(alert["id"], "")))


def _effect(alert: Answer, hiding: Mapping[str, Rule], *, is_raised: bool) -> Effect | None:
    if len(hiding) == len(alert["detectors"]):
        is_told = alert["severity"] == Severity.CRITICAL and not all(rule.is_narrow for rule in hiding.values())
        return Effect.CRITICAL if is_told else Effect.HIDDEN
    if hiding:
        return Effect.IN_PART
    return Effect.RAISED if is_raised else None


def _held(rules: HouseRules, alert: Answer, accesses: Sequence[Answer], detector: str) -> list[str]:
    """Return the rules that hold for all the accesses on which a detector found something."""
    flagged = [access for access in accesses if detector in access["detectors"]] or accesses
    return [rule.name for rule in rules.by_name.values() if flagged and all(_holds(rule, alert, one) for one in flagged)]


def _holds(rule: Rule, alert: Answer, access: Answer) -> bool:
    about, at = rule.about, microseconds(datetime.fromisoformat(access["occurred_at"]))
    told = (
        (about.patients, {access["patient_id"]}),
        (about.actors, {access["actor_id"], alert["actor"]}),
        (about.actor_types, {access["actor_type"]}),
        (about.roles, {access["actor_role"]}),
        (about.units, {access["actor_unit"]}),
        (about.sources, {access["source"]}),
        (about.applications, {access["application"]}),
    )
    return rule.since <= at < rule.until and all(not wanted or wanted & has for wanted, has in told)
