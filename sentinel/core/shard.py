"""One shard: some of the people of one tenant, all that is kept of each, and what is concluded of what they do.

Pure and deterministic: the same events in the same order, and the same closings, give the same alerts, however batches
are cut and people are divided among shards. What hangs on other people's doings is read from closed hours alone.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import log10
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from sentinel.core.alert import Alert, Usual
from sentinel.core.arrays import grow
from sentinel.core.batch import ACTIONS, EventBatch
from sentinel.core.book import ContextBook, Person, Pool
from sentinel.core.closing import Closing, strangers
from sentinel.core.codes import NOBODY, Codes
from sentinel.core.common import Common
from sentinel.core.context import ContextRecord, Judgement, Verdict
from sentinel.core.detector import P_MIN, Detector, Evidence, Facts, Finding, Hit, Scope, Words, hits
from sentinel.core.duplicates import Duplicates
from sentinel.core.event import DAY_US, HOUR_US, Action
from sentinel.core.explain import NAME_OF, TRIED, ExplanationCode, trade
from sentinel.core.facts import state as tables
from sentinel.core.facts.baselines import end_day
from sentinel.core.facts.declare import INDEX, METRICS, RATES, SESSION
from sentinel.core.facts.kernel import Tables, close_bursts, ordered_pass, pair_of, rehash
from sentinel.core.facts.state import Clock, PairTable, RoleTable
from sentinel.core.feedback import Feedback
from sentinel.core.habits import Found, strength_bin
from sentinel.core.logs import Heard, HeardOf, Logs, Newest, Rhythm, Strange, facts_of, heard
from sentinel.core.model import Hours, Surprise
from sentinel.core.snapshot import SnapshotError, Snapshots
from sentinel.core.story import EventRef, Stories, Story
from sentinel.core.surprise import surprise_in_words
from sentinel.core.work import Processed, Work, work_on

REFS_KEPT: Final = 64  # notable events kept a person, as evidence
REFS_DAYS: Final = 3
ALERTED_HOURS: Final = 30 * 24  # a person or patient of an alert may be looked up for so long after it was open
LOOKUPS_KEPT: Final = 200  # a reader
LOG: Final = "log:"  # what an alert on a source's log has for an actor begins with it
PAIR_MEMORY_US: Final = 100 * DAY_US
MODEL_WEIGHT: Final = 0.7
_ACTS: Final = frozenset({ACTIONS.index(Action.CREATE), ACTIONS.index(Action.UPDATE)})
_KINDS: Final = {kind: 1 << i for i, kind in enumerate(Evidence)}


@dataclass(slots=True)
class Watched:
    """A hit whose finding waits: what the person does until then may explain it."""

    due: int  # hour
    detector: str
    facts: Facts
    actor: int
    event: EventRef
    about: int = NOBODY  # whom the person looked up


@dataclass(slots=True)
class Shard:
    """Context in through `know`, micro-batches through `take`, `assess` and `finish`, hours ended by `closing` and `close`.

    Whoever drives it ends an hour before it hands in an event of a later one.
    """

    tenant: str
    detectors: Sequence[Detector]
    common: Common
    timezone: str = "Europe/Paris"
    book: ContextBook = field(default_factory=ContextBook)
    roles: RoleTable = field(default_factory=tables.roles)
    pairs: PairTable = field(default_factory=tables.pairs)
    clock: Clock = field(default_factory=tables.clock)
    pairs_used: int = 0
    roles_read: int = 0  # those whose text was looked at
    duplicates: Duplicates = field(default_factory=Duplicates)
    refs: dict[int, deque[EventRef]] = field(default_factory=dict)
    watched: deque[Watched] = field(default_factory=deque)
    stories: Stories = field(init=False)
    closed: int = 0  # the hour that is closing, or closed last
    ended: list[tuple[int, float]] = field(default_factory=list)  # hour and score of stories since the last closing
    raised: list[int] = field(default_factory=list)  # hours of alerts since the last closing
    found: dict[tuple[int, str], int] = field(default_factory=dict)  # of the open day: person and detector -> strongest, its bin
    heard: dict[str, Heard] = field(default_factory=dict)  # of each source in the open hour
    logs: Logs = field(default_factory=Logs)
    log_stories: Stories = field(init=False)
    alerted: tuple[dict[int, int], dict[int, int]] = field(default_factory=lambda: ({}, {}))  # people, patients -> hour
    looked_up: dict[int, deque[tuple[int, int, int]]] = field(default_factory=dict)  # reader -> hour, person, patient
    rates: NDArray[np.float64] = field(init=False)  # (roles, RATES), by the day that closed last
    _zone: ZoneInfo = field(init=False)
    _of_events: list[Detector] = field(init=False)
    _of_sources: list[Detector] = field(init=False)
    _changed: dict[str, Story] = field(default_factory=dict)
    _changed_logs: dict[str, Story] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stories = Stories(self.tenant)
        self.log_stories = Stories(self.tenant, "log-alert")
        self._of_events = [detector for detector in self.detectors if detector.scope is not Scope.SOURCE]
        self._of_sources = [detector for detector in self.detectors if detector.scope is Scope.SOURCE]
        self.rates = self.common.baselines.rates([])
        self._zone = ZoneInfo(self.timezone)

    @property
    def hour(self) -> int:
        """The open hour, since 1970 UTC; 0: none yet."""
        return int(self.clock.hour[0])

    def know(self, records: Iterable[ContextRecord]) -> None:
        """Take context in: it holds for the events that follow."""
        self.book.apply(records)

    def take(self, batch: EventBatch) -> Work:
        """Take a micro-batch of this tenant's events, in their order, to be assessed piece by piece."""
        work = work_on(batch, self.book, self._zone)
        self._make_room(len(batch))
        return work

    def assess(self, work: Work, start: int, stop: int) -> None:
        """Assess the events `start`..`stop` of it: of the open hour, or late."""
        fresh = work.fresh[start:stop] = self.duplicates.first_seen(work.batch.key[start:stop])
        rows = start + np.nonzero(fresh)[0]
        ordered_pass(work.columns, self._tables(), work.facts, rows, self.book.knows_care)
        heard(work.batch, rows, self.heard)
        self._detect(work, rows)

    def finish(self, work: Work) -> Processed:
        """Return what became of a micro-batch that was assessed to its end."""
        codes = np.nan_to_num(work.facts[INDEX["explained"]]).astype(np.int64).tolist()
        work.assessment.explained_by = [NAME_OF[code] for code in codes]
        if work.fresh.all():
            return Processed(work.batch, work.assessment, self.changed())
        kept = np.nonzero(work.fresh)[0].tolist()
        return Processed(work.batch.take(kept), work.assessment.take(kept), self.changed())

    def changed(self) -> list[Alert]:
        """Return the alerts that are new or changed since they were last asked for."""
        changed, self._changed = self._changed, {}
        logs, self._changed_logs = self._changed_logs, {}
        alerts = [self._alert(story) for story in changed.values()]
        return alerts + [story.alert(self.tenant, LOG + self.logs.codes.name(story.actor), {}, ()) for story in logs.values()]

    def closing(self, hour: int) -> Closing:
        """End the hours before `hour`, and return what this shard adds to their closing."""
        self.closed, self.clock.hour[0] = self.hour, hour
        if self.closed == 0:
            self.clock.started[0] = hour * HOUR_US
        else:
            self._judge_watched(hour, [one for one in self.detectors if not one.unalerted])
        names = self._role_names()
        suspects = {story.actor for story in self.stories.open.values() if story.raised}
        left_out = np.array(sorted(suspects), dtype=np.int64)
        new_day = hour // 24 > self.closed // 24 > 0
        patients, counts = self._end_bursts()
        closing = Closing(
            patients=patients,
            strangers=counts,
            hours=self._end_sessions(suspects),
            open_scores=np.array([story.score for story in (*self.stories.open.values(), *self._own_log_stories())]),
            ended=self.ended,
            raised=self.raised,
            day=end_day(self.book.actors, len(self.book.actor_codes), self.roles, names, left_out) if new_day else None,
            found=self._end_findings(suspects) if new_day else [],
            logs=self._heard(),
            alerted=self._open_alerts(),
        )
        self.ended, self.raised = [], []
        return closing

    def close(self, closings: Sequence[Closing]) -> None:
        """Take in what the closings of all shards, this one's among them, add up to; `common` has closed them before."""
        before, hour = self.closed, self.hour
        for name, surprise in self.common.surprises.items():
            self._surprised(name, surprise, before)
        self._burst(strangers(closings), before)
        self._alerted(closings, before)
        if before:
            self._judge_watched(hour, [one for one in self.detectors if one.unalerted])
        self._close_logs(closings, before, hour)
        if hour // 24 > before // 24 > 0:
            self._begin_day(hour)
        if hour // (24 * 7) > before // (24 * 7) > 0:
            self._rebuild_pairs(len(self.pairs.key), hour * HOUR_US - PAIR_MEMORY_US)
        for story in self.stories.expire(hour):
            self._ended(story)
        if self.common.budget.has_room:
            for story in self.stories.open.values():
                self._judge(story)

    def snapshot(self) -> bytes:
        """Return the state as bytes: restored, with its `common`, it goes on as if it had never stopped.

        Between micro-batches, and once `changed` was asked for: alerts on their way are no state.
        """
        state = {name: getattr(self, name) for name in _STATE}
        return _SNAPSHOTS.pack({"tenant": self.tenant, "detectors": self._names(), **state})

    def restore(self, snapshot: bytes) -> None:
        """Become the shard whose `snapshot` it is.

        Raises:
            SnapshotError: damaged, made by another version of the code, with other detectors, or for another tenant.
        """
        state = _SNAPSHOTS.unpack(snapshot)
        if state["tenant"] != self.tenant:
            raise SnapshotError("of another tenant")
        if state["detectors"] != self._names():
            raise SnapshotError("made with other detectors")
        for name in _STATE:
            setattr(self, name, state[name])
        self.rates = np.zeros((0, len(RATES)))

    def _names(self) -> list[str]:
        return [detector.name for detector in self.detectors]

    def _role_names(self) -> list[str]:
        return [self.book.role_codes.name(code) for code in range(len(self.book.role_codes))]

    def _make_room(self, n: int) -> None:
        """Let every code so far have its row, and `n` more pairs of person and patient their places."""
        self.book.freshen()
        self.roles = grow(self.roles, len(self.book.role_codes), {"share": self.common.baselines.house_share})
        for code in range(self.roles_read, len(self.book.role_codes)):
            self.roles.trade[code] = trade(self.book.role_codes.name(code))
        self.roles_read = len(self.book.role_codes)
        if len(self.rates) < len(self.book.role_codes):
            self.rates = self.common.baselines.rates(self._role_names())
        if self.pairs_used + n > len(self.pairs.key) // 2:
            used = int(np.count_nonzero(self.pairs.key))
            self._rebuild_pairs(max(len(self.pairs.key), 1 << int(3 * (used + n)).bit_length()), oldest=0)
        self.pairs_used += n

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
            book.positions.used > 0,
        )

    def _detect(self, work: Work, rows: NDArray[np.int64]) -> None:
        """Let each detector look at the facts of events that share an hour, and tell the stories what it found."""
        view = self._view(work, rows)
        found: dict[int, list[Hit]] = {}
        for detector in self._of_events:
            where = detector.match(view).nonzero()[0]
            if len(where):
                for hit in hits(detector, view.at(where), where):
                    found.setdefault(hit.at, []).append(hit)
        kinds = self._kinds(view)
        notable = sorted({*kinds.nonzero()[0].tolist(), *found})
        places = rows[notable]
        actors = work.columns.actor[places].tolist()
        for i, row, actor, ref in zip(notable, places.tolist(), actors, _refs(work, places, kinds[notable]), strict=True):
            self._keep_evidence(actor, ref)
            if i in found:
                self._tell(work, row, ref, view, found[i])

    def _view(self, work: Work, rows: NDArray[np.int64]) -> Facts:
        """Return the facts of the events at `rows`: consecutive ones, but for duplicates."""
        start, stop = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
        batch, columns = work.batch, work.columns
        view = Facts(
            work.facts[:, start:stop],
            batch.action[start:stop],
            batch.actor_type[start:stop],
            batch.destination[start:stop],
            columns.emergency[start:stop],
            *_reasons(batch.reason[start:stop]),
            columns.patient[start:stop] != NOBODY,
            columns.role[start:stop],
            self.rates,
        )
        return view if stop - start == len(rows) else view.at(rows - start)

    @staticmethod
    def _kinds(view: Facts) -> NDArray[np.int64]:
        """Return what each event shows that is worth keeping as evidence, as bits."""
        return _SHOWN[view.action] | np.where(view.unexplained, _KINDS[Evidence.UNEXPLAINED], 0)

    def _keep_evidence(self, actor: int, ref: EventRef) -> None:
        """Keep, of each person, the last notable events: a later finding may be about them."""
        refs = self.refs.get(actor)
        if refs is None:
            refs = self.refs[actor] = deque(maxlen=REFS_KEPT)
        refs.append(ref)

    def _tell(self, work: Work, row: int, event: EventRef, view: Facts, hits: list[Hit]) -> None:
        """Add the findings on one event, which the hits stand at in `view`, to the person's story, or to what is watched."""
        actor, i = int(work.columns.actor[row]), hits[0].at
        unexplained = bool(view.unexplained[i])
        for hit in hits:
            if hit.detector.after_hours:
                facts = view.at(np.array([i]))
                about = self.book.actor_codes.find(work.batch.resource_id[row]) if hit.detector.unalerted else NOBODY
                self.watched.append(Watched(self.hour + hit.detector.after_hours, hit.detector.name, facts, actor, event, about))
        at_once = [self._finding(actor, event.patient, hit, unexplained) for hit in hits if not hit.detector.after_hours]
        if at_once:
            work.assessment.p_value[row] = min([finding.p_value for finding in at_once])
            work.assessment.detectors[row] = tuple([finding.detector for finding in at_once])
            told = [(finding.detector, finding.words.observed) for finding in at_once]
            work.assessment.weighed[row] = {name: observed for name, observed in told if observed is not None}
        for finding in at_once:
            self._found(actor, event, finding)
        story = self.stories.open.get(actor)
        if story is not None and int(work.batch.action[row]) in _ACTS and story.acted_on(event.patient) and story.raised:
            self._changed[story.id] = story

    def _finding(self, actor: int, patient: int, hit: Hit, unexplained: bool) -> Finding:
        detector = hit.detector
        p_value = self._chance(actor, detector.name, hit.p_value) if detector.measured else float(f"{hit.p_value:.3g}")
        strength, group = -detector.weight * log10(p_value), detector.group or detector.name
        factor = self._factor(actor, detector.name, patient if detector.scope is Scope.PATIENT else NOBODY)
        return Finding(detector.name, group, detector.scope, strength, p_value, hit.words, detector.evidence, factor, unexplained)

    def _chance(self, actor: int, detector: str, p_value: float) -> float:
        """Return how often people of that role have such a finding, to three figures; remember that this one had it."""
        key, strength = (actor, detector), strength_bin(p_value)
        self.found[key] = max(strength, self.found.get(key, 0))
        return float(f"{max(P_MIN, self.common.habits.chance(self._role_of(actor), detector, p_value)):.3g}")

    def _factor(self, actor: int, detector: str, patient: int) -> float:
        book = self.book
        if not book.feedback.verdicts:
            return 1.0
        return book.feedback.factor(book.actor_codes.name(actor), detector, book.patient_codes.name(patient))

    def _found(self, actor: int, event: EventRef, finding: Finding) -> None:
        story, ended = self.stories.of(actor, event)
        if ended is not None:
            self._ended(ended)
        others: list[EventRef] = []
        if finding.evidence is not Evidence.NONE:
            bit, since = _KINDS[finding.evidence], event.occurred_at - DAY_US
            others = [ref for ref in self.refs.get(actor, ()) if ref.kinds & bit and ref.occurred_at >= since]
        story.add(finding, event, others)
        self._judge(story)
        if story.raised:
            self._changed[story.id] = story

    def _judge(self, story: Story) -> None:
        """Raise a story that is worth it now: with what was found last, or since the threshold fell."""
        if not story.raised and self.common.budget.admits(story.score, len(self.raised)):
            story.raised = True
            self.raised.append(self.hour)
            self._changed[story.id] = story

    def _ended(self, story: Story) -> None:
        self.ended.append((self.hour, story.score))

    def _judge_watched(self, hour: int, detectors: Sequence[Detector]) -> None:
        """Make the findings of these detectors whose time has come, unless the person wrote in the record meanwhile."""
        by_name = {detector.name: detector for detector in detectors}
        due = [watched for watched in self.watched if watched.due <= hour and watched.detector in by_name]
        if not due:
            return
        self.watched = deque(watched for watched in self.watched if watched.due > hour or watched.detector not in by_name)
        for watched in due:
            detector = by_name[watched.detector]
            if self._went_on(watched.actor, watched.event, alone=detector.only_look):
                continue
            if detector.unalerted and not self._looked_up(watched):
                continue
            [hit] = hits(detector, watched.facts, np.zeros(1, np.int64))
            self._found(
                watched.actor,
                watched.event,
                self._finding(watched.actor, watched.event.patient, hit, bool(watched.facts.unexplained[0])),
            )

    def _looked_up(self, watched: Watched) -> bool:
        """Whether nobody was alerted to what the person looked up; if so, tell the facts how many such look-ups a day held."""
        people, patients = self.alerted
        if watched.about in people or watched.event.patient in patients:
            return False
        hour = watched.event.occurred_at // HOUR_US
        kept = self.looked_up.setdefault(watched.actor, deque(maxlen=LOOKUPS_KEPT))
        kept.append((hour, watched.about, watched.event.patient))
        watched.facts.values[INDEX["looked_up"], 0] = len({one[1:] for one in kept if hour - 24 < one[0] <= hour})
        return True

    def _open_alerts(self) -> tuple[list[str], list[str]]:
        """Return the people and the patients of the alerts that are open."""
        stories = [story for story in self.stories.open.values() if story.raised]
        patients = {ref.patient for story in stories for ref in story.events.values()} - {NOBODY}
        people = sorted(self.book.actor_codes.name(story.actor) for story in stories)
        return people, sorted(map(self.book.patient_codes.name, patients))

    def _alerted(self, closings: Sequence[Closing], hour: int) -> None:
        """Remember whom open alerts were about; forget the oldest."""
        for which, codes in enumerate((self.book.actor_codes, self.book.patient_codes)):
            kept = self.alerted[which]
            kept.update((codes.code(name), hour) for closing in closings for name in closing.alerted[which])
            for code in [code for code, last in kept.items() if hour - last > ALERTED_HOURS]:
                del kept[code]
        self.book.make_room()

    def _heard(self) -> list[HeardOf]:
        return [HeardOf(name, self.heard[name]) for name in sorted(self.heard)]

    def _own_log_stories(self) -> list[Story]:
        """Return the open stories on sources that this shard tells of."""
        mine = {self.logs.codes.code(name) for name, rhythm in self.logs.known.items() if rhythm.mine}
        return [story for story in self.log_stories.open.values() if story.actor in mine]

    def _close_logs(self, closings: Sequence[Closing], before: int, hour: int) -> None:
        """Find what is strange about the logs of the hours that end: every shard finds the same, one of them tells it."""
        mine, self.heard = self._heard(), {}
        strange = self.logs.close(before, hour, [closing.logs for closing in closings], mine) if before else []
        view = of_sources(facts_of(strange), self.rates)
        for detector in self._of_sources:
            where = detector.match(view).nonzero()[0]
            for hit in hits(detector, view.at(where), where):
                self._found_of_log(strange[hit.at], hit)
        told = {story.actor for story in self._own_log_stories()}
        for story in self.log_stories.expire(hour):
            if story.actor in told:
                self._ended(story)

    def _found_of_log(self, strange: Strange, hit: Hit) -> None:
        detector, rhythm = hit.detector, self.logs.known[strange.name]
        event = EventRef(rhythm.newest.occurred_at, rhythm.newest.id, rhythm.newest.key, NOBODY, 0)
        story, ended = self.log_stories.of(self.logs.codes.code(strange.name), event)
        p_value = float(f"{hit.p_value:.3g}")
        strength, group = -detector.weight * log10(p_value), detector.group or detector.name
        story.add(Finding(detector.name, group, detector.scope, strength, p_value, hit.words), event, [])
        admitted = not story.raised and self.common.budget.admits(story.score, 0)
        story.raised = story.raised or admitted
        if not rhythm.mine:
            return
        if ended is not None:
            self._ended(ended)
        if admitted:
            self.raised.append(self.hour)
        if story.raised:
            self._changed_logs[story.id] = story

    def _went_on(self, actor: int, event: EventRef, *, alone: bool) -> bool:
        """Tell whether the person wrote in the record since, or, where the event has to stand `alone`, opened it again."""
        pair = pair_of(self.pairs, (actor << 32) | event.patient) if event.patient else -1
        if pair < 0:
            return False
        return bool(self.pairs.last_act[pair] >= event.occurred_at or (alone and self.pairs.last_open[pair] > event.occurred_at))

    def _end_findings(self, suspects: set[int]) -> list[Found]:
        """Return what was found on people in the day that ends, counted; begin the next."""
        counts: dict[tuple[str, str, int, bool], int] = {}
        for (actor, detector), strength in self.found.items():
            key = self._role_of(actor), detector, strength, actor in suspects
            counts[key] = counts.get(key, 0) + 1
        self.found = {}
        return [Found(*key, people) for key, people in sorted(counts.items())]

    def _role_of(self, actor: int) -> str:
        return self.book.role_codes.name(int(self.book.actors.role[actor]))

    def _end_bursts(self) -> tuple[list[str], NDArray[np.float64]]:
        """Return whose records were opened without an ordinary reason in the hour, and by how many; begin the next."""
        opened = self.book.patients.burst_open
        who = np.nonzero(opened)[0]
        counts = opened[who].astype(np.float64)
        opened[who] = 0.0
        return [self.book.patient_codes.name(patient) for patient in who.tolist()], counts

    def _burst(self, found: dict[str, float], hour: int) -> None:
        patients = self.book.patient_codes.encode(found)
        self.book.make_room()
        close_bursts(self.book.patients, patients, np.fromiter(found.values(), np.float64, len(found)), hour)

    def _end_sessions(self, suspects: set[int]) -> Hours:
        """Return people's hour that ends, and begin the next."""
        book = self.book
        sessions = book.actors.session[: len(book.actor_codes)]
        who = np.nonzero(sessions[:, 0])[0].tolist()
        hours = Hours(
            names=[book.actor_codes.name(actor) for actor in who],
            roles=[self._role_of(actor) for actor in who],
            vectors=sessions[who].copy(),
            learnable=np.array([actor not in suspects for actor in who], dtype=np.bool_),
        )
        sessions[who] = 0.0
        return hours

    def _begin_day(self, hour: int) -> None:
        """Take over what is usual now, and forget the evidence of people at rest."""
        book, baselines = self.book, self.common.baselines
        names = self._role_names()
        self.rates = baselines.rates(names)
        baselines.publish(self.roles, names)
        baselines.publish_limits(book.actors, len(book.actor_codes), names)
        oldest = (hour - 24 * REFS_DAYS) * HOUR_US
        self.refs = {actor: refs for actor, refs in self.refs.items() if refs[-1].occurred_at >= oldest}

    def _surprised(self, name: str, surprise: Surprise, hour: int) -> None:
        """Turn an hour of one's own people that the model finds unusual into a finding, on its last notable event."""
        actor = self.book.actor_codes.find(name)
        refs = [ref for ref in self.refs.get(actor, ()) if ref.occurred_at // HOUR_US == hour]
        if not refs or self.common.model is None:  # another shard's, or nothing in it that one could show
            return
        model = self.common.model.name
        p_value = self._chance(actor, model, surprise.p_value)
        strength = -MODEL_WEIGHT * log10(p_value)
        words, factor = surprise_in_words(surprise), self._factor(actor, model, NOBODY)
        finding = Finding(model, model, Scope.ACTOR, strength, p_value, words, factor=factor)
        self._found(actor, refs[-1], finding)

    def _alert(self, story: Story) -> Alert:
        names = {ref.patient: self.book.patient_codes.name(ref.patient) for ref in story.events.values()}
        tried = TRIED if self.book.knows_care else ()
        return story.alert(self.tenant, self.book.actor_codes.name(story.actor), names, tried)


_STATE: Final = (
    "book",
    "roles",
    "pairs",
    "clock",
    "pairs_used",
    "roles_read",
    "duplicates",
    "refs",
    "watched",
    "stories",
    "closed",
    "ended",
    "raised",
    "found",
    "heard",
    "logs",
    "log_stories",
    "alerted",
    "looked_up",
)
_SNAPSHOTS: Final = Snapshots(
    (
        *(Codes, ContextBook, Pool, Person, Duplicates, Stories, Story, EventRef, Watched),
        *(Facts, Finding, Words, Usual, Scope, Evidence),
        *(Feedback, Verdict, Judgement),
        *(Heard, Newest, Logs, Rhythm),
        *(tables.ActorTable, tables.PatientTable, tables.UnitTable, tables.StayPool, tables.LinkPool, tables.PositionPool),
        *(tables.PairTable, tables.RoleTable, tables.Clock),
    ),
    columns=(*_STATE, *INDEX, *METRICS, *RATES, *SESSION, *map(str, ACTIONS), *map(str, ExplanationCode), *tables.layout()),
)
_TICKET: Final = re.compile(
    r"(?i)\b(?:inc|chg|req|ritm|sctask|ticket|incident|change|demande|intervention|glpi)\b\D{0,4}\d{3,}|\b[A-Z]{2,10}-?\d{3,}\b|#\d{3,}"
)
_EVIDENCE_ACTIONS: Final = {
    Evidence.EXPORTED: (Action.EXPORT, Action.PRINT, Action.SHARE),
    Evidence.DELETED: (Action.DELETE,),
    Evidence.SEARCHES: (Action.SEARCH,),
    Evidence.EMERGENCIES: (Action.BREAK_GLASS,),
    Evidence.LOGINS: (Action.LOGIN_FAILED,),
}
_SHOWN: Final[NDArray[np.int64]] = np.array(  # by action
    [sum(_KINDS[kind] for kind, actions in _EVIDENCE_ACTIONS.items() if one in actions) for one in ACTIONS]
)


def of_sources(values: NDArray[np.float32], rates: NDArray[np.float64]) -> Facts:
    """Return facts of sources as detectors see those of events: there is no event, so nothing was done."""
    n = values.shape[1]
    codes, no = np.full(n, ACTIONS.index(Action.OTHER), np.int8), np.zeros(n, np.bool_)
    nothing = np.zeros(n, np.int8)
    return Facts(values, codes, nothing, nothing, no, no, no, no, np.zeros(n, np.int64), rates)


def _reasons(reasons: Sequence[str]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which reasons were given, and which name a ticket: of the few that were given."""
    given = np.fromiter(map(bool, reasons), np.bool_, len(reasons))
    tickets = np.zeros(len(reasons), dtype=np.bool_)
    for at in given.nonzero()[0].tolist():
        tickets[at] = _TICKET.search(reasons[at]) is not None
    return given, tickets


def _refs(work: Work, rows: NDArray[np.int64], kinds: NDArray[np.int64]) -> list[EventRef]:
    """Return what is kept of the events at `rows` as evidence."""
    batch, columns = work.batch, work.columns
    told = zip(columns.occurred_at[rows].tolist(), rows.tolist(), columns.patient[rows].tolist(), kinds.tolist(), strict=True)
    return [EventRef(at, batch.id[row], batch.key[row].hex(), patient, shown) for at, row, patient, shown in told]
