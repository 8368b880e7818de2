"""What the codes of an AuditEvent mean to Sentinel: DICOM PS3.16, HL7 and IHE code systems as plain tables.

Codes are looked up without their system: senders leave it out or write it in three ways, and
no two of the tables' systems give one code two meanings.
"""

from __future__ import annotations

import re
from typing import Final

from sentinel.core.event import Action, Destination, Outcome

IMPORT_EVENT: Final = "110107"
_DICOM: Final = {  # PS3.15 A.5, PS3.16 CID 400 and 401
    "110105": Action.DELETE,  # DICOM Study Deleted
    "110106": Action.EXPORT,
    IMPORT_EVENT: Action.IMPORT,
    "110112": Action.SEARCH,  # Query
    "110113": Action.OTHER,  # Security Alert, unless the subtype tells more
    "110114": Action.LOGIN,  # User Authentication, unless the subtype tells more
    "110120": Action.EXECUTE,  # Application Start
    "110121": Action.EXECUTE,  # Application Stop
    "110122": Action.LOGIN,
    "110123": Action.LOGOUT,
    "110124": Action.EXECUTE,  # Attach
    "110125": Action.EXECUTE,  # Detach
    "110126": Action.LOGIN,  # Node Authentication
    "110127": Action.BREAK_GLASS,  # Emergency Override Started
    "110128": Action.UPDATE,  # Network Configuration
    "110129": Action.PERMISSION_CHANGE,  # Security Configuration
    "110130": Action.UPDATE,  # Hardware Configuration
    "110131": Action.UPDATE,  # Software Configuration
    "110132": Action.EXECUTE,  # Use of Restricted Function
    "110133": Action.EXECUTE,  # Audit Recording Stopped
    "110134": Action.EXECUTE,  # Audit Recording Started
    "110135": Action.PERMISSION_CHANGE,  # Object Security Attributes Changed
    "110136": Action.PERMISSION_CHANGE,  # Security Roles Changed
    "110137": Action.PERMISSION_CHANGE,  # User Security Attributes Changed
    "110138": Action.OTHER,  # Emergency Override Stopped
    "110139": Action.EXECUTE,  # Remote Service Operation Started
    "110140": Action.EXECUTE,  # Remote Service Operation Stopped
    "110141": Action.EXECUTE,  # Local Service Operation Started
    "110142": Action.EXECUTE,  # Local Service Operation Stopped
    "110143": Action.LOGIN,  # Authentication Decision
    "110145": Action.LOGIN,  # Session start
    "110146": Action.LOGOUT,  # Session stop
}
_RESTFUL: Final = {  # http://hl7.org/fhir/restful-interaction; operation, batch, transaction: the letter tells
    "read": Action.READ,
    "vread": Action.READ,
    "history": Action.READ,
    "history-instance": Action.READ,
    "history-type": Action.READ,
    "history-system": Action.READ,
    "search": Action.SEARCH,
    "search-type": Action.SEARCH,
    "search-system": Action.SEARCH,
    "search-compartment": Action.SEARCH,
    "create": Action.CREATE,
    "create-conditional": Action.CREATE,
    "update": Action.UPDATE,
    "update-conditional": Action.UPDATE,
    "patch": Action.UPDATE,
    "patch-conditional": Action.UPDATE,
    "delete": Action.DELETE,
    "delete-conditional-single": Action.DELETE,
    "delete-conditional-multiple": Action.DELETE,
    "delete-history": Action.DELETE,
    "delete-history-version": Action.DELETE,
}
_ISO_21089: Final = {  # http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle
    "access": Action.READ,
    "amend": Action.UPDATE,
    "destroy": Action.DELETE,
    "disclose": Action.SHARE,
    "extract": Action.EXPORT,
    "merge": Action.UPDATE,
    "originate": Action.CREATE,
    "receive": Action.IMPORT,
    "restore": Action.UPDATE,
    "transform": Action.UPDATE,
    "transmit": Action.EXPORT,
    "unmerge": Action.UPDATE,
}
# IHE transactions that read: both ends audit them, one as Export and the other as Import of the same
# document, so the transaction tells more than the event type. Those that write are told by type and letter.
_SEARCHING: Final = (9, 18, 21, 22, 38, 45, 47, 51, 55, 56, 58, 66, 67, 78, 81, 83, 90, 119)
_READING: Final = (11, 12, 16, 39, 43, 63, 68)
_RADIOLOGY_SEARCHING: Final = (14, 129)
_RADIOLOGY_READING: Final = (16, 55, 69, 75, 107)
_IHE: Final = {
    **{f"RAD-{number}": Action.SEARCH for number in _RADIOLOGY_SEARCHING},
    **{f"RAD-{number}": Action.READ for number in _RADIOLOGY_READING},
    "PCC-1": Action.SEARCH,  # Query Existing Data
    "PHARM-1": Action.SEARCH,  # Query Pharmacy Documents
    **{f"ITI-{number}": Action.SEARCH for number in _SEARCHING},
    **{f"ITI-{number}": Action.READ for number in _READING},
    "ITI-32": Action.EXPORT,  # Distribute Document Set on Media
    "ITI-57": Action.UPDATE,  # Update Document Set
    "ITI-62": Action.DELETE,  # Remove Metadata
    "ITI-86": Action.DELETE,  # Remove Documents
    "ITI-92": Action.UPDATE,  # Restricted Update Document Set
}
# Swiss EPR audit trail consumption (2.16.756.5.30.1.127.3.10.7), taken over in Czechia: every event is of type Export.
_DOSSIER: Final = {
    "ATC_DOC_CREATE": Action.CREATE,
    "ATC_DOC_READ": Action.READ,
    "ATC_DOC_UPDATE": Action.UPDATE,
    "ATC_DOC_DELETE": Action.DELETE,
    "ATC_DOC_SEARCH": Action.SEARCH,
    "ATC_LOG_READ": Action.READ,
    "ATC_HPD_GROUP_ENTRY_NOTIFY": Action.PERMISSION_CHANGE,  # who enters the group sees what it sees
    "ATC_POL_CREATE_AUT_PART_AL": Action.PERMISSION_CHANGE,
    "ATC_POL_UPDATE_AUT_PART_AL": Action.PERMISSION_CHANGE,
    "ATC_POL_REMOVE_AUT_PART_AL": Action.PERMISSION_CHANGE,
    "ATC_POL_DEF_CONFLEVEL": Action.PERMISSION_CHANGE,
    "ATC_POL_DIS_EMER_USE": Action.PERMISSION_CHANGE,
    "ATC_POL_ENA_EMER_USE": Action.PERMISSION_CHANGE,
    "ATC_POL_INCL_BLACKLIST": Action.PERMISSION_CHANGE,
    "ATC_POL_EXL_BLACKLIST": Action.PERMISSION_CHANGE,
}
# What says more than anything that stands beside it, such as the `create` that carried it out.
TELLING_ACTIONS: Final = {
    **{code: str(action) for code, action in _DOSSIER.items()},
    **{code: str(action) for code, action in _DICOM.items() if action in (Action.BREAK_GLASS, Action.PERMISSION_CHANGE)},
}
ACTIONS: Final = {code: str(action) for code, action in {**_DICOM, **_RESTFUL, **_ISO_21089, **_IHE}.items()}

_DICOM_LIFECYCLE: Final = {  # http://terminology.hl7.org/CodeSystem/dicom-audit-lifecycle
    "1": Action.CREATE,
    "2": Action.IMPORT,
    "3": Action.UPDATE,
    "6": Action.READ,
    "10": Action.EXPORT,
    "11": Action.SHARE,  # Disclosure
    "12": Action.IMPORT,  # Receipt of Disclosure
    "14": Action.DELETE,
    "15": Action.DELETE,
}
LIFECYCLES: Final = {code: str(action) for code, action in {**_DICOM_LIFECYCLE, **_ISO_21089}.items()}
LETTERS: Final = {
    letter: str(action)
    for letter, action in {"C": Action.CREATE, "R": Action.READ, "U": Action.UPDATE, "D": Action.DELETE}.items()
}

OUTCOMES: Final = {
    code: str(outcome)
    for code, outcome in {
        "0": Outcome.SUCCESS,
        "4": Outcome.MINOR_FAILURE,
        "8": Outcome.SERIOUS_FAILURE,
        "12": Outcome.MAJOR_FAILURE,
        "success": Outcome.SUCCESS,  # R5: http://hl7.org/fhir/issue-severity
        "information": Outcome.SUCCESS,
        "warning": Outcome.MINOR_FAILURE,
        "error": Outcome.SERIOUS_FAILURE,
        "fatal": Outcome.MAJOR_FAILURE,
    }.items()
}

_REMOVABLE: Final = ("110030", "110032", "110033", "110034", "110035", "110036")
MEDIA: Final = {  # PS3.16 CID 405
    **dict.fromkeys(_REMOVABLE, str(Destination.REMOVABLE)),
    "110010": str(Destination.PAPER),  # Film
    "110031": str(Destination.EMAIL),
    "110037": str(Destination.LINK),  # URI
    "110038": str(Destination.PAPER),
}

SOURCE_END: Final = "110153"
DESTINATION_END: Final = "110152"
SOURCE_MEDIUM: Final = "110155"  # what data came from
EXCHANGE_ENDS: Final = frozenset({SOURCE_END, DESTINATION_END})
# What is never a person: applications, media, servers.
MACHINES: Final = frozenset(
    {"110150", "110151", "110154", SOURCE_MEDIUM, "dataprocessor", "datacollector", "authserver", "custodian", "TCU"}
)
ORGANISATIONS: Final = frozenset({"PROVORG", "ORG", "SDLOC", "GRP"})
DELEGATOR: Final = "DELEGATOR"  # the patient who lets somebody else act
# The patient, and whoever acts for them: v3-RoleClass, v3-RoleCode, the Swiss EPR's roles.
PATIENTS: Final = frozenset(
    {
        "PAT",
        "CAREGIVER",
        "GUARD",
        "DELEGATEE",
        "POWATT",
        "HPOWATT",
        "DPOWATT",
        "SPOWATT",
        "PATADV",
        "REP",
        "datasubject",
        DELEGATOR,
    }
)
# IHE BALP: a person known by a token alone, whose id (SAML assertion, JWT `jti`) is the agent's policy.
TOKEN_AGENTS: Final = frozenset({"UserSamlAgent", "UserOauthAgent"})
PARTICIPATIONS: Final = TOKEN_AGENTS | {"IRCP", "INF", "AUT", "ENT", "LA", "PRF", "PPRF", "SPRF", "RESP", "VRF", "humanuser"}
# How somebody took part, which is not a role that people have at work.
NOT_ROLES: Final = EXCHANGE_ENDS | MACHINES | PARTICIPATIONS | {"CST"}
PERSONS: Final = PARTICIPATIONS | PATIENTS | {"PROV", "AGNT", "ASSIGNED", "HCP", "ASS", "DADM", "PADM"}

STAFF_RESOURCES: Final = frozenset({"Practitioner", "PractitionerRole"})
PATIENT_RESOURCES: Final = frozenset({"Patient", "RelatedPerson"})
PERSON_RESOURCES: Final = STAFF_RESOURCES | PATIENT_RESOURCES | {"Person"}
MACHINE_RESOURCES: Final = frozenset({"Device", "Endpoint"})
ORGANISATION_RESOURCES: Final = frozenset({"Organization", "HealthcareService", "CareTeam", "Location"})

ORGANISATION_SYSTEM: Final = re.compile(r"organi[sz]ation|finess|1\.2\.250\.1\.71\.4\.2\.2$", re.IGNORECASE)
PATIENT_SYSTEMS: Final = frozenset(
    {
        "urn:oid:1.2.250.1.213.1.4.8",  # INS-NIR
        "urn:oid:1.2.250.1.213.1.4.9",  # INS-NIA
        "https://fhir.nhs.uk/Id/nhs-number",
        "https://standards.digital.health.nz/ns/nhi-id",
    }
)
RPPS_SYSTEMS: Final = frozenset(
    {"urn:oid:1.2.250.1.71.4.2.1", "1.2.250.1.71.4.2.1", "https://rpps.esante.gouv.fr", "http://rpps.fr"}
)

# How protecting a security label is: very restricted, restricted, any sensitivity, then what is ordinary.
LABEL_RANKS: Final = {"V": 6, "R": 5, "N": 3, "M": 2, "L": 1, "U": 0}  # v3-Confidentiality
LABEL_RANK_OTHER: Final = 4
EMERGENCY_PURPOSES: Final = frozenset({"BTG", "ETREAT", "EMER"})  # v3-ActReason; the Swiss EPR's purposes of use
SESSION_TYPES: Final = frozenset({"sessionid", "session"})
REQUEST_TYPES: Final = SESSION_TYPES | {"xrequestid", "traceparent", "correlationid", "requestid"}
COUNT_TYPES: Final = frozenset(
    {
        "count",
        "total",
        "numberofinstances",
        "numberofrecords",
        "numberofresources",
        "recordcount",
        "resourcecount",
        "resultcount",
        "rowcount",
    }
)
