"""A Sigma correlation as the core runs it: grouped by the person at least, and known as soon as it is complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sigma.correlations import (
    SigmaCorrelationCondition,
    SigmaCorrelationConditionOperator,
    SigmaCorrelationRule,
    SigmaCorrelationType,
)

from models.sigma.refusals import Reason, RuleRefusedError
from models.sigma.taxonomy import Format
from models.sigma.telling import correlation_pattern_of
from sentinel.core.sigma import TEXTS, Correlation, Kind

COUNT_MAX: Final = 10_000
SPAN_DAYS_MAX: Final = 24  # in history as well, where a frame is of 32 bits of milliseconds
PERSON: Final = "actor_id"

Formats = Mapping[str, Sequence[Format | None]]

_KINDS: Final = {
    SigmaCorrelationType.EVENT_COUNT: Kind.EVENT_COUNT,
    SigmaCorrelationType.VALUE_COUNT: Kind.VALUE_COUNT,
    SigmaCorrelationType.TEMPORAL: Kind.TEMPORAL,
    SigmaCorrelationType.TEMPORAL_ORDERED: Kind.TEMPORAL_ORDERED,
}


def compiled(rule: SigmaCorrelationRule, name: str, references: Mapping[str, str], formats: Formats) -> Correlation:
    """Return a correlation. `references`: the rules it looks at by what it calls them; `formats`: whose records those see.

    Raises:
        RuleRefusedError: it is of a kind that is not known in time, or joins what several people do.
    """
    kind = _KINDS.get(rule.type)
    if kind is None:
        raise RuleRefusedError(Reason.NOT_COUNTABLE, f"a correlation of type {rule.type.name.lower()}")
    if rule.timespan.seconds > SPAN_DAYS_MAX * 86_400:
        raise RuleRefusedError(Reason.NOT_COUNTABLE, f"a time span of more than {SPAN_DAYS_MAX} days")
    of = tuple(references.values())
    by = tuple(sorted({_column(rule, one, references, formats) for one in rule.group_by or ()}))
    if PERSON not in by:
        told = ", ".join(rule.group_by or ()) or "nothing"
        raise RuleRefusedError(Reason.NOT_BY_PERSON, f"grouped by {told}: what several people do is divided among workers")
    is_count = kind in (Kind.EVENT_COUNT, Kind.VALUE_COUNT)
    least = _least(rule) if is_count else len(set(of))
    value_of = _column(rule, str(_condition(rule).fieldref), references, formats) if kind is Kind.VALUE_COUNT else ""
    span_us = rule.timespan.seconds * 1_000_000
    told_of = correlation_pattern_of(rule, name)
    return Correlation(kind=kind, of=of, by=by, span_us=span_us, least=least, value_of=value_of, **told_of)


def _condition(rule: SigmaCorrelationRule) -> SigmaCorrelationCondition:
    if not isinstance(rule.condition, SigmaCorrelationCondition):
        raise RuleRefusedError(Reason.NOT_COUNTABLE, "a condition of and, or and not over rules")
    return rule.condition


def _least(rule: SigmaCorrelationRule) -> int:
    """Return the number that has to be reached: a count that must stay low is known only once its time is over."""
    condition = _condition(rule)
    more = {SigmaCorrelationConditionOperator.GTE: 0, SigmaCorrelationConditionOperator.GT: 1}.get(condition.op)
    if more is None or condition.count != int(condition.count):
        raise RuleRefusedError(Reason.NOT_COUNTABLE, f"a count that is {condition.op.name.lower()} {condition.count}")
    least = int(condition.count) + more
    if not 1 <= least <= COUNT_MAX:
        raise RuleRefusedError(Reason.NOT_COUNTABLE, f"a count of {least}: 1 to {COUNT_MAX} can be kept")
    return least


def _column(rule: SigmaCorrelationRule, name: str, references: Mapping[str, str], formats: Formats) -> str:
    """Return the column of ours that holds a field, or an alias, in the events of all rules."""
    aliased = {alias.alias: alias.mapping for alias in rule.aliases}
    if name in aliased:
        fields = {references[one.reference]: told for one, told in aliased[name].items() if one.reference in references}
    else:
        fields = dict.fromkeys(references.values(), name)
    columns = {_kept(field, found) for one, field in fields.items() for found in formats[one]}
    if len(columns) != 1:
        raise RuleRefusedError(Reason.FIELD_NOT_KEPT, f"{name}: another column for each rule")
    return columns.pop()


def _kept(name: str, found: Format | None) -> str:
    column = name if found is None else found.grouped.get(name, "")
    if column not in TEXTS:
        raise RuleRefusedError(Reason.FIELD_NOT_KEPT, f"{name}, which correlations would have to know of an event")
    return column
