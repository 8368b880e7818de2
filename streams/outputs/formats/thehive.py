"""An alert of TheHive 5, as `POST /api/v1/alert` takes it."""

from __future__ import annotations

from typing import Final

from sentinel.core.alert import Severity, rfc3339
from streams.outputs.contract import Format, Telling
from streams.outputs.product import PRODUCT, described, milliseconds

SEVERITIES: Final = {Severity.LOW: 1, Severity.MEDIUM: 2, Severity.HIGH: 3, Severity.CRITICAL: 4}
AMBER: Final = 2  # TLP and PAP
TITLE_MAX: Final = 512


def render(telling: Telling) -> dict[str, object]:
    """Return the alert. TheHive takes a reference once: each state of a story has its own; a tag and an observable join them."""
    alert = telling.alert
    told: dict[str, object] = {
        "type": "sentinel",
        "source": PRODUCT,
        "sourceRef": f"{alert.id}-{alert.version}",
        "title": f"{telling.title} ({alert.actor})"[:TITLE_MAX],
        "description": described(telling, rfc3339(alert.first_seen), rfc3339(alert.last_seen)),
        "severity": SEVERITIES[alert.severity],
        "date": milliseconds(alert.last_seen),
        "tags": [f"sentinel:{alert.id}", *alert.detectors, *(["update"] if telling.is_update else [])],
        "tlp": AMBER,
        "pap": AMBER,
        "observables": [
            {"dataType": "other", "data": alert.actor, "message": "actor"},
            {"dataType": "other", "data": alert.id, "message": "Sentinel's alert"},
            *({"dataType": "other", "data": patient, "message": "patient"} for patient in alert.patients),
        ],
    }
    return told | ({"externalLink": telling.link} if telling.link else {})


FORMAT: Final = Format("thehive", "TheHive 5 alert", "application/json", render)
