"""Stories, not hits: the findings on one person that belong together are one line of the queue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, NamedTuple

from sentinel.core import ids
from sentinel.core.alert import Alert, Reason, Severity
from sentinel.core.detector import Finding, Scope
from sentinel.core.event import DAY_US, HOUR_US
from sentinel.core.feedback import FACTOR_MIN
from sentinel.core.house_rules import WATCH_LIST

STORY_US: Final = DAY_US  # findings of one day belong together
RAISED_QUIET_US: Final = 3 * DAY_US  # a raised alert takes what follows within three days …
RAISED_MAX_US: Final = 7 * DAY_US  # … for a week at most
EVENTS_MAX: Final = 500
EVENTS_SPARED: Final = 100  # of them, for detectors that show no more than so many: a flood must not bury another sign
PATIENTS_MAX: Final = 200
STRENGTH_MAX: Final = 8.0
NEXT_PATIENT: Final = 0.5  # each further patient adds half as much
PATIENTS_WEIGHED: Final = 12  # the next one would add less than a four-thousandth
NEXT_FINDING: Final = 0.6
ACTED: Final = 0.6  # what is left of a finding on a record in which the person wrote
SEVERITIES: Final = ((12.0, Severity.CRITICAL), (8.0, Severity.HIGH), (5.0, Severity.MEDIUM))


class EventRef(NamedTuple):
    """What is kept of an event as evidence: never its content."""

    occurred_at: int
    id: str
    key: str  # hex
    patient: int
    kinds: int  # bits of what it shows


@dataclass(slots=True)
class Story:
    """Findings on one person within a day, or within a week of an alert."""

    id: str
    actor: int
    began: int  # time of its first finding
    first_seen: int  # of its events: what shows the same may have come before
    last_seen: int
    slots: dict[int, dict[str, Finding]] = field(default_factory=dict)  # patient (0: none) -> detector -> strongest
    weights: dict[int, float] = field(default_factory=dict)  # what each slot adds up to
    events: dict[str, EventRef] = field(default_factory=dict)  # by key
    shown: dict[str, int] = field(default_factory=dict)  # detector -> how many of the events it brought
    changes: int = 0
    acted: set[int] = field(default_factory=set)  # patients in whose record the person wrote
    raised: bool = False
    score: float = 0.0
    unjudged: dict[int, float] = field(default_factory=dict)  # as `weights`, had no verdict been given; those that differ
    raised_by: dict[str, float] = field(default_factory=dict)  # watch-lists, and by how much
    kept: bool = False  # it would be raised but for rules
    whole: Story | None = None  # once a rule hides something of it: as it would be without rules
    floor: Story | None = None  # … and without those rules that may not hide what is critical

    @property
    def lasts(self) -> bool:
        """Whether it is an alert, told or kept."""
        return self.raised or self.kept

    def takes(self, occurred_at: int) -> bool:
        """Whether a finding at that time belongs here."""
        if self.lasts:
            return occurred_at - self.last_seen <= RAISED_QUIET_US and occurred_at - self.began <= RAISED_MAX_US
        return occurred_at - self.began <= STORY_US

    def add(
        self, finding: Finding, event: EventRef, others: Sequence[EventRef], raised_by: Mapping[str, float] = MappingProxyType({})
    ) -> None:
        """Take a finding on `event` in, with the other events that show the same and the watch-lists that it is on."""
        if self.whole is not None and self.floor is not None:
            self.whole.add(finding, event, others, raised_by)
            self.floor.add(finding, event, others, raised_by)
        if raised_by:
            self.raised_by.update(raised_by)
        patient = event.patient if finding.scope is Scope.PATIENT else 0
        if patient in self.slots or len(self.slots) < PATIENTS_MAX:
            slot = self.slots.setdefault(patient, {})
            known = slot.get(finding.detector)
            if known is None or finding.strength > known.strength:
                slot[finding.detector] = finding
                self._weigh(patient)
        if raised_by or self.floor is not None:
            self._sum()
        self._show(finding.detector, [*others, event])
        self.last_seen = max(self.last_seen, event.occurred_at)
        self.changes += 1

    def hide(self, finding: Finding, event: EventRef, others: Sequence[EventRef], *, narrowly: bool) -> None:
        """Keep a finding that a rule hides: it weighs nothing, unless what is critical would be silenced and not `narrowly`."""
        if self.whole is None or self.floor is None:
            self.whole, self.floor = self._copy(), self._copy()
        self.whole.add(finding, event, others)
        if not narrowly:
            self.floor.add(finding, event, others)
        self._sum()
        self.last_seen = max(self.last_seen, event.occurred_at)
        self.changes += 1

    def _copy(self) -> Story:
        return replace(
            self,
            slots={patient: dict(found) for patient, found in self.slots.items()},
            weights=dict(self.weights),
            events=dict(self.events),
            shown=dict(self.shown),
            acted=set(self.acted),
            unjudged=dict(self.unjudged),
            raised_by=dict(self.raised_by),
        )

    def _show(self, detector: str, refs: list[EventRef]) -> None:
        """Keep events as evidence, while there is room for what this detector shows."""
        kept, brought = self.events, self.shown.get(detector, 0)
        for ref in refs:
            room = EVENTS_MAX - (EVENTS_SPARED if brought >= EVENTS_SPARED else 0)
            if ref.key not in kept and len(kept) < room:
                kept[ref.key] = ref
                brought += 1
        self.shown[detector] = brought
        self.first_seen = min(self.first_seen, *[ref.occurred_at for ref in refs])

    def acted_on(self, patient: int) -> bool:
        """Weigh what concerns a patient less: who writes in a record takes part in the care, and says so.

        Returns whether that changes the story.
        """
        beside = [story.acted_on(patient) for story in (self.whole, self.floor) if story is not None]
        is_new = patient in self.slots and patient not in self.acted
        if is_new:
            self.acted.add(patient)
            self._weigh(patient)
        elif any(beside):
            self._sum()
        self.changes += is_new or any(beside)
        return is_new or any(beside)

    def _weigh(self, patient: int) -> None:
        """Evidence adds up within a patient; each further patient and each further sign on the person adds less."""
        found = self.slots[patient].values()
        self.weights[patient] = self._weight(patient, found)
        if {finding.factor for finding in found} != {1.0}:
            self.unjudged[patient] = self._weight(patient, [replace(finding, factor=1.0) for finding in found])
        else:
            self.unjudged.pop(patient, None)
        self._sum()

    def _sum(self) -> None:
        """Add up; what rules hide counts again where without those that are not narrow the story would be critical."""
        score = _over_patients(self.weights)
        if self.unjudged:
            score = held_up(score, _over_patients(self.weights | self.unjudged))
        score += max(self.raised_by.values(), default=0.0)
        floor = 0.0 if self.floor is None else self.floor.score
        self.score = max(score, floor) if floor >= SEVERITIES[0][0] else score

    def _weight(self, patient: int, found: Iterable[Finding]) -> float:
        strengths = sorted(_strongest_of_groups(found), reverse=True)
        weight = _discounted(strengths, 1.0 if patient else NEXT_FINDING)
        return weight * ACTED if patient in self.acted else weight

    def alert(self, tenant: str, actor: str, patient_names: dict[int, str], tried: tuple[str, ...]) -> Alert:
        """Return the story as it stands, with what rules hide of it."""
        whole = self if self.whole is None else self.whole
        events = sorted(self.evidence())
        hidden = [f for f in whole.findings() if f.hidden_by]
        findings = sorted((*self.findings(), *hidden), key=lambda f: (f.hidden_by != "", -f.strength, f.detector, f.words.en))
        reasons = tuple(_reason(finding) for finding in _strongest_of_each(findings))
        priority = self.score if self.raised else whole.score
        unexplained = any(f.unexplained for f in findings)
        return Alert(
            id=self.id,
            tenant=tenant,
            version=self.changes,
            priority=priority,
            severity=severity_of(priority),
            detectors=tuple(reason.detector for reason in reasons),
            actor=actor,
            patients=tuple(sorted({patient_names[e.patient] for e in events if e.patient})),
            event_ids=tuple(dict.fromkeys(e.id for e in events)),
            event_keys=tuple(e.key for e in events),
            first_seen=whole.first_seen,
            last_seen=self.last_seen,
            reasons=reasons,
            not_explained_by=tried if unexplained else (),
            suppressed=self.kept and not self.raised,
            suppressed_by=tuple(sorted({f.hidden_by for f in hidden})),
            raised_by=tuple(sorted(self.raised_by)),
        )

    def evidence(self) -> Sequence[EventRef]:
        """Return the events it rests on, those of what is told first."""
        hidden = {} if self.whole is None else self.whole.events
        return list({**self.events, **hidden}.values())[:EVENTS_MAX]

    def findings(self) -> Iterator[Finding]:
        """Yield what it holds, but for what rules hide."""
        return (finding for slot in self.slots.values() for finding in slot.values())


def _reason(finding: Finding) -> Reason:
    words, p_value = finding.words, None if finding.detector == WATCH_LIST else finding.p_value
    return Reason(finding.detector, words.observed, words.usual, p_value, words.fr, words.en, finding.hidden_by)


def held_up(score: float, unjudged: float) -> float:
    """Return a score no lower than verdicts may make it: what would be critical without them they do not lower at all."""
    return max(score, unjudged if unjudged >= SEVERITIES[0][0] else unjudged * FACTOR_MIN)


def _over_patients(weights: Mapping[int, float]) -> float:
    return _discounted(sorted(weights.values(), reverse=True)[:PATIENTS_WEIGHED], NEXT_PATIENT)


def _discounted(strongest_first: list[float], factor: float) -> float:
    return sum([strength * factor**rank for rank, strength in enumerate(strongest_first)])


def _strongest_of_groups(findings: Iterable[Finding]) -> list[float]:
    best: dict[str, float] = {}
    for finding in findings:
        best[finding.group] = max(best.get(finding.group, 0.0), min(finding.strength, STRENGTH_MAX) * finding.factor)
    return list(best.values())


def _strongest_of_each(findings: list[Finding]) -> list[Finding]:
    """Return one finding a detector, the strongest, in the order given."""
    first: dict[str, Finding] = {}
    for finding in findings:
        first.setdefault(finding.detector, finding)
    return list(first.values())


def severity_of(score: float) -> Severity:
    """Return the severity of a priority."""
    return next((severity for least, severity in SEVERITIES if score >= least), Severity.LOW)


@dataclass(slots=True)
class Stories:
    """The open stories of one tenant, at most one a person, or a source; bounded by those active within a week.

    `kind` keeps the ids of stories on people and on sources apart.
    """

    tenant: str
    kind: str = "alert"
    open: dict[int, Story] = field(default_factory=dict)

    def of(self, actor: int, event: EventRef) -> tuple[Story, Story | None]:
        """Return the story that `event` belongs to, and the one that it ended, if any."""
        story = self.open.get(actor)
        if story is not None and story.takes(event.occurred_at):
            return story, None
        when = event.occurred_at
        fresh = Story(ids.derive(self.kind, self.tenant, event.key), actor, began=when, first_seen=when, last_seen=when)
        self.open[actor] = fresh
        return fresh, story

    def expire(self, hour: int) -> list[Story]:
        """Close the stories that can take nothing more, and return them in order."""
        now = hour * HOUR_US
        ended = [story for story in self.open.values() if not story.takes(now)]
        for story in ended:
            del self.open[story.actor]
        return ended
