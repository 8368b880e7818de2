"""What the names of CloudTrail events mean: those that matter one by one, all others by the verb they begin with."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from streams.sources.shared.meanings import (
    BY_VERB,
    DELETE,
    EXPORT,
    IMPORT,
    LOGIN,
    LOGOUT,
    NAMES_MAX,
    OTHER,
    READ,
    RIGHTS,
    SEARCH,
    SHARE,
    UPDATE,
    by_pattern,
    patterns,
)

_LOGINS: Final = (
    *("ConsoleLogin", "SwitchRole", "UserAuthentication", "Authenticate", "Federate", "AssumeRole", "AssumeRoleWithSAML"),
    *("AssumeRoleWithWebIdentity", "AssumeRoot", "GetFederationToken", "GetSessionToken", "CreateToken", "CreateTokenWithIAM"),
)
# Where the verb would mislead.
_BY_NAME: Final = {
    **dict.fromkeys(_LOGINS, LOGIN),
    **dict.fromkeys(("ExitRole", "Logout", "SignOut"), LOGOUT),
    **dict.fromkeys(("CheckMfa", "CredentialChallenge", "CredentialVerification", "RenewRole"), OTHER),
    **dict.fromkeys(("UploadPart", "CreateMultipartUpload", "AbortMultipartUpload"), OTHER),  # CompleteMultipartUpload creates
    **dict.fromkeys(("ListObjects", "ListObjectsV2", "ListObjectVersions", "ExecuteStatement", "SelectObjectContent"), SEARCH),
    **dict.fromkeys(("PutBucketWebsite", "PutBucketCors", "PutBucketOwnershipControls", "PutBucketReplication"), RIGHTS),
    **dict.fromkeys(("PutEventSelectors", "PutInsightSelectors", "UpdateTrail"), RIGHTS),
    **dict.fromkeys(("ModifyDBSnapshotAttribute", "ModifyDBClusterSnapshotAttribute"), SHARE),
    **dict.fromkeys(("ModifySnapshotAttribute", "ModifyImageAttribute", "ModifyFpgaImageAttribute"), SHARE),
    **dict.fromkeys(("ShareDirectory", "CreateResourceShare", "AssociateResourceShare", "AuthorizeSnapshotAccess"), SHARE),
    **dict.fromkeys(
        ("DownloadDBLogFilePortion", "DownloadCompleteDBLogFile", "GetQueryResultsStream", "StartFHIRExportJob"), EXPORT
    ),
    **dict.fromkeys(("CreateInstanceExportTask", "CreateStoreImageTask", "CreateExportTask", "UnloadTable"), EXPORT),
    **dict.fromkeys(("StartQueryExecution", "StartQuery", "BatchExecuteStatement"), SEARCH),
    **dict.fromkeys(("ScheduleKeyDeletion", "StartSecretVersionDelete", "EndSecretVersionDelete"), DELETE),
    **dict.fromkeys(("TransactWriteItems", "BatchWriteItem"), UPDATE),
    "TransactGetItems": READ,
}

_LOOKS: Final = r"(?:Get|List|Describe|Head|BatchGet|Cancel|Simulate|Generate|Check|Test|Validate|Preview)"
_BY_PATTERN: Final = patterns(
    (rf"(?!{_LOOKS}).*Export", EXPORT),
    (rf"(?!{_LOOKS}).*Import", IMPORT),
    # Whoever holds a key, a password or a certificate has the right.
    (
        rf"(?!{_LOOKS}).*(?:Policy|Policies|Permission|Acl$|PublicAccessBlock|PermissionsBoundary|UserToGroup|UserFromGroup)",
        RIGHTS,
    ),
    (
        rf"(?!{_LOOKS}).*(?:AccessKey|LoginProfile|MFADevice|SSHPublicKey|SigningCertificate|ServiceSpecificCredential)",
        RIGHTS,
    ),
    (
        rf"(?!{_LOOKS}).*(?:SAMLProvider|OpenIDConnectProvider|GroupMembership|AccountAssignment|PermissionSet|SecurityGroup)",
        RIGHTS,
    ),
    (r"(?:Create|Retire|Revoke)Grant", RIGHTS),
    (r"Put(?:Bucket|Object(?:Tagging|Retention|Legal|Lock))", UPDATE),
)
_verb: Final = re.compile(r"(?:Batch|Bulk|Transact)?([A-Z][a-z]+)").match


@lru_cache(maxsize=NAMES_MAX)
def action_of(name: str) -> str:
    """Return what an event's name means; `other` when neither it nor its verb is known."""
    if name in _BY_NAME:
        return _BY_NAME[name]
    if known := by_pattern(_BY_PATTERN, name):
        return known
    verb = _verb(name)
    return BY_VERB.get(verb[1].lower(), OTHER) if verb else OTHER
