"""Every topic of the bus, declared once: what it holds, its key, how it is divided, how long it keeps, how large a record is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sentinel.core.errors import RefusedToStartError

DAY_MS: Final = 86_400_000
MESSAGE_BYTES_MAX: Final = 4 << 20  # twice the largest record that HTTP takes: a dead letter holds one, and its reasons
CHECKPOINT_BYTES_MAX: Final = 16 << 20
IN_SYNC_MIN: Final = 2  # copies that must have a record before it is acknowledged, where there are as many
SEGMENT_DAYS: Final = 1  # whole segments are deleted: what is past its time may stay this much longer
OUTDATED_DAYS: Final = 7  # how long a value that was replaced, or the mark of a deleted one, may stay beside its successor
NAME_MAX: Final = 249

_legal_name: Final = re.compile(r"[A-Za-z0-9._-]+").fullmatch


class Cleanup(StrEnum):
    """What goes: what is old, what a newer record of the same key replaced, or both. Kafka's `cleanup.policy`."""

    DELETE = "delete"
    COMPACT = "compact"
    BOTH = "compact,delete"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it has to be. `days`: how long records are kept; None: until a newer one of the same key comes.

    `key` and `holds` are for people (docs/kafka.md); `headers` are those that Sentinel writes or reads.
    """

    name: str
    holds: str
    key: str
    partitions: int
    replication: int
    days: int | None = None
    compacted: bool = False
    message_bytes_max: int = MESSAGE_BYTES_MAX
    headers: tuple[str, ...] = ()

    @property
    def cleanup(self) -> Cleanup:
        """What goes."""
        if self.days is None:
            return Cleanup.COMPACT
        return Cleanup.BOTH if self.compacted else Cleanup.DELETE

    @property
    def configs(self) -> dict[str, str]:
        """The topic's settings by Kafka's names; what is not told is the broker's.

        Time is the broker's: with the sender's own, history sent today would be deleted today, and a clock that runs
        ahead would keep records for ever.
        """
        told: dict[str, object] = {
            "cleanup.policy": self.cleanup,
            "max.message.bytes": self.message_bytes_max,
            "message.timestamp.type": "LogAppendTime",
            "min.insync.replicas": min(IN_SYNC_MIN, max(1, self.replication - 1)),
            "segment.ms": SEGMENT_DAYS * DAY_MS,
        }
        if self.days is not None:
            told["retention.ms"] = self.days * DAY_MS
        if self.cleanup is not Cleanup.DELETE:
            told |= {"max.compaction.lag.ms": OUTDATED_DAYS * DAY_MS, "delete.retention.ms": OUTDATED_DAYS * DAY_MS}
        return {name: str(value) for name, value in told.items()}


@dataclass(frozen=True, slots=True)
class Layout:
    """What differs between sites: words before all names, the formats taken in, partitions, copies of each record.

    `partitions` divides what grows with the events, and bounds how many workers share them. It cannot be changed later
    without moving people to other partitions than their past is in.
    """

    sources: Sequence[str]
    prefix: str = ""
    partitions: int = 12
    replication: int = 3


@dataclass(frozen=True, slots=True)
class Topics:
    """All topics of one site; `intake` by source. Iterating gives each once."""

    intake: Mapping[str, Topic]
    events: Topic
    closings: Topic
    context: Topic
    alerts: Topic
    rejected: Topic
    feedback: Topic
    verdicts: Topic
    checkpoints: Topic

    def group(self, part: str) -> str:
        """Return the name of the group of consumers of a part of the worker; sites that share a cluster have different ones."""
        return f"sentinel-{self.events.name}.{part}"

    def __iter__(self) -> Iterator[Topic]:
        """Yield the topics in the order in which records go through them."""
        yield from self.intake.values()
        yield from (self.events, self.closings, self.context, self.alerts, self.rejected)
        yield from (self.feedback, self.verdicts, self.checkpoints)


def declare(layout: Layout) -> Topics:
    """Return the topics of a site.

    What all workers read alike (`closings`, `context`, `feedback`) has one partition: everybody sees it in one order.

    Raises:
        RefusedToStartError: a prefix or source makes a name that Kafka does not take.
    """

    def topic(name: str, holds: str, key: str, partitions: int = 1, **more: object) -> Topic:
        return Topic(_name(layout.prefix + name), holds, key, partitions, layout.replication, **more)  # type: ignore[arg-type]

    many = layout.partitions
    raw = "one event a record, its bytes as the source sent them"
    return Topics(
        intake={source: topic(f"intake.{source}", raw, "anything or none", many, days=7) for source in layout.sources},
        events=topic("events", "events of one partition's people, normalised, many a record", "none", many, days=7),
        closings=topic(
            "closings",
            "what a partition counted in an hour that closed; where its last states are",
            "`closed/hour/partition`, `state/partition/slot`",
            days=14,
            compacted=True,
        ),
        context=topic("context", "one FHIR resource: who works where, who is in whose care", "`Type/id`"),
        alerts=topic("alerts", "an alert, as `GET /v1/alerts` gives it", "the alert's id", days=30, compacted=True),
        rejected=topic(
            "rejected",
            "the bytes of one record that could not be read",
            "the dead letter's id",
            many,
            days=90,
            headers=("code", "pointer", "detail", "source", "topic", "partition", "offset", "key", "status"),
        ),
        feedback=topic("feedback", "an analyst's verdict on an alert", "the alert's id"),
        verdicts=topic("verdicts", "the last verdict on each alert: Faust's table of them", "the alert's id"),
        checkpoints=topic(
            "checkpoints",
            "a piece of the state of one partition with the offsets it stands for",
            "`partition/slot/piece`",
            message_bytes_max=CHECKPOINT_BYTES_MAX,
        ),
    )


def _name(name: str) -> str:
    if not _legal_name(name) or len(name) > NAME_MAX:
        raise RefusedToStartError(f"{name!r} is no name for a topic: letters, digits, '.', '_' and '-', at most {NAME_MAX}")
    return name
