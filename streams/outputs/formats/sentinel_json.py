"""Sentinel's own JSON, in the envelope of Standard Webhooks: `type`, `timestamp`, `data`."""

from __future__ import annotations

from typing import Final

from sentinel.core.alert import rfc3339
from streams.outputs.contract import Format, Telling


def render(telling: Telling) -> dict[str, object]:
    """Return the alert as the API gives it, with the number of patients beside their ids."""
    return {
        "type": "alert.updated" if telling.is_update else "alert.created",
        "timestamp": rfc3339(telling.alert.last_seen),
        "data": telling.alert.to_dict() | {"patient_count": telling.patients} | ({"url": telling.link} if telling.link else {}),
    }


FORMAT: Final = Format("sentinel_json", "Sentinel's own JSON (docs/alerts.md)", "application/json", render)
