"""What a product's event means that is told by a name, an action and a result, in words of the product's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from sentinel.core.errors import RejectedError
from streams.sources.shared.clocks import clock_time
from streams.sources.shared.lines import ZONED
from streams.sources.shared.meanings import (
    LOGIN,
    LOGIN_FAILED,
    LOGOUT,
    NAMES_MAX,
    OTHER,
    SAID_CHARACTERS_MAX,
    by_verb,
    by_word,
    words,
)
from streams.sources.shared.values import FAILURE, SUCCESS, instant, told

_fails: Final = re.compile(
    r"\b(?:fail(?:ed|ure|s)?|denied|deny|refused|rejected|block(?:ed)?|drop(?:ped)?|invalid|unsuccessful|unauthorized|"
    r"forbidden|error|false|wrong|bad)\b",
    re.IGNORECASE,
).search
_succeeds: Final = re.compile(
    r"\b(?:success(?:ful|fully)?|succeeded|ok|allow(?:ed)?|accept(?:ed)?|permit(?:ted)?|true)\b", re.IGNORECASE
).search
# How products label a field of their own that holds a patient.
_PATIENT_LABELS: Final = frozenset({"patient", "patientid", "patientidentifier", "ipp", "mrn", "nip", "medicalrecordnumber"})
_letters: Final = re.compile(r"[^a-z]").sub


class Meaning(NamedTuple):
    """What was done and how it ended."""

    action: str
    outcome: str


def meaning_of(said: tuple[str, ...], results: tuple[str, ...]) -> Meaning:
    """Return what was done: by the first of `said` with a striking word, else with a verb; and how it ended.

    `results` are the fields that tell an outcome; the first that says one counts, else what was said.
    What stands in both is an action when it says no outcome.
    """
    acts = tuple(one for one in said if one and one not in results) + tuple(one for one in results if not _end(one))
    action = _first(by_word, acts) or _first(by_verb, acts) or OTHER
    end = _first(_end, results) or (FAILURE if FAILURE in map(_end, said) else SUCCESS)
    return Meaning(LOGIN_FAILED if action == LOGIN and end == FAILURE else action, end)


def _end(said: str) -> str:
    return _ended(said[:SAID_CHARACTERS_MAX])


@lru_cache(maxsize=NAMES_MAX)
def _ended(said: str) -> str:
    """Return the outcome that words tell, empty for none."""
    spoken = " ".join(words(said))
    if _fails(spoken):
        return FAILURE
    return SUCCESS if _succeeds(spoken) else ""


def _first(read: Callable[[str], str], said: tuple[str, ...]) -> str:
    return next(filter(None, map(read, said)), "")


def one_of(fields: dict[str, str], names: tuple[str, ...]) -> str:
    """Return the first field that tells something, empty when none does."""
    for name in names:
        if (value := fields.get(name)) and (text := told(value)):
            return text
    return ""


def occurred_at(fields: dict[str, str], times: tuple[str, ...], zones: tuple[str, ...], header: str) -> int:
    """Return the time that an event tells, in µs since 1970; that of the syslog header for none, or one without a zone.

    Raises:
        RejectedError: `missing-field`, `bad-time`, at the first of `times` that is told.
    """
    logged = ZONED.search(f"{header} ")
    name = next((one for one in times if told(fields.get(one))), times[0])
    try:
        return clock_time(told(fields.get(name)), f"/{name}", one_of(fields, zones))
    except RejectedError:
        if logged is None:
            raise
    return instant(logged[1].replace(",", "."), "")


def is_session(action: str) -> bool:
    """Return whether an action begins or ends a session, or tries to."""
    return action in (LOGIN, LOGIN_FAILED, LOGOUT)


def names_patient(label: str) -> bool:
    """Return whether a product's label says that its field holds a patient."""
    return _letters("", label.lower()) in _PATIENT_LABELS
