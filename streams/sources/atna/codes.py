"""What codes of audit messages mean that FHIR's AuditEvent says otherwise: kinds of users and of objects."""

from __future__ import annotations

from typing import Final

# PS3.15 A.5.3 leaves these events one letter only, and some senders leave it out.
FIXED_LETTERS: Final = {
    "110100": "E",  # Application Activity
    "110101": "R",  # Audit Log Used
    "110102": "E",  # Begin Transferring DICOM Instances
    "110103": "R",  # DICOM Instances Accessed: read at least
    "110108": "E",  # Network Entry
}
# The kind of FHIR resource that a user id names, by UserIDTypeCode (DCM, RFC 3881, dcm4chee), then by dcm4chee's UserTypeCode.
USERS: Final = {
    "113871": "Person",  # Person ID
    "113877": "Device",  # Device Name
    "110119": "Device",  # Station AE Title
    "110182": "Device",  # Node ID
    "12": "Device",  # URI
    "HL7APP": "Device",  # Application and Facility
}
USERS_BY_TYPE: Final = {"1": "Person", "2": "Device"}
DESTINATION_MEDIUM: Final = "110154"
# ParticipantObjectIDTypeCode: PS3.16 CID 404, RFC 3881, classifications of XDS.
RESOURCES: Final = {
    "110180": "ImagingStudy",  # Study Instance UID
    "110181": "ImagingStudy",  # SOP Class UID
    "3": "Encounter",  # Encounter Number
    "6": "Account",  # Account Number
    "8": "DocumentReference",  # Report Name
    "9": "DocumentReference",  # Report Number
    "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1": "DocumentReference",  # XDSDocumentEntry
    "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248": "DocumentReference",  # the same, on demand
    "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd": "List",  # XDSSubmissionSet
    "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2": "List",  # XDSFolder
}
UNKNOWN_USERS: Final = frozenset({"", "unknown", "<none>"})  # IPF's and dcm4chee's words for nobody
UNKNOWN_PATIENTS: Final = frozenset({"", "<none>"})
