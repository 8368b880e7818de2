"""The whole flow of one tenant on one screen: events in, facts, findings, stories, alerts out.

Pure and deterministic: the same records in the same order give the same alerts, however batches are cut.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from sentinel.core.alert import Alert, Usual
from sentinel.core.arrays import grow
from sentinel.core.batch import ACTIONS, ACTOR_TYPES, DESTINATIONS, Assessment, EventBatch
from sentinel.core.book import ContextBook, Person, Pool
from sentinel.core.budget import Budget
from sentinel.core.codes import NOBODY, Codes
from sentinel.core.context import FOREVER, ContextRecord
from sentinel.core.detector import P_MIN, Detector, Evidence, Facts, Finding, Scope, Words
from sentinel.core.duplicates import Duplicates
from sentinel.core.event import Action, ActorType, Destination
from sentinel.core.explain import NAME_OF, TRIED, ExplanationCode
from sentinel.core.facts import state as tables
from sentinel.core.facts.closing import Baselines
from sentinel.core.facts.declare import FACTS, INDEX, METRICS, RATES, SESSION
from sentinel.core.facts.kernel import DAY_US, HOUR_US, Columns, Tables, hour_end, ordered_pass, rehash
from sentinel.core.facts.state import Clock, PairTable, RoleTable
from sentinel.core.model import Hours, Model, Surprise
from sentinel.core.snapshot import SnapshotError, Snapshots
from sentinel.core.story import EventRef, Stories, Story

SENSITIVE: Final = frozenset(
    {"R", "V", "PSY", "PSYTHPN", "HIV", "ETH", "SUD", "OPIOIDUD", "SEX", "STD", "GDIS", "SDV", "BH", "TBOO", "ABORT"}
)
EMERGENCY: Final = frozenset({"BTG", "EMER"})  # v3-ActReason break the glass; Swiss emergency access
REFS_KEPT: Final = 64  # notable events kept a person, as evidence
REFS_DAYS: Final = 3
PAIR_MEMORY_US: Final = 100 * DAY_US
MODEL_WEIGHT: Final = 0.7
_SERVICE: Final = ACTOR_TYPES.index(ActorType.SERVICE)
_BREAK_GLASS: Final = ACTIONS.index(Action.BREAK_GLASS)
_OUTWARD: Final = [DESTINATIONS.index(Destination.LINK), DESTINATIONS.index(Destination.REMOVABLE)]
_ACTS: Final = frozenset({ACTIONS.index(Action.CREATE), ACTIONS.index(Action.UPDATE)})
_KINDS: Final = {kind: 1 << i for i, kind in enumerate(Evidence)}


@dataclass(slots=True)
class Processed:
    """What became of a micro-batch: the events kept (duplicates dropped), what was concluded, alerts new or changed."""

    kept: EventBatch
    assessment: Assessment
    alerts: list[Alert]


@dataclass(slots=True)
class Watched:
    """A hit whose finding waits: what the person does until then may explain it."""

    due: int  # hour
    detector: str
    facts: Facts
    actor: int
    event: EventRef


@dataclass(slots=True)
class Pipeline:
    """Context in through `know`, micro-batches through `process`. `per_day`: the alert budget, 0 for all."""

    tenant: str
    detectors: Sequence[Detector]
    model: Model | None = None
    per_day: float = 0.0
    timezone: str = "Europe/Paris"
    book: ContextBook = field(default_factory=ContextBook)
    roles: RoleTable = field(default_factory=tables.roles)
    pairs: PairTable = field(default_factory=tables.pairs)
    clock: Clock = field(default_factory=tables.clock)
    baselines: Baselines = field(default_factory=Baselines)
    pairs_used: int = 0
    duplicates: Duplicates = field(default_factory=Duplicates)
    refs: dict[int, deque[EventRef]] = field(default_factory=dict)
    watched: deque[Watched] = field(default_factory=deque)
    stories: Stories = field(init=False)
    budget: Budget = field(init=False)
    _zone: ZoneInfo = field(init=False)
    _rates: dict[str, float] = field(init=False)
    _changed: dict[str, Story] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stories = Stories(self.tenant)
        self.budget = Budget(self.per_day)
        self._zone = ZoneInfo(self.timezone)
        self._rates = self.baselines.rates()

    def know(self, records: Iterable[ContextRecord]) -> None:
        """Take context in: it holds for the events that follow."""
        self.book.apply(records)

    def process(self, batch: EventBatch) -> Processed:
        """Assess a micro-batch of this tenant's events, in their order."""
        batch = self._without_duplicates(batch)
        columns = self._columns(batch)
        state = self._tables()
        n = len(batch)
        facts = np.full((len(FACTS), n), np.nan, dtype=np.float32)
        assessment = Assessment(explained_by=[], p_value=np.full(n, np.nan, dtype=np.float32))
        start = 0
        while start < n:
            hour = int(columns.occurred_at[start]) // HOUR_US
            if hour > self.clock.hour[0]:
                self._close(hour)
                state = self._tables()
            stop = hour_end(columns.occurred_at, start, int(self.clock.hour[0]))
            ordered_pass(columns, state, facts, start, stop, self.book.knows_care)
            self._detect(batch, columns, facts, start, stop, assessment)
            start = stop
        codes = np.nan_to_num(facts[INDEX["explained"]]).astype(np.int64).tolist()
        assessment.explained_by = [NAME_OF[code] for code in codes]
        return Processed(batch, assessment, self._alerts())

    def snapshot(self) -> bytes:
        """Return the state as bytes: restored, it goes on as if it had never stopped."""
        return _SNAPSHOTS.pack(
            {
                "tenant": self.tenant,
                "detectors": [detector.name for detector in self.detectors],
                "tables": [getattr(self, name) for name in _STATE],
                "model": None if self.model is None else self.model.snapshot(),
            }
        )

    def restore(self, snapshot: bytes) -> None:
        """Become the pipeline whose `snapshot` it is.

        Raises:
            SnapshotError: damaged, made by another version of the code, with other detectors, or for another tenant.
        """
        state = _SNAPSHOTS.unpack(snapshot)
        if state["tenant"] != self.tenant:
            raise SnapshotError("of another tenant")
        if state["detectors"] != [detector.name for detector in self.detectors] or (self.model is None) != (
            state["model"] is None
        ):
            raise SnapshotError("made with other detectors")
        for name, value in zip(_STATE, state["tables"], strict=True):
            setattr(self, name, value)
        self.budget = replace(self.budget, per_day=self.per_day)  # the settings decide, not the state
        self._rates = self.baselines.rates()
        if self.model is not None:
            self.model.restore(state["model"])

    def _without_duplicates(self, batch: EventBatch) -> EventBatch:
        fresh = self.duplicates.first_seen(batch.key)
        return batch if fresh.all() else batch.take(np.nonzero(fresh)[0])

    def _columns(self, batch: EventBatch) -> Columns:
        """Turn names into codes, and let every code have its row."""
        book = self.book
        occurred_at = _plausible(batch)
        devices = [
            (address or device) if service else (device or address)
            for service, device, address in zip(
                (batch.actor_type == _SERVICE).tolist(), batch.device, batch.client_address, strict=True
            )
        ]
        emergency = np.fromiter((purpose in EMERGENCY for purpose in batch.purpose), np.bool_, len(batch))
        columns = Columns(
            occurred_at=occurred_at,
            hour_bin=self._hour_bins(occurred_at),
            action=batch.action,
            outcome=batch.outcome,
            actor_type=batch.actor_type,
            actor=book.actor_codes.encode(batch.actor_id),
            role=book.role_codes.encode(batch.actor_role),
            unit=book.unit_codes.encode(batch.actor_unit),
            patient=book.patient_codes.encode(batch.patient_id),
            device=book.other_codes.encode(devices),
            application=book.other_codes.encode(batch.application),
            site=book.other_codes.encode(batch.site),
            records=batch.resource_count,
            outward=np.isin(batch.destination, _OUTWARD),
            emergency=emergency | (batch.action == _BREAK_GLASS),
            sensitive=np.fromiter((label in SENSITIVE for label in batch.resource_sensitivity), np.bool_, len(batch)),
        )
        book.freshen()
        self.roles = grow(self.roles, len(book.role_codes), {"share": self.baselines.house_share})
        if self.pairs_used + len(batch) > len(self.pairs.key) // 2:
            self._make_room_for_pairs(len(batch))
        self.pairs_used += len(batch)
        return columns

    def _hour_bins(self, occurred_at: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return each event's hour of the week in the site's time zone: 0..23 on working days, 24..47 else."""
        hours, where = np.unique(occurred_at // HOUR_US, return_inverse=True)
        local = [datetime.fromtimestamp(hour * 3600, UTC).astimezone(self._zone) for hour in hours.tolist()]
        bins = np.array([moment.hour + (24 if moment.weekday() >= 5 else 0) for moment in local], dtype=np.int64)
        return bins[where]

    def _make_room_for_pairs(self, n: int) -> None:
        used = int(np.count_nonzero(self.pairs.key))
        self._rebuild_pairs(max(len(self.pairs.key), 1 << int(3 * (used + n)).bit_length()), oldest=0)

    def _rebuild_pairs(self, slots: int, oldest: int) -> None:
        """Move the pairs last open at or after `oldest` (µs) into a table of `slots`."""
        rebuilt = tables.pairs(slots)
        self.pairs_used = rehash(self.pairs, rebuilt, oldest)
        self.pairs = rebuilt

    def _tables(self) -> Tables:
        book = self.book
        return Tables(
            book.actors,
            book.patients,
            book.units,
            book.stays.rows,
            book.links.rows,
            book.positions.rows,
            self.pairs,
            self.roles,
            self.clock,
            book.family_share(),
        )

    def _detect(self, batch: EventBatch, columns: Columns, facts: Any, start: int, stop: int, assessment: Assessment) -> None:
        """Let each detector look at the facts of events that share an hour, and tell the stories what it found."""
        view = Facts(
            facts[:, start:stop],
            batch.action[start:stop],
            batch.actor_type[start:stop],
            batch.destination[start:stop],
            columns.emergency[start:stop],
            np.fromiter(map(bool, batch.reason[start:stop]), np.bool_, stop - start),
            columns.patient[start:stop] != NOBODY,
            self._rates,
        )
        hits: dict[int, list[tuple[Detector, float, Words]]] = {}
        for detector in self.detectors:
            where = np.nonzero(detector.match(view))[0]
            if len(where):
                among = view.at(where)
                strengths = np.clip(detector.p_value(among), P_MIN, 1.0).tolist()
                for k, (i, p_value) in enumerate(zip(where.tolist(), strengths, strict=True)):
                    hits.setdefault(i, []).append((detector, p_value, detector.say(among, k)))
        for i, kinds in self._notable(view, hits):
            self._keep_evidence(int(columns.actor[start + i]), _ref(batch, columns, start + i, kinds))
            if i in hits:
                self._tell(batch, columns, view, start, i, hits[i], assessment)

    @staticmethod
    def _notable(view: Facts, hits: dict[int, Any]) -> list[tuple[int, int]]:
        """Return the events worth keeping as evidence, in order, with what they show as bits."""
        kinds = np.where(view.unexplained, _KINDS[Evidence.UNEXPLAINED], 0)
        for kind, actions in _EVIDENCE_ACTIONS.items():
            kinds |= np.where(view.did(*actions), _KINDS[kind], 0)
        return [(i, int(kinds[i])) for i in sorted({*np.nonzero(kinds)[0].tolist(), *hits})]

    def _keep_evidence(self, actor: int, ref: EventRef) -> None:
        """Keep, of each person, the last notable events: a later finding may be about them."""
        refs = self.refs.get(actor)
        if refs is None:
            refs = self.refs[actor] = deque(maxlen=REFS_KEPT)
        refs.append(ref)

    def _tell(
        self,
        batch: EventBatch,
        columns: Columns,
        view: Facts,
        start: int,
        i: int,
        hits: list[tuple[Detector, float, Words]],
        assessment: Assessment,
    ) -> None:
        """Add the findings on one event to the person's story, or to what is watched."""
        row = start + i
        event = _ref(batch, columns, row, 0)
        actor = int(columns.actor[row])
        unexplained = bool(view.unexplained[i])
        at_once = [hit for hit in hits if not hit[0].after_hours]
        if at_once:
            assessment.p_value[row] = min(p for _, p, _ in at_once)
            assessment.detectors[row] = tuple(detector.name for detector, _, _ in at_once)
            assessment.weighed[row] = {d.name: w.observed for d, _, w in at_once if w.observed is not None}
        for detector, p_value, words in hits:
            if detector.after_hours:
                due = int(self.clock.hour[0]) + detector.after_hours
                self.watched.append(Watched(due, detector.name, view.at(np.array([i])), actor, event))
            else:
                self._found(actor, event, _finding(detector, p_value, words, unexplained))
        story = self.stories.open.get(actor)
        if story is not None and int(batch.action[row]) in _ACTS and story.acted_on(event.patient) and story.raised:
            self._changed[story.id] = story

    def _found(self, actor: int, event: EventRef, finding: Finding) -> None:
        story, ended = self.stories.of(actor, event)
        if ended is not None:
            self._ended(ended)
        bit = _KINDS[finding.evidence] if finding.evidence is not Evidence.NONE else 0
        since = event.occurred_at - DAY_US
        others = [ref for ref in self.refs.get(actor, ()) if ref.kinds & bit and ref.occurred_at >= since]
        story.add(finding, event, others)
        if not story.raised and self.budget.admits(story.score):
            story.raised = True
            self.budget.raised.append(int(self.clock.hour[0]))
        if story.raised:
            self._changed[story.id] = story

    def _ended(self, story: Story) -> None:
        self.budget.ended.append((int(self.clock.hour[0]), story.score))

    def _close(self, hour: int) -> None:
        """Close the hours before `hour`: learn what is usual, judge what was watched, set the budget's threshold."""
        before = int(self.clock.hour[0])
        if before == 0:
            self.clock.hour[0] = self.budget.started = hour
            self.clock.started[0] = hour * HOUR_US
            return
        self.clock.hour[0] = hour
        self.baselines.close_hour(self.clock)
        self._judge_watched(hour)
        self._close_sessions(before)
        if hour // 24 > before // 24:
            self._close_day(hour)
        if hour // (24 * 7) > before // (24 * 7):
            self._rebuild_pairs(len(self.pairs.key), hour * HOUR_US - PAIR_MEMORY_US)
        self._rates = self.baselines.rates()
        for story in self.stories.expire(hour):
            self._ended(story)
        self.budget.close_hour(before, [story.score for story in self.stories.open.values()])

    def _close_day(self, hour: int) -> None:
        suspects = np.array(sorted(story.actor for story in self.stories.open.values() if story.raised), dtype=np.int64)
        self.baselines.close_day(self.book.actors, self.roles, len(self.book.actor_codes), suspects)
        oldest = (hour - 24 * REFS_DAYS) * HOUR_US
        self.refs = {actor: refs for actor, refs in self.refs.items() if refs[-1].occurred_at >= oldest}

    def _judge_watched(self, hour: int) -> None:
        """Make the findings whose time has come, unless the person wrote in the record meanwhile."""
        due = [watched for watched in self.watched if watched.due <= hour]
        self.watched = deque(watched for watched in self.watched if watched.due > hour)
        for watched in due:
            if self._acted_since(watched.actor, watched.event):
                continue
            detector = next(d for d in self.detectors if d.name == watched.detector)
            unexplained = bool(watched.facts.unexplained[0])
            p_value = float(np.clip(detector.p_value(watched.facts)[0], P_MIN, 1.0))
            self._found(watched.actor, watched.event, _finding(detector, p_value, detector.say(watched.facts, 0), unexplained))

    def _acted_since(self, actor: int, event: EventRef) -> bool:
        where = np.nonzero(self.pairs.key == ((actor << 32) | event.patient))[0] if event.patient else ()
        return any(int(self.pairs.last_act[i]) >= event.occurred_at for i in where)

    def _close_sessions(self, hour: int) -> None:
        """Hand people's `hour` that ended to the model, and its surprises to the stories."""
        book = self.book
        sessions = book.actors.session[: len(book.actor_codes)]
        who = sorted(np.nonzero(sessions[:, 0])[0].tolist(), key=book.actor_codes.name)
        if self.model is not None and who:
            suspects = {story.actor for story in self.stories.open.values() if story.raised}
            hours = Hours(
                actors=who,
                roles=[book.role_codes.name(int(book.actors.role[actor])) for actor in who],
                names=[book.actor_codes.name(actor) for actor in who],
                vectors=sessions[who].copy(),
                learnable=np.array([actor not in suspects for actor in who]),
            )
            for surprise in self.model.close_hour(hours):
                self._surprised(surprise, hour)
        sessions[:] = 0.0

    def _surprised(self, surprise: Surprise, hour: int) -> None:
        """Turn an hour that the model finds unusual into a finding, on the last notable event of that hour."""
        refs = [ref for ref in self.refs.get(surprise.actor, ()) if ref.occurred_at // HOUR_US == hour]
        if not refs or self.model is None:  # nothing in it that one could show
            return
        strength = -MODEL_WEIGHT * float(np.log10(max(surprise.p_value, P_MIN)))
        finding = Finding(self.model.name, self.model.name, Scope.ACTOR, strength, surprise.p_value, surprise_in_words(surprise))
        self._found(surprise.actor, refs[-1], finding)

    def _alerts(self) -> list[Alert]:
        changed, self._changed = self._changed, {}
        return [self._alert(story) for story in changed.values()]

    def _alert(self, story: Story) -> Alert:
        names = {ref.patient: self.book.patient_codes.name(ref.patient) for ref in story.events.values()}
        tried = TRIED if self.book.knows_care else ()
        return story.alert(self.tenant, self.book.actor_codes.name(story.actor), names, tried)


_STATE: Final = (
    "book",
    "roles",
    "pairs",
    "clock",
    "baselines",
    "pairs_used",
    "duplicates",
    "refs",
    "watched",
    "stories",
    "budget",
)
_SNAPSHOTS: Final = Snapshots(
    (
        *(Codes, ContextBook, Pool, Person, Baselines, Duplicates, Budget, Stories, Story, EventRef, Watched),
        *(Facts, Finding, Words, Usual, Scope, Evidence),
        *(tables.ActorTable, tables.PatientTable, tables.UnitTable, tables.StayPool, tables.LinkPool, tables.PositionPool),
        *(tables.PairTable, tables.RoleTable, tables.Clock),
    ),
    columns=(*_STATE, *INDEX, *METRICS, *RATES, *SESSION, *map(str, ACTIONS), *map(str, ExplanationCode), *tables.layout()),
)
_EVIDENCE_ACTIONS: Final = {
    Evidence.EXPORTED: (Action.EXPORT, Action.PRINT, Action.SHARE),
    Evidence.DELETED: (Action.DELETE,),
    Evidence.SEARCHES: (Action.SEARCH,),
    Evidence.EMERGENCIES: (Action.BREAK_GLASS,),
    Evidence.LOGINS: (Action.LOGIN_FAILED,),
}


def _plausible(batch: EventBatch) -> NDArray[np.int64]:
    """Return when events occurred, at most a day after they were received: one wrong clock must not move all others' time."""
    latest = np.where(batch.received_at > 0, batch.received_at + DAY_US, FOREVER)
    return np.minimum(batch.occurred_at, latest)


def _finding(detector: Detector, p_value: float, words: Words, unexplained: bool) -> Finding:
    strength = -detector.weight * float(np.log10(max(p_value, P_MIN)))
    return Finding(
        detector.name,
        detector.group or detector.name,
        detector.scope,
        strength,
        float(f"{p_value:.3g}"),
        words,
        detector.evidence,
        unexplained,
    )


def _ref(batch: EventBatch, columns: Columns, row: int, kinds: int) -> EventRef:
    return EventRef(int(columns.occurred_at[row]), batch.id[row], batch.key[row].hex(), int(columns.patient[row]), kinds)


_FEATURES_FR: Final = {
    "events": "événements",
    "patients": "patients",
    "unexplained": "dossiers sans raison trouvée",
    "searches": "recherches",
    "writes": "écritures",
    "exports": "exports",
    "prints": "impressions",
    "off_hours": "événements hors horaires",
    "new_devices": "postes nouveaux",
    "applications": "applications nouvelles",
}


def surprise_in_words(surprise: Surprise) -> Words:
    """Say what made an hour unusual."""
    first = surprise.weighed[0]
    fr = ", ".join(
        f"{_FEATURES_FR.get(w.feature, w.feature)} : {w.observed:g} (d'ordinaire {_usual(w.usual_actor)})"
        for w in surprise.weighed
    )
    en = ", ".join(f"{w.feature.replace('_', ' ')}: {w.observed:g} (usually {_usual(w.usual_actor)})" for w in surprise.weighed)
    usual = Usual(_rounded(first.usual_actor), _rounded(first.usual_peers))
    return Words(
        _rounded(first.observed), usual, f"Heure inhabituelle dans son ensemble : {fr}.", f"An hour unusual as a whole: {en}."
    )


def _usual(value: float | None) -> str:
    return "?" if value is None else f"{value:.2g}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 2)
