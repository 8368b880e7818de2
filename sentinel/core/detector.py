"""What a detector is: a predicate over fact columns, how often chance gives what it saw, and a sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sentinel.core.alert import Scalar, Usual
from sentinel.core.batch import ACTIONS, ACTOR_TYPES, DESTINATIONS
from sentinel.core.event import Action, ActorType, Destination
from sentinel.core.facts.declare import INDEX, RATES
from sentinel.core.frozen import frozen

if TYPE_CHECKING:
    from sentinel.core.story import EventRef

P_MIN: Final = 1e-12

Mask = NDArray[np.bool_]
Column = NDArray[Any]


class Scope(StrEnum):
    """What a finding is about."""

    PATIENT = "patient"  # this person and this patient
    ACTOR = "actor"  # this person, whoever the patients
    SOURCE = "source"  # the log of an application: found when an hour ends, on facts called `log_…`


class Evidence(StrEnum):
    """Which earlier events of the person show the same thing, beside the one that gave the finding."""

    NONE = "none"
    UNEXPLAINED = "unexplained"
    EXPORTED = "exported"
    DELETED = "deleted"
    SEARCHES = "searches"
    EMERGENCIES = "emergencies"
    LOGINS = "logins"


@dataclass(frozen=True, slots=True)
class Card:
    """What an analyst reads of a detector before trusting it."""

    what: str
    why: str
    false_positives: str
    needs: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


@frozen
class Facts:
    """Fact columns of consecutive events, with the few event columns that predicates need.

    `rates` (roles, RATES): of the ordinary openings of each role, the share that have a trait, by the closed days.
    """

    values: NDArray[np.float32]
    action: NDArray[np.int8]
    actor_type: NDArray[np.int8]
    destination: NDArray[np.int8]
    emergency: Mask
    has_reason: Mask
    has_ticket: Mask  # the reason names one
    has_patient: Mask
    role: NDArray[np.int64]
    rates: NDArray[np.float64]

    def __getitem__(self, name: str) -> Column:
        column: Column = self.values[INDEX[name]]
        return column

    def rate(self, trait: str) -> Column:
        """Return how often chance gives a trait to an ordinary opening by people of each event's role, in (0, 1]."""
        share: Column = self.rates[self.role, RATES.index(trait)]
        return share

    def did(self, *actions: Action) -> Mask:
        """Return where one of the actions was done."""
        mask: Mask = _among(actions)[self.action]
        return mask

    def by(self, actor_type: ActorType) -> Mask:
        """Return where this type of actor acted."""
        mask: Mask = self.actor_type == ACTOR_TYPES.index(actor_type)
        return mask

    def to(self, destination: Destination) -> Mask:
        """Return where data went there."""
        mask: Mask = self.destination == DESTINATIONS.index(destination)
        return mask

    @property
    def unexplained(self) -> Mask:
        """Where a record was opened and none of the ordinary reasons holds."""
        mask: Mask = self["explained"] == 0
        return mask

    def at(self, indices: NDArray[np.int64]) -> Facts:
        """Return the facts of some of the events."""
        return Facts(
            self.values[:, indices],
            self.action[indices],
            self.actor_type[indices],
            self.destination[indices],
            self.emergency[indices],
            self.has_reason[indices],
            self.has_ticket[indices],
            self.has_patient[indices],
            self.role[indices],
            self.rates,
        )


@cache
def _among(actions: tuple[Action, ...]) -> Mask:
    """Return, by action code, which are among some actions."""
    return np.array([action in actions for action in ACTIONS])


@frozen
class Words:
    """A finding in words. `observed` and `usual` share a unit, which the sentences name."""

    observed: Scalar
    usual: Usual
    fr: str
    en: str


def number(facts: Facts, name: str, i: int, digits: int = 1) -> float | None:
    """Return a fact of one event for a sentence: rounded, None when missing."""
    value = float(facts[name][i])
    if np.isnan(value):
        return None
    return int(value) if value == int(value) else (round(value, digits) if digits else round(value))


def always(observed: Scalar, usual: Usual, fr: str, en: str) -> Callable[[Facts, int], Words]:
    """Return what puts every hit into the same words."""
    words = Words(observed, usual, fr, en)
    return lambda _facts, _i: words


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """What is told of one pattern of misuse, and how a finding of it counts.

    `weight` scales the evidence that a finding adds to its story; of findings in one `group`, which show much the
    same, the strongest alone counts. `after_hours`: the finding is made that long
    after its event, if the person has not written in the patient's record since the event; `only_look`: nor opened it again;
    `unalerted`: nor was an alert open then, or in the month before, that names the person or the patient looked up.
    `measured`: how often it finds
    something on the days of a role weighs as well, once that is known here (habits.py).
    """

    name: str
    title_fr: str
    title_en: str
    scope: Scope
    card: Card
    weight: float = 1.0
    group: str = ""
    evidence: Evidence = Evidence.NONE
    after_hours: int = 0
    only_look: bool = False
    unalerted: bool = False
    measured: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector(Pattern):
    """One pattern of misuse, as facts show it.

    `match` tells, of each event, whether the pattern is there. `p_value` gives, for facts of hits alone,
    how often chance gives as much on ordinary work, in (0, 1]. `say` puts hit `i` into words.
    """

    match: Callable[[Facts], Mask]
    p_value: Callable[[Facts], Column]
    say: Callable[[Facts, int], Words]


@frozen
class Finding:
    """One observation of a detector or of the model, on one event."""

    detector: str
    group: str
    scope: Scope
    strength: float  # weight x -log10 p
    p_value: float
    words: Words
    evidence: Evidence = Evidence.NONE
    factor: float = 1.0  # of the strength, by what was said of earlier alerts
    unexplained: bool = False  # its event opened a record without an ordinary reason
    hidden_by: str = ""  # the rule that hides it


class Hit(NamedTuple):
    """What a detector or a rule found. `at`: on which of those it looked at; `others`: earlier events that show it."""

    at: int
    detector: Pattern
    p_value: float
    words: Words
    others: tuple[EventRef, ...] = ()


def hits(detector: Detector, among: Facts, where: NDArray[np.int64]) -> list[Hit]:
    """Return what a detector found, given the facts of what it matched and where these stand."""
    p_values = np.minimum(np.maximum(detector.p_value(among), P_MIN), 1.0).astype(np.float64)
    told = enumerate(zip(where.tolist(), p_values.tolist(), strict=True))
    return [Hit(at, detector, p_value, detector.say(among, k)) for k, (at, p_value) in told]
