"""An alert of DFIR-IRIS 2, as `POST /alerts/add` takes it."""

from __future__ import annotations

from typing import Final

from sentinel.core.alert import Severity, rfc3339
from streams.outputs.contract import Format, Telling
from streams.outputs.product import PRODUCT, described

SEVERITIES: Final = {Severity.LOW: 3, Severity.MEDIUM: 4, Severity.HIGH: 5, Severity.CRITICAL: 6}  # as IRIS numbers its own
NEW: Final = 2
CUSTOMER: Final = 1  # the first of a new IRIS; `fields` of the output says another


def render(telling: Telling) -> dict[str, object]:
    """Return the alert; states of one story share `alert_source_ref`."""
    alert = telling.alert
    return {
        "alert_title": f"{telling.title} ({alert.actor})",
        "alert_description": described(telling, rfc3339(alert.first_seen), rfc3339(alert.last_seen)),
        "alert_source": PRODUCT,
        "alert_source_ref": alert.id,
        "alert_source_link": telling.link or "",
        "alert_source_event_time": rfc3339(alert.last_seen)[:19],
        "alert_source_content": alert.to_dict() | {"patient_count": telling.patients},
        "alert_severity_id": SEVERITIES[alert.severity],
        "alert_status_id": NEW,
        "alert_customer_id": CUSTOMER,
        "alert_tags": ",".join(alert.detectors),
        "alert_note": "update" if telling.is_update else "",
    }


FORMAT: Final = Format("dfir_iris", "DFIR-IRIS alert", "application/json", render)
