"""What the operations of the unified audit log mean (Microsoft, "Audit log activities"), by name, else by their words."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from sentinel.core.event import TEXT_MAX
from streams.sources.microsoft.directory import activity
from streams.sources.shared.meanings import (
    CREATE,
    DELETE,
    ELSEWHERE,
    EMAIL,
    EXECUTE,
    EXPORT,
    IMPORT,
    LINK,
    LOGIN,
    LOGIN_FAILED,
    LOGOUT,
    NAMES_MAX,
    OTHER,
    PAPER,
    PRINT,
    READ,
    REMOVABLE,
    RIGHTS,
    SEARCH,
    SHARE,
    UPDATE,
    by_pattern,
    each,
    patterns,
)


class Meaning(NamedTuple):
    """What an operation did, and where data went to."""

    action: str
    destination: str = ""


OPERATIONS: Final[dict[str, Meaning]] = {
    **each(
        Meaning(LOGIN), "UserLoggedIn MailboxLogin TeamsSessionStarted ForeignRealmIndexLogonInitialAuthUsingADFSFederatedToken"
    ),
    **each(Meaning(LOGIN_FAILED), "UserLoginFailed"),
    **each(Meaning(LOGOUT), "UserLoggedOut UserSignedOut"),
    # Files: what is taken to another machine is an export, what is looked at is not
    **each(Meaning(EXPORT), "FileDownloaded FileSyncDownloadedFull FileSyncDownloadedPartial FileDownloadedFromBrowser"),
    **each(Meaning(READ), "FileAccessed FileAccessedExtended FilePreviewed PageViewed PageViewedExtended ClientViewSignaled"),
    **each(
        Meaning(CREATE), "FileUploaded FileUploadedPartial FileSyncUploadedFull FileSyncUploadedPartial FileCopied FolderCopied"
    ),
    **each(Meaning(UPDATE), "FileCheckedIn FileCheckedOut FileRestored FolderRestored FileCheckOutDiscarded"),
    **each(Meaning(DELETE), "FileRecycled FolderRecycled FileVersionsAllDeleted FileVersionsAllRecycled FileVersionRecycled"),
    # Sharing
    **each(Meaning(SHARE, LINK), "AnonymousLinkCreated AnonymousLinkUpdated CompanyLinkCreated CompanyLinkUpdated"),
    **each(Meaning(READ, LINK), "AnonymousLinkUsed CompanyLinkUsed SecureLinkUsed"),
    **each(
        Meaning(SHARE),
        "SharingSet SecureLinkCreated SecureLinkUpdated AddedToSecureLink SharingInvitationUpdated AddedToSharingLink",
    ),
    **each(Meaning(SHARE), "SharingLinkCreated SharingLinkUpdated"),
    **each(Meaning(READ), "SharingLinkUsed SharingInvitationAccepted"),
    **each(Meaning(SHARE, EMAIL), "SharingInvitationCreated"),
    **each(Meaning(RIGHTS), "SharingRevoked AnonymousLinkRemoved CompanyLinkRemoved SecureLinkDeleted RemovedFromSecureLink"),
    **each(Meaning(RIGHTS), "SharingLinkDeleted RemovedFromSharingLink SharingInvitationRevoked SharingInvitationBlocked"),
    **each(Meaning(RIGHTS), "SharingInheritanceBroken SharingInheritanceReset SharingPolicyChanged WebMembersCanShareModified"),
    **each(Meaning(RIGHTS), "AddedToGroup RemovedFromGroup GroupAdded GroupRemoved GroupUpdated SiteCollectionAdminAdded"),
    **each(
        Meaning(RIGHTS), "SiteCollectionAdminRemoved SitePermissionsModified DeviceAccessPolicyChanged NetworkAccessPolicyChanged"
    ),
    **each(Meaning(RIGHTS), "MemberAdded MemberRemoved MemberRoleChanged AccessRequestApproved AccessRequestDenied"),
    # Mail
    **each(Meaning(READ), "MailItemsAccessed MessageBind FolderBind AttachmentAccess"),
    **each(Meaning(SHARE, EMAIL), "Send SendAs SendOnBehalf"),
    **each(Meaning(DELETE), "HardDelete SoftDelete MoveToDeletedItems RecordDelete"),
    **each(Meaning(UPDATE), "Update Move Copy ApplyRecordLabel UpdateInboxRules"),
    **each(Meaning(CREATE), "Create"),
    **each(Meaning(RIGHTS), "AddFolderPermissions ModifyFolderPermissions RemoveFolderPermissions UpdateFolderPermissions"),
    **each(
        Meaning(RIGHTS), "UpdateCalendarDelegation UpdateComplianceTag Set-MailboxAuditBypassAssociation Set-AdminAuditLogConfig"
    ),
    **each(Meaning(RIGHTS), "Add-MailboxPermission Remove-MailboxPermission Set-MailboxFolderPermission"),
    # Searches of the whole tenant, and what is made of them
    **each(
        Meaning(SEARCH),
        "SearchQueryPerformed SearchQueryInitiatedSharePoint SearchQueryInitiatedExchange SearchCreated SearchStarted",
    ),
    **each(Meaning(SEARCH), "New-ComplianceSearch Start-ComplianceSearch SearchMailbox Search-Mailbox SearchPreviewed"),
    **each(
        Meaning(EXPORT),
        "New-ComplianceSearchAction SearchExported SearchExportDownloaded SearchResultExported New-MailboxExportRequest",
    ),
    **each(Meaning(IMPORT), "New-MailboxImportRequest"),
    # What leaves a managed machine
    **each(Meaning(EXPORT, REMOVABLE), "FileCopiedToRemovableMedia FileCreatedOnRemovableMedia FileTransferredByBluetooth"),
    **each(Meaning(EXPORT, ELSEWHERE), "FileUploadedToCloud FileCopiedToRemoteDesktopSession FileCopiedToNetworkShare"),
    **each(Meaning(EXPORT, ELSEWHERE), "FileAccessedByUnallowedApp FileCopiedToClipboard"),
    **each(Meaning(PRINT, PAPER), "FilePrinted PrintReport"),
    # Reports
    **each(Meaning(SHARE, LINK), "PublishToWebReport"),
    **each(Meaning(READ), "ViewReport ViewDashboard ViewTile ViewForm ViewedResponses"),
}

# Cmdlets: `Verb-Noun`
_CMDLET_RIGHTS: Final = re.compile(
    r"[A-Z][a-z]+-\w*(?:Permission|RoleGroup|RoleAssignment|ManagementRole|Delegat|Policy)", re.ASCII
)
_CMDLETS: Final = {
    **dict.fromkeys(("New", "Add", "Install", "Enable", "Restore"), CREATE),
    **dict.fromkeys(("Set", "Update", "Disable", "Undo", "Complete"), UPDATE),
    **dict.fromkeys(("Remove", "Uninstall", "Clear"), DELETE),
    **dict.fromkeys(("Get", "Test", "Validate"), READ),
    "Search": SEARCH,
    "Export": EXPORT,
    "Import": IMPORT,
    **dict.fromkeys(("Start", "Stop", "Suspend", "Resume", "Invoke"), EXECUTE),
}
# Names in one word: how they end, else how they begin.
_WORDS: Final = patterns(
    (r"\w*(?:Exported|Downloaded)(?:$|[A-Z])|Export|Download", EXPORT),
    (r"\w*Printed$|Print[A-Z]", PRINT),
    (r"\w*(?:Permission|Role|Rights)\w*(?:Added|Removed|Changed|Modified|Created|Deleted|Updated)$", RIGHTS),
    (r"\w*Shared$|Share[A-Z]", SHARE),
    (r"\w*(?:Viewed|Accessed|Previewed|Opened|Listened|Read)(?:Extended)?$|View[A-Z]|Get[A-Z]", READ),
    (r"\w*(?:Searched|Queried)$|(?:Search|Aggregate|Query)[A-Z]", SEARCH),
    (r"\w*(?:Deleted|Removed|Recycled|Purged)(?:$|[A-Z])|(?:Delete|Remove)[A-Z]", DELETE),
    (r"\w*(?:Created|Added|Uploaded|Copied|Installed|Sent)$|(?:Create|Add|New)[A-Z]", CREATE),
    (
        r"\w*(?:Updated|Modified|Changed|Renamed|Moved|Restored|Edited|Set)(?:Extended)?$|(?:Update|Edit|Set|Change)[A-Z]",
        UPDATE,
    ),
    (r"Validate[a-z]*AccessCheck$", OTHER),
)


def meaning_of(operation: str) -> Meaning:
    """Return what an operation did and where data went; `other` when neither its name nor its words are known."""
    return _meaning(operation.strip()[:TEXT_MAX])


@lru_cache(maxsize=NAMES_MAX)
def _meaning(operation: str) -> Meaning:
    if operation in OPERATIONS:
        return OPERATIONS[operation]
    if " " in operation or operation.endswith("."):  # the directory's activities are sentences
        return Meaning(activity(operation))
    verb, dash, _ = operation.partition("-")
    if dash:
        return Meaning(RIGHTS if _CMDLET_RIGHTS.match(operation) and verb not in ("Get", "Test") else _CMDLETS.get(verb, OTHER))
    return Meaning(by_pattern(_WORDS, operation, OTHER))
