"""An alert about nobody, to try an output with."""

from __future__ import annotations

from typing import Final

from sentinel.core.alert import Alert, Reason, Severity, Usual
from sentinel.core.ids import derive

HOUR_US: Final = 3_600_000_000
REASON: Final = Reason(
    detector="test",
    observed=1,
    usual=Usual(0, 0),
    p_value=None,
    fr="Essai : cette alerte ne concerne personne.",
    en="A test: this alert is about nobody.",
)


def sample(tenant: str, now_us: int) -> Alert:
    """Return an alert of now that says that it is a test; each moment's is a later state of the same story."""
    return Alert(
        id=derive("sample-alert", tenant),
        tenant=tenant,
        version=now_us // 1_000_000,
        priority=5.0,
        severity=Severity.CRITICAL,
        detectors=("test",),
        actor="sentinel-test",
        patients=("sentinel-test-patient",),
        event_ids=("sentinel-test-event",),
        event_keys=(derive("sample-event", tenant),),
        first_seen=now_us - HOUR_US,
        last_seen=now_us,
        reasons=(REASON,),
        not_explained_by=(),
    )
