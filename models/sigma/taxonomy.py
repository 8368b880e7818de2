"""Which records a rule's `logsource` means here, and how its fields are called there.

Rules of our own taxonomy (`taxonomy: sentinel`) see the columns of our events and the facts beside them. All others see
records as they came: their fields are the format's own, which events do not keep.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sigma.rule import SigmaLogSource

from models.sigma.refusals import Reason, RuleRefusedError

OWN: Final = "sentinel"


@dataclass(frozen=True, slots=True)
class Format:
    """A format whose records rules can see. `places`: where a field may stand, `{}` for its name, the first that is told.

    `grouped`: the fields that name what a column of ours keeps, so that correlations can group by them.
    """

    source: str
    places: tuple[str, ...] = ("{}",)
    grouped: dict[str, str] = field(default_factory=dict)


_WINDOWS: Final = Format(
    "windows_security",
    (
        *("{}", "winlog.event_data.{}", "EventData.{}", "Event.EventData.{}", "event_data.{}", "data.win.eventdata.{}"),
        *("winlog.{}", "Event.System.{}", "data.win.system.{}"),
    ),
    {
        **dict.fromkeys(("TargetUserName", "SubjectUserName"), "actor_id"),
        **dict.fromkeys(("IpAddress", "ClientAddress"), "client_address"),
        "WorkstationName": "device",
    },
)
_AZURE_USER: Final = dict.fromkeys(
    ("userPrincipalName", "UserPrincipalName", "properties.userPrincipalName", "AccountUPN"), "actor_id"
)
_ENTRA: Final = Format("entra_signin", ("{}", "properties.{}"), _AZURE_USER)
_WORKSPACE: Final = Format("google_workspace", ("{}", "protoPayload.{}", "protoPayload.metadata.event.{}"), {})
FORMATS: Final[dict[tuple[str, str], Format]] = {
    ("aws", "cloudtrail"): Format(
        "aws_cloudtrail", ("{}", "detail.{}"), {"userIdentity.arn": "actor_id", "sourceIPAddress": "client_address"}
    ),
    ("azure", "signinlogs"): _ENTRA,
    ("azure", "auditlogs"): _ENTRA,
    ("azure", "activitylogs"): Format("azure_activity", ("{}", "properties.{}"), {"caller": "actor_id"}),
    ("gcp", "gcp.audit"): Format("gcp_audit", ("{}", "protoPayload.{}"), {}),
    ("gcp", "google_workspace.admin"): _WORKSPACE,
    ("gcp", "google_workspace.login"): _WORKSPACE,
    ("m365", "audit"): Format("microsoft365_audit", ("{}",), {"UserId": "actor_id", "ClientIP": "client_address"}),
    ("m365", "exchange"): Format("microsoft365_audit", ("{}",), {"UserId": "actor_id"}),
    ("okta", "okta"): Format("okta", ("{}",), {"actor.alternateId": "actor_id", "client.ipAddress": "client_address"}),
    ("windows", "security"): _WINDOWS,
}
# Names that rules give what the format calls otherwise (Winlogbeat, Windows's own JSON, the tables of Log Analytics).
ALSO: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "windows_security": {
        "EventID": ("EventID", "winlog.event_id", "event_id", "event.code", "Event.System.EventID", "data.win.system.eventID"),
        "Provider_Name": ("ProviderName", "winlog.provider_name", "SourceName", "Event.System.Provider.@Name"),
        "Computer": ("Computer", "Hostname", "winlog.computer_name", "Event.System.Computer"),
    },
    "entra_signin": {
        "OperationName": ("operationName", "OperationName", "activityDisplayName"),
        "properties.message": ("properties.message", "operationName", "OperationName", "activityDisplayName"),
        "Category": ("category", "Category"),
        "ResultType": ("resultType", "ResultType", "status.errorCode", "properties.status.errorCode"),
        "Status": ("status", "Status", "result", "properties.result"),
    },
    "azure_activity": {
        "properties.message": ("properties.message", "operationName", "operationName.value", "OperationNameValue")
    },
    "gcp_audit": {"gcp.audit.method_name": ("protoPayload.methodName",)},
    "google_workspace": {
        "eventName": ("events.name", "protoPayload.metadata.event.eventName"),
        "eventService": ("protoPayload.serviceName",),
        "new_value": ("events.parameters.value", "protoPayload.metadata.event.parameter.value"),
    },
    "microsoft365_audit": {"eventName": ("Operation",), "eventSource": ("Workload",), "status": ("ResultStatus",)},
}


_PRODUCTS: Final = {service: product for product, service in FORMATS if service in ("cloudtrail", "signinlogs", "auditlogs")}


def format_of(source: SigmaLogSource) -> Format:
    """Return the format that a rule's logsource means.

    Raises:
        RuleRefusedError: no format of ours reads those logs.
    """
    found = FORMATS.get((source.product or _PRODUCTS.get(source.service or "", ""), source.service or ""))
    if found is None or source.category:
        told = ", ".join(
            f"{name} {value}"
            for name, value in (("product", source.product), ("category", source.category), ("service", source.service))
            if value
        )
        raise RuleRefusedError(Reason.NO_FORMAT, told or "any logs")
    return found


def places_of(found: Format, name: str) -> tuple[str, ...]:
    """Return where a field may stand in a format's records: paths with dots, the first that is told counts."""
    stem = (name.removeprefix("data."),) if name.startswith("data.protoPayload.") else ()
    named = ALSO.get(found.source, {}).get(name, ())
    return tuple(dict.fromkeys((*named, *stem, *(place.format(name) for place in found.places))))
