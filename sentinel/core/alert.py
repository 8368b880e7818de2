"""A finding is one observation; an alert is the story that findings on one actor make together."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final, Self

from sentinel.core import ids
from sentinel.core.event import EPOCH
from sentinel.core.frozen import frozen

Scalar = float | int | str | None


class Severity(StrEnum):
    """How grave a story is if true. OCSF `severity`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


@frozen
class Usual:
    """What is usual, for this person and for peers, in the unit of what was observed; None: not known yet."""

    actor: Scalar = None
    peers: Scalar = None


@frozen
class Reason:
    """One finding in words: what was observed, what is usual, how often chance alone gives it; by which rule it is not told."""

    detector: str
    observed: Scalar
    usual: Usual
    p_value: float | None
    fr: str
    en: str
    suppressed_by: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """One line of the queue. Times are µs since 1970 UTC; `priority` ≥ 0, higher first.

    `version` counts the changes of this story: the highest is the story as it stands.
    `event_ids` are the ids that the sources gave, `event_keys` (hex) Sentinel's own.
    `late`: found in history that was taken in afterwards, not while it happened.
    `suppressed`: kept and not told, since rules hide enough of it: its priority is what it would have without them.
    `suppressed_by`: rules that hide something of it; `raised_by`: watch-lists that it was looked at more closely for.
    `configuration`: the version of the one it was made with; empty: none is declared.
    """

    id: str
    tenant: str
    version: int
    priority: float
    severity: Severity
    detectors: tuple[str, ...]
    actor: str
    patients: tuple[str, ...]
    event_ids: tuple[str, ...]
    event_keys: tuple[str, ...]
    first_seen: int
    last_seen: int
    reasons: tuple[Reason, ...]
    not_explained_by: tuple[str, ...]
    late: bool = False
    suppressed: bool = False
    suppressed_by: tuple[str, ...] = ()
    raised_by: tuple[str, ...] = ()
    configuration: str = ""

    def as_late(self) -> Self:
        """Return this story as found afterwards: an alert of its own, so that it never takes the place of the one told live."""
        return replace(self, id=ids.derive("late-alert", self.tenant, self.id), late=True)

    def to_dict(self) -> dict[str, object]:
        """Return the alert as `alerts.ndjson` and the API give it (docs/alerts.md), without the marks that it does not have."""
        told: dict[str, object] = {
            "id": self.id,
            "tenant": self.tenant,
            "version": self.version,
            "priority": round(self.priority, 3),
            "severity": str(self.severity),
            "detectors": list(self.detectors),
            "actor": self.actor,
            "patients": list(self.patients),
            "event_ids": list(self.event_ids),
            "event_keys": list(self.event_keys),
            "first_seen": rfc3339(self.first_seen),
            "last_seen": rfc3339(self.last_seen),
            "reasons": [_reason(reason) for reason in self.reasons],
            "not_explained_by": list(self.not_explained_by),
        }
        marks = {"late": self.late, "suppressed": self.suppressed}
        rules = {"suppressed_by": list(self.suppressed_by), "raised_by": list(self.raised_by)}
        made = {"configuration": self.configuration}
        return told | {name: value for name, value in (marks | rules | made).items() if value}

    def to_json(self) -> str:
        """Return one line of `alerts.ndjson`: the same alert always gives the same bytes."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))


def shadow_of(tenant: str) -> str:
    """Return under which tenant the alerts of a tenant's shadow are kept: no tenant can be called so."""
    return f"{tenant}~shadow"


def _reason(reason: Reason) -> dict[str, object]:
    told: dict[str, object] = {
        "detector": reason.detector,
        "observed": reason.observed,
        "usual": {"actor": reason.usual.actor, "peers": reason.usual.peers},
        "p_value": reason.p_value,
        "text": {"fr": reason.fr, "en": reason.en},
    }
    return told | {"suppressed_by": reason.suppressed_by} if reason.suppressed_by else told


_MICROSECOND: Final = timedelta(microseconds=1)


def rfc3339(moment_us: int) -> str:
    """Return µs since 1970 as RFC 3339 in UTC, with the fraction only where there is one."""
    return (EPOCH + moment_us * _MICROSECOND).isoformat().replace("+00:00", "Z")
