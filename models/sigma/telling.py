"""What a Sigma rule says of itself, as findings, cards and alerts say it."""

from __future__ import annotations

import re
from typing import Any, Final

from sigma.correlations import SigmaCorrelationRule, SigmaCorrelationType
from sigma.rule import SigmaLevel, SigmaRuleBase

from sentinel.core.detector import Card, Scope

OWN: Final = "sentinel"
# The strength of a finding is -log10 of this: one of `high` alone makes a medium alert, one of `critical` a high one.
P_VALUES: Final = {
    SigmaLevel.INFORMATIONAL: 1e-1,
    SigmaLevel.LOW: 1e-2,
    SigmaLevel.MEDIUM: 1e-3,
    SigmaLevel.HIGH: 1e-5,
    SigmaLevel.CRITICAL: 1e-8,
}
_LEVELS_FR: Final = {
    SigmaLevel.INFORMATIONAL: "information",
    SigmaLevel.LOW: "faible",
    SigmaLevel.MEDIUM: "moyen",
    SigmaLevel.HIGH: "élevé",
    SigmaLevel.CRITICAL: "critique",
}
_SENTENCE: Final = re.compile(r"(.{1,300}?[.!?])(?:\s|$)", re.DOTALL)
_UNITS: Final = {"s": "s", "m": "min", "h": "h", "d": ("j", "d"), "w": ("sem.", "w"), "M": ("mois", "months"), "y": ("ans", "y")}


def pattern_of(rule: SigmaRuleBase, name: str) -> dict[str, Any]:
    """Return what `Rule` is told beside its conditions."""
    level = rule.level or SigmaLevel.MEDIUM
    title_fr = str(rule.custom_attributes.get(OWN, {}).get("title_fr", rule.title))
    number = f" [{rule.id}]" if rule.id else ""
    return {
        "name": name,
        "title_fr": title_fr,
        "title_en": rule.title,
        "scope": Scope.ACTOR,
        "card": _card(rule, level),
        "p_value": P_VALUES[level],
        "fr": f"Règle Sigma de niveau {_LEVELS_FR[level]} : {title_fr}{number}.",
        "finds": level is not SigmaLevel.INFORMATIONAL,
        "en": f"Sigma rule of level {level.name.lower()}: {rule.title}{number}.",
    }


def correlation_pattern_of(rule: SigmaCorrelationRule, name: str) -> dict[str, Any]:
    """Return what `Correlation` is told beside its conditions; `{count}` in its sentences is how much was observed."""
    told = pattern_of(rule, name)
    unit = _UNITS[rule.timespan.unit]
    unit_fr, unit_en = (unit, unit) if isinstance(unit, str) else unit
    things_fr, things_en = _THINGS[rule.type]
    escaped = {language: told[language].replace("{", "{{").replace("}", "}}") for language in ("fr", "en")}
    return told | {
        "fr": f"{escaped['fr']} {{count}} {things_fr} en {rule.timespan.count} {unit_fr}.",
        "en": f"{escaped['en']} {{count}} {things_en} within {rule.timespan.count} {unit_en}.",
    }


_THINGS: Final = {
    SigmaCorrelationType.EVENT_COUNT: ("événements", "events"),
    SigmaCorrelationType.VALUE_COUNT: ("valeurs différentes", "different values"),
    SigmaCorrelationType.TEMPORAL: ("signes réunis", "signs together"),
    SigmaCorrelationType.TEMPORAL_ORDERED: ("étapes dans cet ordre", "steps in this order"),
}


def _card(rule: SigmaRuleBase, level: SigmaLevel) -> Card:
    what = " ".join((rule.description or rule.title).split())
    sentence = _SENTENCE.match(what)
    tags = tuple(str(tag) for tag in rule.tags)
    return Card(
        what=sentence[1] if sentence else what[:300],
        why=", ".join(tags) or f"level {level.name.lower()}",
        false_positives="; ".join(rule.falsepositives) or "The rule names none.",
        references=(*(f"Sigma rule {rule.id}" for _ in (1,) if rule.id), *rule.references),
    )
