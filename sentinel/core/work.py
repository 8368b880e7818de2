"""A micro-batch on its way through a shard: names turned into codes, facts filled in, and in the end what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from sentinel.core.alert import Alert
from sentinel.core.batch import ACTIONS, ACTOR_TYPES, DESTINATIONS, Assessment, EventBatch
from sentinel.core.book import ContextBook
from sentinel.core.context import FOREVER
from sentinel.core.event import AHEAD_MAX_US, HOUR_US, Action, ActorType, Destination
from sentinel.core.facts.baselines import SERVICE_ROLE
from sentinel.core.facts.declare import FACTS, INDEX
from sentinel.core.facts.kernel import hour_end
from sentinel.core.facts.stage import Columns
from sentinel.core.sigma import Memories, View

SENSITIVE: Final = frozenset(
    {"R", "V", "PSY", "PSYTHPN", "HIV", "ETH", "SUD", "OPIOIDUD", "SEX", "STD", "GDIS", "SDV", "BH", "TBOO", "ABORT"}
)
EMERGENCY: Final = frozenset({"BTG", "EMER"})  # v3-ActReason break the glass; Swiss emergency access
OVERSIGHT: Final = "sentinel"  # the application that Sentinel's own readers use
PEOPLE: Final = frozenset({"Practitioner", "PractitionerRole"})
_LOOKS: Final = [ACTIONS.index(action) for action in (Action.READ, Action.SEARCH, Action.EXPORT, Action.PRINT)]
_SERVICE: Final = ACTOR_TYPES.index(ActorType.SERVICE)
_HUMAN: Final = ACTOR_TYPES.index(ActorType.HUMAN)
_BREAK_GLASS: Final = ACTIONS.index(Action.BREAK_GLASS)
_OUTWARD: Final = [DESTINATIONS.index(Destination.LINK), DESTINATIONS.index(Destination.REMOVABLE)]


@dataclass(slots=True)
class Processed:
    """What became of a micro-batch: the events kept (duplicates dropped), what was concluded, alerts new or changed."""

    kept: EventBatch
    assessment: Assessment
    alerts: list[Alert]


@dataclass(slots=True)
class Work:
    """A micro-batch on its way: its columns, the facts written so far, which events were seen for the first time."""

    batch: EventBatch
    columns: Columns
    facts: NDArray[np.float32]
    assessment: Assessment
    fresh: NDArray[np.bool_]
    view: View
    met: list[tuple[int, int]] = field(default_factory=list)  # row and number of each rule that looks at no facts

    def __len__(self) -> int:
        return len(self.batch)

    def hour(self, i: int) -> int:
        """Return the event hour (since 1970 UTC) of an event."""
        return int(self.columns.occurred_at[i]) // HOUR_US

    def end_of_hour(self, start: int, hour: int) -> int:
        """Return the index of the first event at or after `start` that opens a later hour than `hour`."""
        return int(hour_end(self.columns.occurred_at, start, hour))


def work_on(batch: EventBatch, book: ContextBook, zone: ZoneInfo, memories: Memories) -> Work:
    """Return the batch coded by the book, which numbers names it did not know; `zone`: of the site's hours."""
    n = len(batch)
    assessment = Assessment(explained_by=[], p_value=np.full(n, np.nan, dtype=np.float32))
    facts = np.full((len(FACTS), n), np.nan, dtype=np.float32)
    facts[INDEX["looked_up"]] = _looked_up(batch)
    view = View(batch, facts, memories)
    return Work(batch, _columns(batch, book, zone), facts, assessment, np.zeros(n, dtype=np.bool_), view)


def _oversight(batch: EventBatch) -> NDArray[np.bool_]:
    """Return which events are readings in Sentinel itself."""
    if OVERSIGHT not in batch.application:  # as a rule: nobody reads as much in Sentinel as elsewhere
        return np.zeros(len(batch), dtype=np.bool_)
    return np.fromiter(map(OVERSIGHT.__eq__, batch.application), np.bool_, len(batch))


def _looked_up(batch: EventBatch) -> NDArray[np.bool_]:
    """Return with which events somebody looked up a person or a patient in Sentinel."""
    looked: NDArray[np.bool_] = _oversight(batch) & np.isin(batch.action, _LOOKS) & (batch.actor_type == _HUMAN)
    for i in looked.nonzero()[0].tolist():
        looked[i] = bool(batch.patient_id[i]) or batch.resource_type[i] in PEOPLE
    return looked


def _columns(batch: EventBatch, book: ContextBook, zone: ZoneInfo) -> Columns:
    occurred_at = _plausible(batch)
    by_purpose = np.fromiter(map(EMERGENCY.__contains__, batch.purpose), np.bool_, len(batch))
    return Columns(
        occurred_at=occurred_at,
        hour_bin=_hour_bins(occurred_at, zone),
        action=batch.action,
        outcome=batch.outcome,
        actor_type=batch.actor_type,
        actor=book.actor_codes.encode(batch.actor_id),
        role=book.role_codes.encode(_roles(batch)),
        unit=book.unit_codes.encode(batch.actor_unit),
        patient=book.patient_codes.encode(batch.patient_id),
        device=book.other_codes.encode(_devices(batch)),
        application=book.other_codes.encode(batch.application),
        site=book.other_codes.encode(batch.site),
        records=batch.resource_count,
        outward=np.isin(batch.destination, _OUTWARD),
        oversight=_oversight(batch),
        emergency=by_purpose | (batch.action == _BREAK_GLASS),
        sensitive=np.fromiter(map(SENSITIVE.__contains__, batch.resource_sensitivity), np.bool_, len(batch)),
    )


def _roles(batch: EventBatch) -> list[str]:
    """Return each actor's role as told; a program that tells none has one of its own."""
    roles = list(batch.actor_role)
    for i in np.nonzero(batch.actor_type == _SERVICE)[0].tolist():
        roles[i] = roles[i] or SERVICE_ROLE
    return roles


def _devices(batch: EventBatch) -> list[str]:
    """Return where each event came from: a person's workstation, a program's address, the other where that is not told."""
    is_service = (batch.actor_type == _SERVICE).tolist()
    told = zip(is_service, batch.device, batch.client_address, strict=True)
    return [(address or device) if service else (device or address) for service, device, address in told]


def _hour_bins(occurred_at: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.int64]:
    """Return each event's hour of the week in the site's time zone: 0..23 on working days, 24..47 else."""
    hours, where = np.unique(occurred_at // HOUR_US, return_inverse=True)
    local = [datetime.fromtimestamp(hour * 3600, UTC).astimezone(zone) for hour in hours.tolist()]
    bins = np.array([moment.hour + (24 if moment.weekday() >= 5 else 0) for moment in local], dtype=np.int64)
    return bins[where]


def _plausible(batch: EventBatch) -> NDArray[np.int64]:
    """Return when events occurred, at most a day after they were received: one wrong clock must not move all others' time."""
    latest = np.where(batch.received_at > 0, batch.received_at + AHEAD_MAX_US, FOREVER)
    return np.minimum(batch.occurred_at, latest)
