"""One shard: some of the people of one tenant, all that is kept of each, and what is concluded of what they do.

Pure and deterministic: the same events in the same order, and the same closings, give the same alerts, however batches
are cut and people are divided among shards. What hangs on other people's doings is read from closed hours alone.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import log10
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from sentinel.core.alert import Alert, Usual
from sentinel.core.arrays import grow
from sentinel.core.batch import ACTIONS, ACTOR_TYPES, EventBatch
from sentinel.core.book import ContextBook, Person, Pool
from sentinel.core.closing import Closing, strangers
from sentinel.core.codes import NOBODY, Codes
from sentinel.core.common import Common
from sentinel.core.context import ContextRecord, Judgement, Verdict
from sentinel.core.correlation import Completed, Correlations, Met, Window, Windows
from sentinel.core.detector import P_MIN, Detector, Evidence, Facts, Finding, Hit, Scope, Words, hits
from sentinel.core.duplicates import Duplicates
from sentinel.core.event import DAY_US, HOUR_US, Action
from sentinel.core.explain import NAME_OF, TRIED, ExplanationCode, trade
from sentinel.core.facts import state as tables
from sentinel.core.facts.baselines import end_day
from sentinel.core.facts.declare import INDEX, METRICS, RATES, SESSION
from sentinel.core.facts.kernel import ordered_pass
from sentinel.core.facts.opening import close_bursts
from sentinel.core.facts.pairs import pair_of, rehash
from sentinel.core.facts.stage import Tables
from sentinel.core.facts.state import Clock, PairTable, RoleTable
from sentinel.core.feedback import Feedback
from sentinel.core.habits import Found, strength_bin
from sentinel.core.house_rules import NO_RULES, WATCH_LIST, HouseRules, InForce, Looked, watched_access
from sentinel.core.logs import Heard, HeardOf, Logs, Newest, Rhythm, Strange, facts_of, heard
from sentinel.core.model import Hours, Surprise
from sentinel.core.sigma import Memories, Rule, RuleSet, met
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
    held: tuple[str, ...]  # the rules for its event
    about: int = NOBODY  # whom the person looked up


Shown = tuple[Finding, Sequence[EventRef]]
"""A finding, with the earlier events that show the same."""


@dataclass(slots=True)
class Shard:
    """Context in through `know`, micro-batches through `take`, `assess` and `finish`, hours ended by `closing` and `close`.

    Whoever drives it ends an hour before it hands in an event of a later one.
    """

    tenant: str
    detectors: Sequence[Detector]
    common: Common
    timezone: str = "Europe/Paris"
    house_rules: HouseRules = NO_RULES
    configuration: str = ""
    sigma: RuleSet = field(default_factory=RuleSet)
    book: ContextBook = field(default_factory=ContextBook)
    roles: RoleTable = field(default_factory=tables.roles)
    pairs: PairTable = field(default_factory=tables.pairs)
    clock: Clock = field(default_factory=tables.clock)
    pairs_used: int = 0
    roles_read: int = 0  # those whose text was looked at
    duplicates: Duplicates = field(default_factory=Duplicates)
    refs: dict[int, list[EventRef]] = field(default_factory=dict)
    watched: deque[Watched] = field(default_factory=deque)
    stories: Stories = field(init=False)
    closed: int = 0  # the hour that is closing, or closed last
    ended: list[tuple[int, float]] = field(default_factory=list)  # hour and score of stories since the last closing
    raised: list[int] = field(default_factory=list)  # hours of alerts since the last closing
    held: dict[int, tuple[str, ...]] = field(default_factory=dict)  # rules for a person's last notable event of the open hour
    found: dict[tuple[int, str], int] = field(default_factory=dict)  # of the open day: person and detector -> strongest, its bin
    heard: dict[str, Heard] = field(default_factory=dict)  # of each source in the open hour
    logs: Logs = field(default_factory=Logs)
    log_stories: Stories = field(init=False)
    alerted: tuple[dict[int, int], dict[int, int]] = field(default_factory=lambda: ({}, {}))  # people, patients -> hour
    looked_up: dict[int, deque[tuple[int, int, int]]] = field(default_factory=dict)  # reader -> hour, person, patient
    rates: NDArray[np.float64] = field(init=False)  # (roles, RATES), by the day that closed last
    _zone: ZoneInfo = field(init=False)
    _correlations: Correlations = field(init=False)
    _memories: Memories = field(init=False)
    _asked: tuple[str, ...] = field(init=False)  # columns that correlations want to know
    _ordered: list[Rule] = field(init=False)  # first those that look at no facts:
    _plain: int = field(init=False)  # so many
    _on_facts: list[Rule] = field(init=False)
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
        self._correlations = Correlations(self.sigma.correlations)
        self._memories, self._asked = Memories(self._zone), self.sigma.asked
        self._ordered = sorted(self.sigma.rules, key=lambda rule: rule.on_facts)
        self._plain = sum(not rule.on_facts for rule in self._ordered)
        self._on_facts = self._ordered[self._plain :]

    @property
    def hour(self) -> int:
        """The open hour, since 1970 UTC; 0: none yet."""
        return int(self.clock.hour[0])

    def know(self, records: Iterable[ContextRecord]) -> None:
        """Take context in: it holds for the events that follow."""
        self.book.apply(records)

    def take(self, batch: EventBatch) -> Work:
        """Take a micro-batch of this tenant's events, in their order, to be assessed piece by piece."""
        work = work_on(batch, self.book, self._zone, self._memories)
        work.met = met(self._ordered[: self._plain], work.view, np.arange(len(batch)))
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
        codes = np.fmax(work.facts[INDEX["explained"]], 0.0).astype(np.int64).tolist()
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
        suspects = {story.actor for story in self.stories.open.values() if story.lasts}
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
        self.held = {}
        self._burst(strangers(closings), before)
        self._alerted(closings, before)
        if before:
            self._judge_watched(hour, [one for one in self.detectors if one.unalerted])
        self._close_logs(closings, before, hour)
        if hour // 24 > before // 24 > 0:
            self._begin_day(hour)
        if hour // (24 * 7) > before // (24 * 7) > 0:
            self._rebuild_pairs(len(self.pairs.key), hour * HOUR_US - PAIR_MEMORY_US)
        self._correlations.close(hour)
        for story in self.stories.expire(hour):
            self._ended(story)
        if self.common.budget.has_room:
            for story in [one for one in self.stories.open.values() if not one.lasts]:
                self._admit(story, is_asked=False)

    def snapshot(self) -> bytes:
        """Return the state as bytes: restored, with its `common`, it goes on as if it had never stopped.

        Between micro-batches, and once `changed` was asked for: alerts on their way are no state.
        """
        state = {name: getattr(self, name) for name in _STATE}
        whose = {"tenant": self.tenant, "detectors": self._names(), "correlations": self._correlations.state}
        return _SNAPSHOTS.pack({**whose, **state})

    def restore(self, snapshot: bytes, *, adopting: bool = False) -> None:
        """Become the shard whose `snapshot` it is; `adopting`: what waits of detectors that are not among ours is dropped.

        Raises:
            SnapshotError: damaged, made by another version of the code, with other detectors, or for another tenant.
        """
        state = _SNAPSHOTS.unpack(snapshot)
        if state["tenant"] != self.tenant:
            raise SnapshotError("of another tenant")
        if state["detectors"] != self._names() and not adopting:
            raise SnapshotError("made with other detectors")
        for name in _STATE:
            setattr(self, name, state[name])
        self.watched = deque(watched for watched in self.watched if watched.detector in self._names())
        self._correlations.restore(state["correlations"])
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
            self._rebuild_pairs(max(len(self.pairs.key), 1 << int(2 * (used + n)).bit_length()), oldest=0)
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
        if self.sigma and len(rows):
            for hit in self._met(work, rows):
                found.setdefault(hit.at, []).append(hit)
        kinds, in_force = self._kinds(view), self._in_force(work, rows)
        asked = in_force.asked(work.columns.actor[rows], work.columns.patient[rows])
        notable = sorted({*kinds.nonzero()[0].tolist(), *found, *asked})
        places = rows[notable]
        actors = work.columns.actor[places].tolist()
        for i, row, actor, ref in zip(notable, places.tolist(), actors, _refs(work, places, kinds[notable]), strict=True):
            held = in_force.held(_looked(work, row)) if in_force.rules else ()
            if ref.kinds or i in found:
                self._keep_evidence(actor, ref)
                self._keep_held(actor, ref, held)
            if i in found:
                self._tell(work, row, ref, view, found[i], held)
            if i in asked and (wanted := self.house_rules.wants_every(held)):
                self._conclude(work, row, ref, [(watched_access(wanted), ())], held)

    def _in_force(self, work: Work, rows: NDArray[np.int64]) -> InForce:
        """Return the rules that may hold for the events at `rows`."""
        if not self.house_rules or not len(rows):
            return InForce([], self.book)
        times = work.columns.occurred_at[rows]
        return self.house_rules.in_force(int(times.min()), int(times.max()), self.book)

    def _keep_held(self, actor: int, ref: EventRef, held: tuple[str, ...]) -> None:
        """Remember the rules for a person's last notable event of the hour: what is found of the hour is found on it."""
        if ref.occurred_at // HOUR_US != self.hour or not (held or actor in self.held):
            return
        self.held[actor] = held

    def _met(self, work: Work, rows: NDArray[np.int64]) -> Iterator[Hit]:
        """Yield what rules and their correlations find on the events at `rows`, in the events' order."""
        start = int(rows[0])
        low, high = bisect_left(work.met, (start, 0)), bisect_left(work.met, (int(rows[-1]) + 1, 0))
        found = work.met[low:high] + [(row, self._plain + number) for row, number in met(self._on_facts, work.view, rows)]
        by_row: dict[int, list[Rule]] = {}
        for row, number in sorted(found):
            if work.fresh[row]:
                by_row.setdefault(row, []).append(self._ordered[number])
        places = np.array(list(by_row), dtype=np.int64)
        order = np.searchsorted(rows, places).tolist()
        for at, row, event in zip(order, places.tolist(), _refs(work, places, np.zeros_like(places)), strict=True):
            yield from self._hits_at(work, at, row, event, by_row[row])

    def _hits_at(self, work: Work, at: int, row: int, event: EventRef, rules: list[Rule]) -> Iterator[Hit]:
        """Yield what the rules that one event meets find on it, and the correlations that it completes."""
        yield from (Hit(at, rule, rule.p_value, _words_of_rule(rule)) for rule in rules if rule.finds)
        if self.sigma.correlations:
            told = Met(event, [rule.name for rule in rules], self._columns_of(work, row))
            for found in self._correlations.feed(told):
                if found.correlation.finds:
                    yield Hit(at, found.correlation, found.correlation.p_value, _words_of_correlation(found), found.others)

    def _columns_of(self, work: Work, row: int) -> dict[str, str]:
        """Return what correlations ask of an event; a person is the same under each of their names."""
        told = {name: str(getattr(work.batch, name)[row]) for name in self._asked}
        return told | {"actor_id": self.book.actor_codes.name(int(work.columns.actor[row]))}

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
            refs = self.refs[actor] = []
        elif len(refs) == REFS_KEPT:
            del refs[0]
        refs.append(ref)

    def _tell(self, work: Work, row: int, event: EventRef, view: Facts, hits: list[Hit], held: tuple[str, ...]) -> None:
        """Add the findings on one event, which the hits stand at in `view`, to the person's story, or to what is watched."""
        actor, i = int(work.columns.actor[row]), hits[0].at
        unexplained = bool(view.unexplained[i])
        for hit in hits:
            if hit.detector.after_hours:
                facts = view.at(np.array([i]))
                about = self.book.actor_codes.find(work.batch.resource_id[row]) if hit.detector.unalerted else NOBODY
                due = self.hour + hit.detector.after_hours
                self.watched.append(Watched(due, hit.detector.name, facts, actor, event, held, about))
        now = [hit for hit in hits if not hit.detector.after_hours]
        at_once = [self._finding(actor, event.patient, hit, unexplained) for hit in now]
        if at_once:
            work.assessment.p_value[row] = min([finding.p_value for finding in at_once])
            told = [(finding.detector, finding.words.observed) for finding in at_once]
            work.assessment.weighed[row] = {name: observed for name, observed in told if observed is not None}
        self._conclude(work, row, event, [(finding, hit.others) for finding, hit in zip(at_once, now, strict=True)], held)
        story = self.stories.open.get(actor)
        if story is not None and int(work.batch.action[row]) in _ACTS and story.acted_on(event.patient) and story.lasts:
            self._changed[story.id] = story

    def _conclude(self, work: Work, row: int, event: EventRef, findings: Sequence[Shown], held: tuple[str, ...]) -> None:
        """Add the findings on one event to the person's story, and their detectors to what is kept of it."""
        found, actor = work.assessment.detectors, int(work.columns.actor[row])
        if findings:
            found[row] = (*found.get(row, ()), *[finding.detector for finding, _ in findings])
        for finding, others in findings:
            self._found(actor, event, finding, held, others)

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

    def _found(
        self, actor: int, event: EventRef, finding: Finding, held: tuple[str, ...], others: Sequence[EventRef] = ()
    ) -> None:
        """Add a finding to the person's story, given the rules `held` for its event and earlier ones that show it."""
        story, ended = self.stories.of(actor, event)
        if ended is not None:
            self._ended(ended)
        if finding.evidence is not Evidence.NONE:
            bit, since = _KINDS[finding.evidence], event.occurred_at - DAY_US
            others = [ref for ref in self.refs.get(actor, ()) if ref.kinds & bit and ref.occurred_at >= since]
        if not held:  # as a rule no rule is about an event
            story.add(finding, event, others)
        elif hiding := self.house_rules.hides(held, finding.detector, story.id):
            story.hide(replace(finding, hidden_by=hiding.name), event, others, narrowly=hiding.is_narrow)
        else:
            story.add(finding, event, others, self.house_rules.raises(held, finding.detector, story.id))
        self._admit(story, is_asked=finding.detector == WATCH_LIST)

    def _admit(self, story: Story, *, is_asked: bool) -> None:
        """Raise a story that weighs enough, which uses up the budget, or is asked for; keep one that would but for rules."""
        budget, raised = self.common.budget, len(self.raised)
        if not story.raised and budget.admits(story.score, raised):
            story.raised = True
            self.raised.append(self.hour)
        story.raised = story.raised or is_asked
        if not story.lasts and story.whole is not None:
            story.kept = budget.admits(story.whole.score, raised)
        if story.lasts:
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
                watched.held,
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
        stories = [story for story in self.stories.open.values() if story.lasts]
        patients = {ref.patient for story in stories for ref in story.evidence()} - {NOBODY}
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
                if not self._is_in_maintenance(strange[hit.at].name, before, hour):
                    self._found_of_log(strange[hit.at], hit)
        told = {story.actor for story in self._own_log_stories()}
        for story in self.log_stories.expire(hour):
            if story.actor in told:
                self._ended(story)

    def _is_in_maintenance(self, source: str, before: int, hour: int) -> bool:
        """Whether a window of a source was open in the hours that end, or since it was heard last."""
        newest = self.logs.known[source].newest.occurred_at
        return self.house_rules.in_maintenance(source, min(newest, before * HOUR_US), hour * HOUR_US)

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
            names=list(map(book.actor_codes.name, who)),
            roles=list(map(book.role_codes.name, book.actors.role[who].tolist())),
            vectors=sessions[who].copy(),
            learnable=np.array([actor not in suspects for actor in who], dtype=np.bool_),
        )
        sessions[who] = 0.0
        return hours

    def _begin_day(self, hour: int) -> None:
        """Take over what is usual now, and forget what is too old to be evidence."""
        book, baselines = self.book, self.common.baselines
        names = self._role_names()
        self.rates = baselines.rates(names)
        baselines.publish(self.roles, names)
        baselines.publish_limits(book.actors, len(book.actor_codes), names)
        oldest = (hour - 24 * REFS_DAYS) * HOUR_US
        kept = {actor: [ref for ref in refs if ref.occurred_at >= oldest] for actor, refs in self.refs.items()}
        self.refs = {actor: refs for actor, refs in kept.items() if refs}

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
        self._found(actor, refs[-1], finding, self.held.get(actor, ()))

    def _alert(self, story: Story) -> Alert:
        names = {ref.patient: self.book.patient_codes.name(ref.patient) for ref in story.evidence()}
        tried = TRIED if self.book.knows_care else ()
        alert = story.alert(self.tenant, self.book.actor_codes.name(story.actor), names, tried)
        return replace(alert, configuration=self.configuration) if self.configuration else alert


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
    "held",
    "found",
    "heard",
    "logs",
    "log_stories",
    "alerted",
    "looked_up",
)
_SNAPSHOTS: Final = Snapshots(
    (
        *(Codes, ContextBook, Pool, Person, Duplicates, Stories, Story, EventRef, Watched, Window, Windows),
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


def _looked(work: Work, row: int) -> Looked:
    """Return what rules look at in an event."""
    batch, columns = work.batch, work.columns
    return Looked(
        int(columns.occurred_at[row]),
        int(columns.actor[row]),
        int(columns.role[row]),
        int(columns.unit[row]),
        int(columns.patient[row]),
        ACTOR_TYPES[int(batch.actor_type[row])],
        batch.source[row],
        batch.application[row],
    )


def _words_of_rule(rule: Rule) -> Words:
    return Words(1, Usual(None, None), rule.fr, rule.en)


def _words_of_correlation(found: Completed) -> Words:
    one, count = found.correlation, found.observed
    return Words(count, Usual(None, None), one.fr.format(count=count), one.en.format(count=count))


def _refs(work: Work, rows: NDArray[np.int64], kinds: NDArray[np.int64]) -> list[EventRef]:
    """Return what is kept of the events at `rows` as evidence."""
    batch, columns = work.batch, work.columns
    told = zip(columns.occurred_at[rows].tolist(), rows.tolist(), columns.patient[rows].tolist(), kinds.tolist(), strict=True)
    return [EventRef(at, batch.id[row], batch.key[row].hex(), patient, shown) for at, row, patient, shown in told]
