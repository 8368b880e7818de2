"""OCSF 1.5 Detection Finding (class 2004), as security lakes take it."""

from __future__ import annotations

from typing import Final

from sentinel.core.alert import Severity
from streams.outputs.contract import Format, Telling
from streams.outputs.product import PRODUCT, VENDOR, VERSION, milliseconds

SCHEMA: Final = "1.5.0"
CLASS: Final = 2004
CREATE, UPDATE = 1, 2
NEW: Final = 1
BEHAVIORAL: Final = 2  # the type of analytics that look at what people do
SEVERITIES: Final = {Severity.LOW: 2, Severity.MEDIUM: 3, Severity.HIGH: 4, Severity.CRITICAL: 5}


def render(telling: Telling) -> dict[str, object]:
    """Return the finding; what OCSF has no place for stands under `unmapped`."""
    alert, activity = telling.alert, UPDATE if telling.is_update else CREATE
    return {
        "class_uid": CLASS,
        "class_name": "Detection Finding",
        "category_uid": 2,
        "category_name": "Findings",
        "activity_id": activity,
        "activity_name": "Update" if telling.is_update else "Create",
        "type_uid": CLASS * 100 + activity,
        "severity_id": SEVERITIES[alert.severity],
        "severity": alert.severity.capitalize(),
        "status_id": NEW,
        "is_alert": True,
        "time": milliseconds(alert.last_seen),
        "start_time": milliseconds(alert.first_seen),
        "end_time": milliseconds(alert.last_seen),
        "count": len(alert.event_ids),
        "message": telling.title,
        "metadata": {
            "version": SCHEMA,
            "uid": telling.id,
            "tenant_uid": alert.tenant,
            "product": {"name": PRODUCT, "vendor_name": VENDOR, "version": VERSION},
        },
        "finding_info": _finding(telling),
        "evidences": [{"actor": {"user": {"uid": alert.actor}}, "data": {"event_ids": list(alert.event_ids)}}],
        "unmapped": {
            "version": alert.version,
            "priority": round(alert.priority, 3),
            "patient_count": telling.patients,
            "reasons": alert.to_dict()["reasons"],
            "not_explained_by": list(alert.not_explained_by),
            "late": alert.late,
        },
    } | ({"resources": [{"uid": patient, "type": "Patient"} for patient in alert.patients]} if alert.patients else {})


def _finding(telling: Telling) -> dict[str, object]:
    alert = telling.alert
    analytics = [{"name": name, "uid": name, "type_id": BEHAVIORAL, "type": "Behavioral"} for name in alert.detectors]
    finding: dict[str, object] = {
        "uid": alert.id,
        "title": telling.title,
        "desc": "\n".join(telling.sentences),
        "types": list(alert.detectors),
        "first_seen_time": milliseconds(alert.first_seen),
        "last_seen_time": milliseconds(alert.last_seen),
        "analytic": analytics[0],
        "related_analytics": analytics[1:],
    }
    return finding | ({"src_url": telling.link} if telling.link else {})


FORMAT: Final = Format("ocsf", "OCSF 1.5 Detection Finding", "application/json", render)
