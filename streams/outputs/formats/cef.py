"""ArcSight's Common Event Format, revision 26: one line, for syslog."""

from __future__ import annotations

from typing import Final

from sentinel.core.alert import Severity
from streams.outputs.contract import Format, Telling
from streams.outputs.product import PRODUCT, VENDOR, VERSION, milliseconds

SEVERITIES: Final = {Severity.LOW: 3, Severity.MEDIUM: 5, Severity.HIGH: 8, Severity.CRITICAL: 10}
MESSAGE_MAX: Final = 1_023  # characters, of `msg` and `request`
CUSTOM_MAX: Final = 4_000  # of custom strings
_EXTENSION: Final = str.maketrans({"\\": "\\\\", "=": "\\=", "\n": "\\n", "\r": "\\r"})


def render(telling: Telling) -> str:
    """Return the line; `externalId` names the story, `cs6` this state of it."""
    alert = telling.alert
    first = alert.detectors[0] if alert.detectors else "alert"
    fields: dict[str, object] = {
        "rt": milliseconds(alert.last_seen),
        "start": milliseconds(alert.first_seen),
        "end": milliseconds(alert.last_seen),
        "externalId": alert.id,
        "act": "update" if telling.is_update else "create",
        "suid": alert.actor[:MESSAGE_MAX],
        "cnt": len(alert.event_ids),
        "msg": " ".join(telling.sentences)[:MESSAGE_MAX],
        "request": (telling.link or "")[:MESSAGE_MAX],
    }
    for number, (label, values) in enumerate(_lists(telling), 1):
        fields |= {f"cs{number}Label": label, f"cs{number}": ",".join(values)[:CUSTOM_MAX]} if any(values) else {}
    fields |= {"cn1Label": "version", "cn1": alert.version, "cn2Label": "patientCount", "cn2": telling.patients}
    fields |= {"cfp1Label": "priority", "cfp1": round(alert.priority, 3)}
    extension = " ".join(f"{key}={_value(value)}" for key, value in fields.items() if value != "")
    head = "|".join(_header(text) for text in (VENDOR, PRODUCT, VERSION, first, telling.title))
    return f"CEF:0|{head}|{SEVERITIES[alert.severity]}|{extension}"


def _lists(telling: Telling) -> list[tuple[str, tuple[str, ...]]]:
    """Return the custom strings, `cs1` to `cs6`."""
    alert = telling.alert
    return [
        ("detectors", alert.detectors),
        ("notExplainedBy", alert.not_explained_by),
        ("patients", alert.patients),
        ("eventIds", alert.event_ids),
        ("tenant", (alert.tenant,)),
        ("tellingId", (telling.id,)),
    ]


def _header(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")


def _value(value: object) -> str:
    return str(value).translate(_EXTENSION)


FORMAT: Final = Format("cef", "ArcSight CEF", "text/plain", render)
