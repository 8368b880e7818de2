"""IBM's Log Event Extended Format 2.0: one line, for QRadar."""

from __future__ import annotations

from typing import Final

from sentinel.core.alert import Severity
from streams.outputs.contract import Format, Telling
from streams.outputs.product import PRODUCT, VENDOR, VERSION, milliseconds

SEVERITIES: Final = {Severity.LOW: 3, Severity.MEDIUM: 5, Severity.HIGH: 8, Severity.CRITICAL: 10}
VALUE_MAX: Final = 4_000  # characters: a message is well below the 32 KiB that QRadar takes over TCP


def render(telling: Telling) -> str:
    """Return the line: attributes between tabs, so that a value may hold anything but a tab and a line's end."""
    alert = telling.alert
    first = alert.detectors[0] if alert.detectors else "alert"
    attributes = {
        "devTime": milliseconds(alert.last_seen),
        "cat": "alert-updated" if telling.is_update else "alert-created",
        "sev": SEVERITIES[alert.severity],
        "usrName": alert.actor,
        "alertId": alert.id,
        "tellingId": telling.id,
        "version": alert.version,
        "tenant": alert.tenant,
        "priority": round(alert.priority, 3),
        "detectors": ",".join(alert.detectors),
        "reasons": " ".join(telling.sentences),
        "notExplainedBy": ",".join(alert.not_explained_by),
        "eventCount": len(alert.event_ids),
        "eventIds": ",".join(alert.event_ids),
        "patientCount": telling.patients,
        "patients": ",".join(alert.patients),
        "firstSeen": milliseconds(alert.first_seen),
        "url": telling.link or "",
    }
    told = "\t".join(f"{key}={_value(value)}" for key, value in attributes.items() if value != "")
    head = "|".join(text.replace("|", "/") for text in (VENDOR, PRODUCT, VERSION, first))
    return f"LEEF:2.0|{head}|x09|{told}"


def _value(value: object) -> str:
    return " ".join(str(value).split())[:VALUE_MAX]


FORMAT: Final = Format("leef", "IBM LEEF 2.0", "text/plain", render)
