"""An alert back from JSON: the reverse of `Alert.to_dict`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sentinel.core.alert import Alert, Reason, Severity, Usual
from sentinel.core.event import EPOCH

_MICROSECOND: Final = timedelta(microseconds=1)


def alert_of(told: Mapping[str, Any]) -> Alert:
    """Return the alert that `told` is, as the store keeps it and the API gives it.

    Raises:
        KeyError, ValueError: it is none.
    """
    return Alert(
        id=told["id"],
        tenant=told["tenant"],
        version=told["version"],
        priority=told["priority"],
        severity=Severity(told["severity"]),
        detectors=tuple(told["detectors"]),
        actor=told["actor"],
        patients=tuple(told["patients"]),
        event_ids=tuple(told["event_ids"]),
        event_keys=tuple(told["event_keys"]),
        first_seen=_moment_us(told["first_seen"]),
        last_seen=_moment_us(told["last_seen"]),
        reasons=tuple(_reason(reason) for reason in told["reasons"]),
        not_explained_by=tuple(told["not_explained_by"]),
        late=told.get("late", False),
        suppressed=told.get("suppressed", False),
        suppressed_by=tuple(told.get("suppressed_by", ())),
        raised_by=tuple(told.get("raised_by", ())),
        configuration=told.get("configuration", ""),
    )


def _reason(told: Mapping[str, Any]) -> Reason:
    usual = Usual(told["usual"]["actor"], told["usual"]["peers"])
    words = told["text"]["fr"], told["text"]["en"]
    return Reason(told["detector"], told["observed"], usual, told["p_value"], *words, told.get("suppressed_by", ""))


def _moment_us(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // _MICROSECOND
