"""Records judged before they are kept: what each gives, why it is refused, and where it goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from sentinel.core.errors import Rejection, RejectionCode
from sentinel.core.ids import event_key
from streams.record import DeadLetter, LogRecord, Mark
from streams.sources.contract import Source

Status = Literal["accepted", "partly-accepted", "rejected"]
ACCEPTED: Final = "accepted"


class Intake(Protocol):
    """Makes records durable. Both methods raise `streams.record.IntakeUnavailableError` when they cannot."""

    async def append(self, records: Sequence[LogRecord], marks: Sequence[Mark] = ()) -> Sequence[int]:
        """Return the records' positions in the log once they are on disk, and `marks` in the same commit."""
        ...

    async def reject(self, letters: Sequence[DeadLetter]) -> Sequence[str]:
        """Return the letters' ids once they are on disk."""
        ...


@dataclass(slots=True)
class Judged:
    """One record, what it gave and why it was refused.

    `readable`: as a whole or in part. `unused`: nothing of it is of use here, so it is not kept.
    `letter`: the id it is kept under when refused.
    """

    record: LogRecord
    id: str = ""
    keys: list[str] = field(default_factory=list)
    rejection: Rejection | None = None
    readable: bool = True
    unused: bool = False
    letter: str = ""

    @property
    def open(self) -> bool:
        """Tell whether nothing was decided yet."""
        return self.rejection is None and not self.unused

    def reject(self, why: Rejection) -> None:
        """Refuse the record as a whole."""
        self.rejection, self.readable = why, False

    @property
    def status(self) -> Status:
        """Return what became of it."""
        if self.rejection is None:
            return "accepted"
        return "partly-accepted" if self.readable else "rejected"


def judge(source: Source, records: Sequence[LogRecord], bytes_max: int) -> list[Judged]:
    """Decode `records` and return each with what it gave."""
    judged = [Judged(record) for record in records]
    decoded = source.decode([record.raw if len(record.raw) <= bytes_max else b"" for record in records])
    for row, index in zip(decoded.rows, decoded.records, strict=True):
        one = judged[index]
        one.id = one.id or row.id
        one.keys.append(event_key(one.record.tenant, source.name, row.id, row.sub).hex())
    for rejection in decoded.rejections:
        one = judged[rejection.index]
        one.rejection = one.rejection or rejection
        one.readable = bool(one.keys)
    for index, one in enumerate(judged):
        if len(one.record.raw) > bytes_max:
            one.reject(Rejection(index, RejectionCode.TOO_LARGE, detail=f"a record takes at most {bytes_max} bytes"))
    return judged


def judge_mixed(sources: Mapping[str, Source], records: Sequence[LogRecord], bytes_max: int) -> list[Judged]:
    """Judge records of several sources, each source's together, and return all in the order they came."""
    judged: list[Judged] = [Judged(record) for record in records]
    for name in dict.fromkeys(record.source for record in records):
        places = [at for at, record in enumerate(records) if record.source == name]
        for at, one in zip(places, judge(sources[name], [records[at] for at in places], bytes_max), strict=True):
            judged[at] = one
    return judged


async def set_aside(intake: Intake, judged: Sequence[Judged]) -> None:
    """Make durable, among the dead letters, what cannot be read; then it has its `letter`."""
    refused = [(one, one.rejection) for one in judged if one.rejection is not None]
    if refused:
        letters = [DeadLetter(one.record, why.code, why.pointer, why.detail) for one, why in refused]
        for (one, _), letter in zip(refused, await intake.reject(letters), strict=True):
            one.letter = letter


async def keep(intake: Intake, judged: Sequence[Judged], marks: Sequence[Mark] = ()) -> None:
    """Make durable, in the log, what can be read, and `marks` with it. Callers set aside the others before."""
    readable = [one.record for one in judged if one.readable and not one.unused]
    if readable or marks:
        await intake.append(readable, marks)


def verdicts(judged: Sequence[Judged]) -> Counter[str]:
    """Return how many records were accepted, and how many refused by code."""
    return Counter(ACCEPTED if one.rejection is None else str(one.rejection.code) for one in judged)
