"""A rule's condition in a form of our own: what pySigma parsed, folded into questions about one field each.

The live stream (live.py), records as they came (records.py) and SQL (sql.py) are made of this same tree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, Final

import re2
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.types import (
    CompareOperators,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SpecialChars,
)

from models.sigma.refusals import Reason, RuleRefusedError
from sentinel.core.sigma import Part

PATTERN_MEMORY_BYTES: Final = 4 << 20


class Order(StrEnum):
    """How a number is compared."""

    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    OTHER = "!="


@dataclass(frozen=True, slots=True)
class Like:
    """A text with wildcards. `parts`: texts, and between them `*` (any number of characters) or `?` (one), as None and 1."""

    parts: tuple[str | int | None, ...]
    is_cased: bool = False

    @property
    def plain(self) -> str | None:
        """The text, when there are no wildcards."""
        return "".join(map(str, self.parts)) if all(isinstance(part, str) for part in self.parts) else None


@dataclass(frozen=True, slots=True)
class Found:
    """A regular expression of RE2's that is found in the text."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Within:
    """An address in a network."""

    network: IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Told:
    """Whether there is anything."""

    is_told: bool


@dataclass(frozen=True, slots=True)
class Compared:
    """A number in an order with another; None: equal to it."""

    order: Order | None
    number: float


@dataclass(frozen=True, slots=True)
class Time:
    """A part of the event's local time."""

    part: Part
    number: int


Test = Like | Found | Within | Told | Compared | Time


@dataclass(frozen=True, slots=True)
class Field:
    """A question about one field; an empty name: about the whole record's text."""

    name: str
    test: Test


@dataclass(frozen=True, slots=True)
class All:
    """All of these hold."""

    of: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """One of these holds at least."""

    of: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """This does not hold."""

    of: Expression


Expression = Field | All | Some | Not


def expression(condition: Any) -> Expression:
    """Return a condition that pySigma parsed.

    Raises:
        RuleRefusedError: it asks what cannot be answered here.
    """
    match condition:
        case ConditionAND():
            return All(tuple(expression(one) for one in condition.args))
        case ConditionOR():
            return Some(tuple(expression(one) for one in condition.args))
        case ConditionNOT():
            return Not(expression(condition.args[0]))
        case ConditionFieldEqualsValueExpression():
            return _field(condition.field, condition.value)
        case ConditionValueExpression():
            return _field("", condition.value)
    raise RuleRefusedError(Reason.UNREADABLE, "a rule without a condition")


def _field(name: str, value: Any) -> Expression:
    if isinstance(value, SigmaExpansion):
        return Some(tuple(_field(name, one) for one in value.values))
    return Field(name, _test(name, value))


def _test(name: str, value: Any) -> Test:  # noqa: C901 - one case a type
    match value:
        case SigmaCasedString():
            return Like(_parts(value), is_cased=True)
        case SigmaString():
            return Like(_parts(value))
        case SigmaTimestampPart():
            return Time(Part(value.timestamp_part.name.lower()), int(value.number))
        case SigmaNumber():
            return Compared(None, float(value.number))
        case SigmaBool():
            return Like((str(value.boolean).lower(),))
        case SigmaNull():
            return Told(is_told=False)
        case SigmaExists():
            return Told(is_told=value.exists)
        case SigmaRegularExpression():
            return Found(_pattern(value))
        case SigmaCIDRExpression():
            return Within(value.network)
        case SigmaCompareExpression():
            return Compared(_ORDERS[value.op], float(value.number.number))
        case SigmaFieldReference():
            raise RuleRefusedError(Reason.COMPARES_FIELDS, f"{name} with {value.field}")
    raise RuleRefusedError(Reason.BAD_VALUE, f"{name}: a value of type {type(value).__name__}")


_ORDERS: Final = {
    CompareOperators.LT: Order.LESS,
    CompareOperators.LTE: Order.AT_MOST,
    CompareOperators.GT: Order.MORE,
    CompareOperators.GTE: Order.AT_LEAST,
    CompareOperators.NEQ: Order.OTHER,
}
_SPECIAL: Final = {SpecialChars.WILDCARD_MULTI: None, SpecialChars.WILDCARD_SINGLE: 1}


def _parts(value: SigmaString) -> tuple[str | int | None, ...]:
    if value.contains_placeholder():
        raise RuleRefusedError(Reason.PLACEHOLDER, str(value))
    return tuple(_SPECIAL[part] if isinstance(part, SpecialChars) else str(part) for part in value.s)


def _pattern(value: SigmaRegularExpression) -> str:
    if value.contains_placeholder():
        raise RuleRefusedError(Reason.PLACEHOLDER, str(value.regexp))
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    text = f"(?{flags})" * bool(flags) + str(value.regexp)
    compiled(text)
    return text


@lru_cache(maxsize=4_096)
def compiled(text: str) -> Any:
    """Return the compiled expression.

    Raises:
        RuleRefusedError: it is none of RE2's: back references and look-around are not.
    """
    options = re2.Options()
    options.max_mem, options.log_errors = PATTERN_MEMORY_BYTES, False
    try:
        return re2.compile(text, options=options)
    except re2.error:
        raise RuleRefusedError(Reason.BAD_PATTERN, text) from None


def accepts(test: Test) -> Callable[[str], bool]:
    """Return what answers a question about a text. An empty text is one that was not told; case counts only where asked for.

    Raises:
        RuleRefusedError: it is no question about a text.
    """
    match test:
        case Like():
            return _like(test)
        case Found():
            search = compiled(test.pattern).search
            return lambda text: search(text.encode("utf-8", "replace")) is not None
        case Within():
            return lambda text: _is_within(text, test.network)
        case Told():
            return lambda text: bool(text) is test.is_told
        case Compared():
            return lambda text: _compared(test, text)
    raise RuleRefusedError(Reason.BAD_VALUE, "a part of a time is asked of a field that is none")


def _like(test: Like) -> Callable[[str], bool]:
    fold: Callable[[str], str] = (lambda text: text) if test.is_cased else str.lower
    if test.plain is not None:
        wanted = fold(test.plain)
        return lambda text: fold(text) == wanted
    texts = [fold(part) if isinstance(part, str) else part for part in test.parts]
    if not any(texts):
        return bool  # any text at all
    match texts:
        case [None, str(middle), None]:
            return lambda text: middle in fold(text)
        case [str(start), None]:
            return lambda text: fold(text).startswith(start)
        case [None, str(end)]:
            return lambda text: fold(text).endswith(end)
    whole = compiled("(?s)^" + "".join(_as_pattern(part) for part in texts) + "$").search
    return lambda text: whole(fold(text).encode("utf-8", "replace")) is not None


def _as_pattern(part: str | int | None) -> str:
    return str(re2.escape(part)) if isinstance(part, str) else "." if part == 1 else ".*"


def _is_within(text: str, network: IPv4Network | IPv6Network) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return address.version == network.version and address in network


_NUMBER: Final = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+|0[xX][0-9a-fA-F]+)\s*")


def _compared(test: Compared, text: str) -> bool:
    if _NUMBER.fullmatch(text) is None:
        return False
    value = float(int(text, 16)) if text[:2].lower() == "0x" else float(text)
    return bool(compare(test.order, value, test.number))


def compare(order: Order | None, value: Any, number: float) -> Any:
    """Return whether a value, or each of a column, stands so to a number."""
    match order:
        case Order.LESS:
            return value < number
        case Order.AT_MOST:
            return value <= number
        case Order.MORE:
            return value > number
        case Order.AT_LEAST:
            return value >= number
        case Order.OTHER:
            return value != number
    return value == number


def fields_of(tree: Expression) -> Iterator[str]:
    """Yield the names of the fields that are asked about."""
    match tree:
        case Field():
            yield tree.name
        case Not():
            yield from fields_of(tree.of)
        case All() | Some():
            for one in tree.of:
                yield from fields_of(one)


def on_one_field(tree: Expression) -> str | None:
    """Return the field's name when all of a tree is about one."""
    names = set(fields_of(tree))
    return names.pop() if len(names) == 1 else None


def text_predicate(tree: Expression) -> Callable[[str], bool]:
    """Return what answers all questions about one text at once; of a tree that is about one field."""
    match tree:
        case Field():
            return accepts(tree.test)
        case Not():
            inner = text_predicate(tree.of)
            return lambda text: not inner(text)
        case All():
            every = [text_predicate(one) for one in tree.of]
            return lambda text: all(one(text) for one in every)
    one_of = [text_predicate(one) for one in tree.of]
    return lambda text: any(one(text) for one in one_of)
