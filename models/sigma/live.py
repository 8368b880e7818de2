"""A condition over the columns of a micro-batch: texts through their numbers, numbers as they are, masks from there on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from models.sigma.expressions import (
    All,
    Compared,
    Expression,
    Field,
    Not,
    Order,
    Some,
    Time,
    compare,
    on_one_field,
    text_predicate,
)
from models.sigma.refusals import Reason, RuleRefusedError
from sentinel.core.detector import Column, Mask
from sentinel.core.sigma import CODED, MARKS, NUMBERS, TEXTS, TIME, Match, Places, TextTest, View

_CHEAPEST: Final = (*CODED, "source", "application", "resource_type", "purpose", "actor_role", "site")


def matcher(tree: Expression) -> Match:
    """Return what tells of each event whether a condition holds; fields are named as our columns are.

    Raises:
        RuleRefusedError: a field is none of them, or is asked what it cannot answer.
    """
    name = _text_of(tree)
    if name is not None:
        return _about_text(TextTest(name, text_predicate(tree)))
    match tree:
        case Field():
            return _about_number(tree)
        case Not():
            inner = matcher(tree.of)
            return lambda view, rows: ~inner(view, rows)
        case All():
            return _all(_by_field(tree.of, All))
    return _any(_by_field(tree.of, Some))


def _by_field(of: Sequence[Expression], whole: type[All | Some]) -> list[Match]:
    """Return a matcher for all that is about the same field together, the cheapest first."""
    groups: dict[object, list[Expression]] = {}
    for one in of:
        groups.setdefault(_text_of(one) or id(one), []).append(one)
    order = sorted(groups, key=lambda name: _CHEAPEST.index(name) if name in _CHEAPEST else len(_CHEAPEST))
    return [matcher(found[0] if len(found) == 1 else whole(tuple(found))) for found in map(groups.__getitem__, order)]


def _text_of(tree: Expression) -> str | None:
    """Return the column of texts that all of a tree is about; None: of several, or of numbers."""
    name = on_one_field(tree)
    return name if name in TEXTS or name in CODED or name == MARKS else None


def _about_text(test: TextTest) -> Match:
    return lambda view, rows: view.accepted(test, rows)


def _about_number(asked: Field) -> Match:
    name, test = asked.name, asked.test
    if name == TIME and isinstance(test, Time):
        part, number = test.part, test.number
        return lambda view, rows: view.time(part, rows) == number
    if name in NUMBERS and isinstance(test, Compared):
        order, wanted = test.order, test.number
        return lambda view, rows: _compared(view.number(name, rows), order, wanted)
    if name in NUMBERS or name == TIME:
        raise RuleRefusedError(Reason.BAD_VALUE, f"{name}: asked for what is no number")
    raise RuleRefusedError(Reason.FIELD_NOT_KEPT, name or "the record's text")


def _compared(values: Column, order: Order | None, wanted: float) -> Mask:
    """Return where a number stands so to another: of what is missing nothing holds, nor that it is another number."""
    mask: Mask = compare(order, values, wanted) & ~np.isnan(values)
    return mask


def _all(every: list[Match]) -> Match:
    def match(view: View, rows: Places) -> Mask:
        mask = every[0](view, rows)
        for one in every[1:]:
            left = mask.nonzero()[0]
            if not len(left):
                break
            mask[left] = one(view, rows[left])
        return mask

    return match


def _any(one_of: list[Match]) -> Match:
    def match(view: View, rows: Places) -> Mask:
        mask = one_of[0](view, rows)
        for one in one_of[1:]:
            left = (~mask).nonzero()[0]
            mask[left] = one(view, rows[left])
        return mask

    return match
