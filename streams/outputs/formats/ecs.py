"""Elastic Common Schema 8: an alert as Elastic Security and OpenSearch index it."""

from __future__ import annotations

from typing import Final

from sentinel.core.alert import Severity, rfc3339
from streams.outputs.contract import Format, Telling
from streams.outputs.product import PRODUCT, VENDOR, VERSION

SCHEMA: Final = "8.17.0"
SEVERITIES: Final = {Severity.LOW: 21, Severity.MEDIUM: 47, Severity.HIGH: 73, Severity.CRITICAL: 99}  # as Elastic's own rules


def render(telling: Telling) -> dict[str, object]:
    """Return the document; what the schema has no field for stands under `sentinel`."""
    alert = telling.alert
    event: dict[str, object] = {
        "kind": "alert",
        "category": ["intrusion_detection"],
        "type": ["info"],
        "id": telling.id,
        "action": "alert-updated" if telling.is_update else "alert-created",
        "provider": PRODUCT.lower(),
        "dataset": "sentinel.alert",
        "module": "sentinel",
        "severity": SEVERITIES[alert.severity],
        "risk_score": round(alert.priority, 3),
        "start": rfc3339(alert.first_seen),
        "end": rfc3339(alert.last_seen),
        "reason": " ".join(telling.sentences),
    }
    return {
        "@timestamp": rfc3339(alert.last_seen),
        "ecs": {"version": SCHEMA},
        "message": telling.title,
        "event": event | ({"url": telling.link} if telling.link else {}),
        "rule": {"name": ", ".join(alert.detectors), "id": alert.detectors[0] if alert.detectors else "", "ruleset": "sentinel"},
        "user": {"id": alert.actor},
        "related": {"user": [alert.actor]},
        "organization": {"id": alert.tenant},
        "observer": {"vendor": VENDOR, "product": PRODUCT, "version": VERSION, "type": "sentinel"},
        "sentinel": alert.to_dict() | {"patient_count": telling.patients},
    }


FORMAT: Final = Format("ecs", "Elastic Common Schema 8", "application/json", render)
