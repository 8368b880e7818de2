"""A format tried on a file: what came from where, what is missing, what was refused, and what that keeps from being found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from sentinel.core.context import ActorAlias, PatientAlias, PatientRecord, StaffMember
from sentinel.core.detector import Detector
from sentinel.core.event import EventRow
from sentinel.core.reach import Reason, Told, missing_for, reasons, told_by
from streams.files import cut, opened
from streams.sources.contract import Source

LINES_SHOWN: Final = 10
VALUES_SHOWN: Final = 3
DISTINCT_MAX: Final = 1_000
DEFAULTS: Final = {"outcome": "success", "actor_type": "human", "resource_count": 1}
OURS: Final = ("action", "outcome", "actor_type", "destination")  # value sets of our own: telling them tells of nobody


@dataclass(slots=True)
class FieldTold:
    """One field over the events: where it is from, how many tell it, and how many different values it has (up to a bound).

    `values`: of our own value sets, how often each occurs; `examples`: what records say, only when asked for.
    """

    name: str
    origin: str
    told: int = 0
    distinct: int = 0
    values: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Refusal:
    """One kind of refusal: how often, and the first lines."""

    code: str
    pointer: str
    detail: str
    count: int = 0
    lines: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Silence:
    """A detector that can find nothing: what events lack, and what of context the folder given has not (all, when none was)."""

    detector: str
    missing: list[str]
    context: list[str]


def needs_context(detector: Detector) -> list[str]:
    """Return the context that a detector needs, without what events tell themselves."""
    return [need for need in detector.card.needs if need.partition(".")[0] != "AuditEvent"]


@dataclass(slots=True)
class Trial:
    """What a format made of a file. `understood`: share of records that were read or passed over on purpose."""

    format: str
    records: int = 0
    events: int = 0
    skipped: int = 0
    refused_records: int = 0
    first_event: int | None = None
    last_event: int | None = None
    fields: list[FieldTold] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    silent: list[Silence] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    context: list[str] | None = None
    known: dict[str, float] = field(default_factory=dict)

    @property
    def understood(self) -> float:
        """Share of records that were not refused, even in part."""
        return 1 - self.refused_records / self.records if self.records else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return all of it for machines."""
        return asdict(self) | {"understood": round(self.understood, 4)}


class Trying:
    """Reads a file with a format and counts."""

    def __init__(self, source: Source, origins: Mapping[str, str] | None, *, show_values: bool = False) -> None:
        """`origins`: of each field, where it is from; None: the format does not say."""
        self._source, self._show = source, show_values
        self._rows: list[EventRow] = []
        self._refusals: dict[tuple[str, str, str], Refusal] = {}
        self._origins = origins
        self.trial = Trial(source.name)

    def read(self, path: str, records_max: int) -> None:
        """Read up to so many records of a file.

        Raises:
            RefusedToStartError: it cannot be opened.
        """
        with opened(path) as stream:
            for numbers, records in (self._source.cut or cut)(stream):
                room = records_max - self.trial.records
                self._take(numbers[:room], records[:room])
                if room <= len(records):
                    return

    def _take(self, numbers: Sequence[int], records: Sequence[bytes]) -> None:
        decoded, trial = self._source.decode(records), self.trial
        trial.records += len(records)
        trial.skipped += decoded.skipped
        trial.events += len(decoded.rows)
        trial.refused_records += len({one.index for one in decoded.rejections})
        self._rows += decoded.rows
        for one in decoded.rejections:
            kind = (one.code, _general(one.pointer), one.detail)
            refusal = self._refusals.setdefault(kind, Refusal(*kind))
            refusal.count += 1
            if len(refusal.lines) < LINES_SHOWN:
                refusal.lines.append(numbers[one.index])

    def conclude(self, detectors: Sequence[Detector], context: Context | None = None) -> Trial:
        """Return what was found. `context`: what the hospital knows, when it is at hand."""
        trial, rows = self.trial, self._rows
        trial.fields = list(self._fields())
        trial.refusals = sorted(self._refusals.values(), key=lambda one: (-one.count, one.code, one.pointer))
        if rows:
            times = [row.occurred_at for row in rows]
            trial.first_event, trial.last_event = min(times), max(times)
        told = told_by(rows)
        trial.context = sorted(context.kinds) if context else None
        trial.silent = list(_silences(detectors, told, context.kinds if context else None))
        trial.reasons = reasons(told)
        if context and rows:
            trial.known = {
                "actors": _share(context.actors, (row.actor_id for row in rows)),
                "patients": _share(context.patients, (row.patient_id for row in rows if row.patient_id)),
            }
        return trial

    def _fields(self) -> Iterator[FieldTold]:
        for at, name in enumerate(EventRow._fields):
            if name in {"sub", "marks"}:
                continue
            counted = Counter(row[at] for row in self._rows)
            origin = "" if self._origins is None else self._origins.get(name, "")
            nothing = DEFAULTS.get(name, "") if not origin else ""
            told = FieldTold(name, origin, sum(count for value, count in counted.items() if value != nothing))
            told.distinct = min(len(counted.keys() - {nothing}), DISTINCT_MAX)
            if name in OURS:
                told.values = {str(value): count for value, count in counted.most_common() if value != ""}
            if self._show:
                told.examples = [str(value) for value, _ in counted.most_common() if value != nothing][:VALUES_SHOWN]
            yield told


def _general(pointer: str) -> str:
    """Return a pointer without the places in lists, so that refusals of one kind are counted together."""
    return "/".join("*" if step.isdigit() else step for step in pointer.split("/"))


@dataclass(frozen=True, slots=True)
class Context:
    """What the hospital knows: of which kinds, and the ids by which people and patients are known."""

    kinds: frozenset[str]
    actors: frozenset[str]
    patients: frozenset[str]


def known_by(kinds: Iterable[str], records: Iterable[object]) -> Context:
    """Return the ids that context records know; what is no record (a rejection) is left out."""
    actors: set[str] = set()
    patients: set[str] = set()
    for one in records:
        if isinstance(one, StaffMember):
            actors |= {one.actor_id, *one.aliases}
        elif isinstance(one, PatientRecord):
            patients |= {one.patient_id, *one.aliases}
        elif isinstance(one, ActorAlias):
            actors.add(one.alias)
        elif isinstance(one, PatientAlias):
            patients.add(one.alias)
    return Context(frozenset(kinds), frozenset(actors), frozenset(patients))


def _share(known: frozenset[str], ids: Iterable[str]) -> float:
    different = set(ids)
    return round(len(different & known) / len(different), 4) if different else 0.0


def _silences(detectors: Sequence[Detector], told: Told, kinds: frozenset[str] | None) -> Iterator[Silence]:
    for detector in detectors:
        missing = missing_for(detector, told)
        context = [need for need in needs_context(detector) if kinds is None or need.partition(".")[0] not in kinds]
        if missing or context:
            yield Silence(detector.name, missing, context)
