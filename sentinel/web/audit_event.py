"""An access as a FHIR R4 AuditEvent in the manner of IHE BALP, whatever system told of it.

The elements are in FHIR's order. `streams.sources.fhir_auditevent` reads the same event out of it again, but for what
FHIR does not tell apart: a failed login from a login that failed, an export from a share by mail or link and a print on paper,
a program from the machine it runs on, a patient's record from the Patient resource.
A type of resource with a blank in it is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final

from sentinel.core.event import Action, ActorType, Destination, Outcome

Resource = dict[str, Any]
Coding = dict[str, str]

VERSION: Final = "1"  # what was recorded never changes
SOURCE_ID: Final = "urn:sentinel:source-id"  # the extension that has the id the source gave

_TERMS: Final = "http://terminology.hl7.org/CodeSystem"
DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_REST: Final = {"system": f"{_TERMS}/audit-event-type", "code": "rest", "display": "RESTful Operation"}
_ABSENT: Final = {"system": f"{_TERMS}/data-absent-reason", "code": "unknown", "display": "Unknown"}


def _dicom(code: str, display: str) -> Coding:
    return {"system": DCM, "code": code, "display": display}


def _interaction(code: str) -> Coding:
    return {"system": "http://hl7.org/fhir/restful-interaction", "code": code}


def _lifecycle(code: str) -> Coding:
    return {"system": f"{_TERMS}/iso-21089-lifecycle", "code": code}


_AUTHENTICATION: Final = _dicom("110114", "User Authentication")
_ALERT: Final = _dicom("110113", "Security Alert")
_EXPORT: Final = _dicom("110106", "Export")
_IMPORT: Final = _dicom("110107", "Import")
_LOGIN: Final = _dicom("110122", "Login")

# What was done: `type`, `subtype` and `action`; the last two None where FHIR has nothing to say.
DEEDS: Final[Mapping[str, tuple[Coding, Coding | None, str | None]]] = {
    Action.LOGIN: (_AUTHENTICATION, _LOGIN, "E"),
    Action.LOGIN_FAILED: (_AUTHENTICATION, _LOGIN, "E"),
    Action.LOGOUT: (_AUTHENTICATION, _dicom("110123", "Logout"), "E"),
    Action.SEARCH: (_REST, _interaction("search"), "E"),
    Action.READ: (_REST, _interaction("read"), "R"),
    Action.CREATE: (_REST, _interaction("create"), "C"),
    Action.UPDATE: (_REST, _interaction("update"), "U"),
    Action.DELETE: (_REST, _interaction("delete"), "D"),
    Action.EXPORT: (_EXPORT, _lifecycle("extract"), "R"),
    Action.IMPORT: (_IMPORT, _lifecycle("receive"), "C"),
    Action.PRINT: (_EXPORT, _lifecycle("report"), "R"),
    Action.SHARE: (_EXPORT, _lifecycle("disclose"), "R"),
    Action.PERMISSION_CHANGE: (_ALERT, _dicom("110137", "User Security Attributes Changed"), "E"),
    Action.BREAK_GLASS: (_ALERT, _dicom("110127", "Emergency Override Started"), "E"),
    Action.EXECUTE: (_REST, _interaction("operation"), "E"),
    Action.OTHER: (_ABSENT, None, None),
}
OUTCOMES: Final[Mapping[str, str | None]] = {
    Outcome.SUCCESS: "0",
    Outcome.MINOR_FAILURE: "4",
    Outcome.SERIOUS_FAILURE: "8",
    Outcome.MAJOR_FAILURE: "12",
    Outcome.UNKNOWN: None,
}
_MEDIA: Final[Mapping[str, Coding]] = {
    Destination.REMOVABLE: _dicom("110030", "USB Disk Emulation"),
    Destination.EMAIL: _dicom("110031", "Email"),
    Destination.PAPER: _dicom("110038", "Paper Document"),
    Destination.LINK: _dicom("110037", "URI"),
    Destination.OTHER: {"system": f"{_TERMS}/v3-NullFlavor", "code": "OTH", "display": "other"},
}
_PERSON: Final = {"coding": [{"system": f"{_TERMS}/extra-security-role-type", "code": "humanuser", "display": "human user"}]}
_PROGRAM: Final = {"coding": [_dicom("110150", "Application")]}
_GOES_TO: Final = {"coding": [_dicom("110154", "Destination Media")]}
_WHOSE_ROLE: Final = {"role": {"system": f"{_TERMS}/object-role", "code": "1", "display": "Patient"}}
_WHO: Final = {"system": f"{_TERMS}/audit-entity-type", "code": "1", "display": "Person"}
_WHAT: Final = {"system": f"{_TERMS}/audit-entity-type", "code": "2", "display": "System Object"}
_WHAT_ROLE: Final = {"role": {"system": f"{_TERMS}/object-role", "code": "4", "display": "Domain Resource"}}
_SESSION: Final = {"type": {"system": "urn:sentinel:entity-type", "code": "session"}}
_EXTENSION: Final = "http://hl7.org/fhir/StructureDefinition"
_RPPS: Final = "urn:oid:1.2.250.1.71.4.2.1"
_SESSIONS: Final = frozenset({Action.LOGIN, Action.LOGIN_FAILED, Action.LOGOUT})
_PURPOSES: Final = frozenset(  # v3-PurposeOfUse, what is met of it
    {"BTG", "CAREMGT", "ETREAT", "HMARKT", "HOPERAT", "HPAYMT", "HRESCH", "HSYSADMIN", "PATRQT", "PUBHLTH", "TREAT"}
)
_CONFIDENTIALITY: Final = frozenset({"U", "L", "M", "N", "R", "V"})
_RESOURCE_TYPE: Final = re.compile(r"[A-Z][a-z][A-Za-z]{1,62}", re.ASCII)
NETWORK_NAME, NETWORK_IP = "1", "2"  # http://hl7.org/fhir/network-type


def audit_event(access: Mapping[str, Any]) -> Resource:
    """Return the R4 AuditEvent of an access as the store answers it (`sentinel.store.answers.Access`).

    Its `id` is the access's key, so that events of all sources have ids of their own; what the source called it is an extension.
    """
    kind, subtype, letter = DEEDS[access["action"]]
    purpose = access["purpose"]
    return _told(
        {
            "resourceType": "AuditEvent",
            "id": access["key"],
            "meta": {
                "versionId": VERSION,
                "lastUpdated": access["received_at"],
                "source": f"urn:sentinel:source:{access['source']}",
            },
            "extension": [{"url": SOURCE_ID, "valueString": access["id"]}],
            "type": kind,
            "subtype": [subtype] if subtype else None,
            "action": letter,
            "recorded": access["occurred_at"],
            "outcome": OUTCOMES[access["outcome"]],
            "outcomeDesc": access["reason"],
            "purposeOfEvent": [{"coding": [_coded(purpose, _PURPOSES, f"{_TERMS}/v3-ActReason")]}] if purpose else None,
            "agent": _agents(access),
            "source": _source(access),
            "entity": _entities(access),
        }
    )


def _told(elements: Resource) -> Resource:
    """Return the elements that have a value: FHIR has no empty ones."""
    return {name: value for name, value in elements.items() if value not in (None, "", [], {})}


def _coded(code: str, known: frozenset[str], system: str) -> Coding:
    return {"system": system, "code": code} if code in known else {"code": code}


def who_type(access: Mapping[str, Any]) -> str:
    """Return what kind of resource who acted would be; a patient on another's record, or on nobody's, stands in for one."""
    if access["actor_type"] == ActorType.SERVICE:
        return "Device"
    if access["actor_type"] == ActorType.HUMAN:
        return "Practitioner"
    is_own = access["actor_id"] == access["patient_id"] or access["action"] in _SESSIONS
    return "Patient" if is_own else "RelatedPerson"


def _agents(access: Mapping[str, Any]) -> list[Resource]:
    """Return who acted, the machine they sat at, and the medium that data went to."""
    agents, device = [_actor(access)], access["device"]
    if device and access["actor_type"] != ActorType.SERVICE:
        where = _network(access["client_address"] or device)
        agents.append({"type": _PROGRAM, "who": {"display": device}, "requestor": False, "network": where})
    destination = Destination.PAPER if access["action"] == Action.PRINT else access["destination"]
    if destination:
        agents.append({"type": _GOES_TO, "requestor": False, "media": _MEDIA[destination]})
    return agents


def _actor(access: Mapping[str, Any]) -> Resource:
    is_service = access["actor_type"] == ActorType.SERVICE
    who = {"type": who_type(access), "identifier": {"value": access["actor_id"]}}
    role, address = access["actor_role"], access["client_address"]
    return _told(
        {
            "extension": _more_of_actor(access),
            "type": _PROGRAM if is_service else _PERSON,
            "role": [{"text": role}] if role else None,
            "who": who | ({"display": access["device"]} if is_service and access["device"] else {}),
            "requestor": True,
            "network": _network(address) if address else None,
        }
    )


def _more_of_actor(access: Mapping[str, Any]) -> list[Resource]:
    """Return the national number and on whose behalf, for which R4 has no elements (R5's, as extensions)."""
    found: list[Resource] = []
    if access["actor_rpps"]:
        number = {"system": _RPPS, "value": access["actor_rpps"]}
        found.append({"url": f"{_EXTENSION}/auditevent-AlternativeUserID", "valueIdentifier": number})
    if access["actor_unit"]:
        unit = {"type": "Organization", "identifier": {"value": access["actor_unit"]}}
        found.append({"url": f"{_EXTENSION}/auditevent-OnBehalfOf", "valueReference": unit})
    return found


def _network(address: str) -> Resource:
    try:
        ip_address(address)
    except ValueError:
        return {"address": address, "type": NETWORK_NAME}
    return {"address": address, "type": NETWORK_IP}


def _source(access: Mapping[str, Any]) -> Resource:
    application = access["application"]
    unknown = {"extension": [{"url": f"{_EXTENSION}/data-absent-reason", "valueCode": "unknown"}], "type": "Device"}
    observer = {"type": "Device", "identifier": {"value": application}, "display": application} if application else unknown
    return _told({"site": access["site"], "observer": observer})


def _entities(access: Mapping[str, Any]) -> list[Resource]:
    """Return the patient, what was touched of the record, and the session; a label and a count go with what was touched."""
    found: list[Resource] = []
    if access["patient_id"]:
        found.append({"what": {"type": "Patient", "identifier": {"value": access["patient_id"]}}, "type": _WHO, **_WHOSE_ROLE})
    if resource := _resource(access):
        found.append(resource)
    if marks := _marks(access):
        found = found or [{"type": _WHAT, **_WHAT_ROLE}]
        found[-1] |= marks
    if access["session"]:
        found.append({"what": {"identifier": {"value": access["session"]}}, **_SESSION})
    return found


def _resource(access: Mapping[str, Any]) -> Resource:
    """Return what was touched; nothing when it is the patient, under another id a person: there is one patient in an event."""
    kind, id_, patient = access["resource_type"], access["resource_id"], access["patient_id"]
    identifier = {"identifier": {"value": id_}} if id_ else {}
    if not (kind or id_) or (patient and kind == "Patient" and id_ in ("", patient)):
        return {}
    if patient and kind == "Patient":
        return {"what": identifier, "type": _WHO, **_WHAT_ROLE}
    is_fhir = _RESOURCE_TYPE.fullmatch(kind) is not None
    coding = {"system": "http://hl7.org/fhir/resource-types", "code": kind} if is_fhir else _WHAT
    what = ({"type": kind} if kind and not re.search(r"\s", kind) else {}) | identifier
    return _told({"what": what, "type": coding, **_WHAT_ROLE})


def _marks(access: Mapping[str, Any]) -> Resource:
    label, count = access["resource_sensitivity"], access["resource_count"]
    marks: Resource = {}
    if label:
        marks["securityLabel"] = [_coded(label, _CONFIDENTIALITY, f"{_TERMS}/v3-Confidentiality")]
    if count != 1:
        marks["detail"] = [{"type": "number-of-records", "valueString": str(count)}]
    return marks
