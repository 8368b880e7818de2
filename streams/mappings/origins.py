"""Where each field of a mapping's events is from, in words."""

from __future__ import annotations

from streams.mappings.document import Mapping, Rule, TimeRule


def origins(mapping: Mapping) -> dict[str, str]:
    """Return, by field, what it is read from."""
    fields = mapping.fields
    told = {name: _words(rule) for name, rule in fields.rules()}
    told["occurred_at"] = f"{_from(fields.occurred_at)}, {' or '.join(fields.occurred_at.format)}"
    told.setdefault("id", "derived from the record")
    return told


def _words(rule: Rule) -> str:
    if rule.value is not None:
        return f"always {rule.value}"
    steps = [("pattern", rule.pattern), ("map", rule.map), ("match", rule.match), (f"prefix {rule.prefix}", rule.prefix)]
    applied = [name for name, used in steps if used]
    default = [f"else {rule.default}"] if rule.default else []
    return ", ".join([_from(rule), *applied, *default])


def _from(rule: Rule | TimeRule) -> str:
    return " + ".join(rule.join) if rule.join else " or ".join(rule.source or ())
