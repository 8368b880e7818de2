"""What a search for AuditEvents asks (R4, 3.1.1; IHE ITI-81), as tests of what the store has columns for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sentinel.core.event import TIME_MAX_US, TIME_MIN_US, ActorType
from sentinel.web.audit_event import DEEDS, OUTCOMES
from sentinel.web.fhir_dates import Period, any_of, both, periods_of
from sentinel.web.problem import ProblemError
from streams.sources.fhir.codes import RPPS_SYSTEMS
from streams.sources.fhir.references import target

COUNT_USUAL: Final = 100
COUNT_MAX: Final = 1_000
VALUES_MAX: Final = 200  # in all parameters together
PAGE: Final = "_page"
_PAGE: Final = re.compile(r"\d{1,17} [0-9a-f]{32}", re.ASCII)
_KEY: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_OUTCOME_SYSTEM: Final = "http://hl7.org/fhir/audit-event-outcome"
_ACTION_SYSTEM: Final = "http://hl7.org/fhir/audit-event-action"
_ACTOR_TYPES: Final = {
    "Practitioner": ActorType.HUMAN.value,
    "PractitionerRole": ActorType.HUMAN.value,
    "Device": ActorType.SERVICE.value,
    "Patient": ActorType.PATIENT.value,
    "RelatedPerson": ActorType.PATIENT.value,
}

Test = tuple[str, list[Any]]
Pairs = Sequence[tuple[str, str]]


@dataclass(slots=True)
class Search:
    """A search, as the store is asked and as it is told back. `is_void`: nothing can pass.

    `used` are the parameters that were looked at; `left_out` are names of those that were not, `unsystematic` of those
    whose code systems were not: the identifiers of people and patients are kept without.
    """

    tests: list[Test] = field(default_factory=list)
    periods: list[Period] = field(default_factory=lambda: [(TIME_MIN_US, TIME_MAX_US)])
    received: list[Period] = field(default_factory=lambda: [(TIME_MIN_US, TIME_MAX_US)])
    latest_first: bool = True
    count: int = COUNT_USUAL
    after: str | None = None
    is_void: bool = False
    used: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    unsystematic: list[str] = field(default_factory=list)

    def add(self, test: str, values: Sequence[Any]) -> None:
        """Ask that one of `values` is met."""
        self.is_void = self.is_void or not values
        self.tests.append((test, list(values)))


def refused(name: str, why: str) -> ProblemError:
    """Return the 400 that names a parameter; never its value."""
    return ProblemError(400, "bad-parameter", f"{name}: {why}")


def read(asked: Pairs, *, count_max: int = COUNT_MAX) -> Search:
    """Return what the parameters of a request ask for.

    Raises:
        ProblemError: 400, a parameter has a value or a modifier that cannot be.
    """
    search = Search()
    values_left = VALUES_MAX
    for written, told in asked:
        name, _, modifier = _renamed(written).partition(":")
        values_left -= told.count(",") + 1
        if values_left < 0:
            raise ProblemError(400, "bad-parameter", f"at most {VALUES_MAX} values")
        if name in _RESULTS:
            _RESULTS[name](search, told)
        elif name in _READERS:
            _READERS[name](search, name, modifier, told)
        else:
            search.left_out.append(written)
            continue
        if name != PAGE:
            search.used.append((written, told))
    search.count = min(search.count, count_max)
    return _settled(search)


def of_id(id_: str) -> Search:
    """Return what asks for one AuditEvent."""
    search = Search(count=1)
    search.add("key", [id_] if _KEY.fullmatch(id_) else [])
    return search


def _settled(search: Search) -> Search:
    """Turn several periods into tests, and drop what is asked of no access at all."""
    if len(search.periods) > 1:
        search.add("occurred_within", search.periods)
    if search.received != [(TIME_MIN_US, TIME_MAX_US)]:
        search.add("received_within", search.received)
    search.is_void = search.is_void or not search.periods
    return search


def _renamed(written: str) -> str:
    """Return IHE's chained `agent.identifier` as what it means here: `agent:identifier`."""
    return re.sub(r"\A(agent|patient|entity|source)\.identifier", r"\1:identifier", written)


# Values: separated by commas, which a backslash takes their meaning from (R4, 3.1.1.4.14).


def _split(text: str, separator: str) -> list[str]:
    parts = [""]
    for one in re.findall(r"\\.|.", text, re.DOTALL):
        if one == separator:
            parts.append("")
        else:
            parts[-1] += one
    return parts


def _plain(text: str) -> str:
    return re.sub(r"\\([\\,$|])", r"\1", text)


def _values(name: str, told: str) -> list[str]:
    values = [one for one in _split(told, ",") if one]
    if not values:
        raise refused(name, "no value")
    return values


def _tokens(name: str, told: str) -> list[tuple[str | None, str]]:
    """Return the system (None: any, empty: none) and the code (empty: any) of each value."""
    found: list[tuple[str | None, str]] = []
    for one in _values(name, told):
        system, *rest = _split(one, "|")
        found.append((_plain(system), _plain("|".join(rest))) if rest else (None, _plain(system)))
    return found


def _reference(value: str, modifier: str) -> tuple[str, str]:
    kind, id_ = target(_plain(value))
    return kind or modifier, id_


# Parameters that say how to answer.


def _read_count(search: Search, told: str) -> None:
    if not (told.isascii() and told.isdigit() and int(told[:9]) > 0):
        raise refused("_count", f"a number from 1, of which at most {COUNT_MAX} are told at once")
    search.count = int(told[:9])


def _read_sort(search: Search, told: str) -> None:
    if told not in {"date", "-date"}:
        raise refused("_sort", "date or -date")
    search.latest_first = told == "-date"


def _read_page(search: Search, told: str) -> None:
    if not (_PAGE.fullmatch(told) and int(told.partition(" ")[0]) < TIME_MAX_US):
        raise refused(PAGE, "a link `next` has it")
    search.after = told


_RESULTS: Final[Mapping[str, Callable[[Search, str], None]]] = {
    "_count": _read_count,
    "_sort": _read_sort,
    PAGE: _read_page,
    "_format": lambda _, __: None,
    "_pretty": lambda _, __: None,
}

# Parameters that say what is looked for.


def _is_missing(name: str, told: str) -> bool:
    if told not in {"true", "false"}:
        raise refused(name, ":missing is true or false")
    return told == "true"


def _check_modifier(name: str, modifier: str, known: Iterable[str] = ()) -> None:
    if modifier and modifier not in known:
        raise refused(name, f"no modifier but {', '.join(known) or 'none'}")


def _read_id(search: Search, name: str, modifier: str, told: str) -> None:
    _check_modifier(name, modifier)
    search.add("key", [one for one in _values(name, told) if _KEY.fullmatch(one)])


def _periods(name: str, told: str) -> list[Period]:
    try:
        return any_of(period for one in _values(name, told) for period in periods_of(one))
    except ValueError:
        raise refused(name, "an RFC 3339 time or the beginning of one, behind eq, ne, ge, gt, le, lt, sa or eb") from None


def _read_date(search: Search, name: str, modifier: str, told: str) -> None:
    _check_modifier(name, modifier)
    search.periods = both(search.periods, _periods(name, told))


def _read_last_updated(search: Search, name: str, modifier: str, told: str) -> None:
    _check_modifier(name, modifier)
    search.received = both(search.received, _periods(name, told))


def _read_address(search: Search, name: str, modifier: str, told: str) -> None:
    if modifier == "missing":
        search.add("empty" if _is_missing(name, told) else "told", ["client_address"])
        return
    _check_modifier(name, modifier, ("contains", "exact", "missing"))
    values = [_plain(one) for one in _values(name, told)]
    test = {"": "address_begins", "contains": "address_holds", "exact": "address"}[modifier]
    search.add(test, values if modifier == "exact" else [value.lower() for value in values])


def _identifiers(search: Search, name: str, told: str) -> list[str]:
    """Return the values of identifiers, whose systems are not kept."""
    tokens = _tokens(name, told)
    if any(system for system, _ in tokens):
        search.unsystematic.append(name)
    return [code for _, code in tokens if code]


def _read_agent(search: Search, name: str, modifier: str, told: str) -> None:
    if modifier == "identifier":
        tokens = _tokens(name, told)
        national = [code for system, code in tokens if system in RPPS_SYSTEMS]
        if len(national) == len(tokens):
            search.add("actor_rpps", national)
        else:
            search.add("actor_id_or_rpps" if national else "actor_id", _identifiers(search, name, told))
        return
    _check_modifier(name, modifier, (*_ACTOR_TYPES, "identifier"))
    found = [_reference(one, modifier) for one in _values(name, told)]
    every = [kind.value for kind in ActorType]
    pairs = [
        (kind, id_) for type_, id_ in found for kind in ([_ACTOR_TYPES[type_]] if type_ in _ACTOR_TYPES else every * (not type_))
    ]
    search.add("actor_id", [id_ for _, id_ in pairs])
    if len({type_ for type_, _ in found}) > 1:
        search.add("actor_type_and_id", pairs)
    elif found[0][0]:
        search.add("actor_type", [kind for kind, _ in pairs[:1]])


def _read_patient(search: Search, name: str, modifier: str, told: str) -> None:
    if modifier == "missing":
        search.add("empty" if _is_missing(name, told) else "told", ["patient_id"])
    elif modifier == "identifier":
        search.add("patient_id", _identifiers(search, name, told))
    else:
        _check_modifier(name, modifier, ("Patient", "identifier", "missing"))
        found = [_reference(one, modifier) for one in _values(name, told)]
        search.add("patient_id", [id_ for type_, id_ in found if type_ in {"", "Patient"}])


def _read_entity(search: Search, name: str, modifier: str, told: str) -> None:
    if modifier == "identifier":
        search.add("resource_or_patient_id", _identifiers(search, name, told))
        return
    if modifier and not re.fullmatch("[A-Z][A-Za-z]+", modifier, re.ASCII):
        raise refused(name, "no modifier but a resource's type, identifier")
    found = [_reference(one, modifier) for one in _values(name, told)]
    types, ids = {type_ for type_, _ in found}, [id_ for _, id_ in found]
    if types == {""}:
        search.add("resource_or_patient_id", ids)
    elif types == {"Patient"}:
        search.add("patient", ids)
    elif len(types) == 1:
        search.add("resource_type", list(types))
        search.add("resource_id", ids)
    else:
        search.add("type_and_id", found)


def _read_source(search: Search, name: str, modifier: str, told: str) -> None:
    if modifier == "missing":
        search.add("empty" if _is_missing(name, told) else "told", ["application"])
    elif modifier == "identifier":
        search.add("application", _identifiers(search, name, told))
    else:
        _check_modifier(name, modifier, ("Device", "identifier", "missing"))
        found = [_reference(one, modifier) for one in _values(name, told)]
        search.add("application", [id_ for type_, id_ in found if type_ in {"", "Device"}])


Codes = Mapping[str, tuple[str, str] | None]  # of what the column has, the system and the code that are written


def _reader_of_codes(column: str, codes: Codes) -> Callable[[Search, str, str, str], None]:
    """Return what reads a token that is compared with what is written for each value of a column."""

    def read_codes(search: Search, name: str, modifier: str, told: str) -> None:
        if modifier == "missing":
            is_missing = _is_missing(name, told)
            search.add(column, [value for value, coding in codes.items() if (coding is None) == is_missing])
            return
        _check_modifier(name, modifier, ("missing", "not"))
        tokens = _tokens(name, told)
        met = [value for value, coding in codes.items() if coding and any(_is_met(token, coding) for token in tokens)]
        search.add(column, [value for value in codes if value not in met] if modifier else met)

    return read_codes


def _is_met(token: tuple[str | None, str], coding: tuple[str, str]) -> bool:
    system, code = token
    return system in {None, coding[0]} and code in {"", coding[1]}


_TYPES: Final[Codes] = {str(action): (kind["system"], kind["code"]) for action, (kind, _, _) in DEEDS.items()}
_SUBTYPES: Final[Codes] = {str(action): (sub["system"], sub["code"]) if sub else None for action, (_, sub, _) in DEEDS.items()}
_LETTERS: Final[Codes] = {str(action): (_ACTION_SYSTEM, letter) if letter else None for action, (_, _, letter) in DEEDS.items()}
_OUTCOMES: Final[Codes] = {str(outcome): (_OUTCOME_SYSTEM, code) if code else None for outcome, code in OUTCOMES.items()}

_READERS: Final[Mapping[str, Callable[[Search, str, str, str], None]]] = {
    "_id": _read_id,
    "_lastUpdated": _read_last_updated,
    "date": _read_date,
    "address": _read_address,
    "agent": _read_agent,
    "entity": _read_entity,
    "patient": _read_patient,
    "source": _read_source,
    "type": _reader_of_codes("action", _TYPES),
    "subtype": _reader_of_codes("action", _SUBTYPES),
    "action": _reader_of_codes("action", _LETTERS),
    "outcome": _reader_of_codes("outcome", _OUTCOMES),
}
