"""What the operations of the unified audit log mean (Microsoft, "Audit log activities"), by name, else by their words."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from sentinel.core.event import TEXT_MAX, Action, Destination
from streams.sources.microsoft.directory import activity

NAMES_MAX: Final = 16_384

LOGIN: Final = Action.LOGIN.value
LOGIN_FAILED: Final = Action.LOGIN_FAILED.value
LOGOUT: Final = Action.LOGOUT.value
SEARCH: Final = Action.SEARCH.value
READ: Final = Action.READ.value
CREATE: Final = Action.CREATE.value
UPDATE: Final = Action.UPDATE.value
DELETE: Final = Action.DELETE.value
EXPORT: Final = Action.EXPORT.value
IMPORT: Final = Action.IMPORT.value
PRINT: Final = Action.PRINT.value
SHARE: Final = Action.SHARE.value
RIGHTS: Final = Action.PERMISSION_CHANGE.value
EXECUTE: Final = Action.EXECUTE.value
OTHER: Final = Action.OTHER.value

LINK: Final = Destination.LINK.value
EMAIL: Final = Destination.EMAIL.value
REMOVABLE: Final = Destination.REMOVABLE.value
PAPER: Final = Destination.PAPER.value
ELSEWHERE: Final = Destination.OTHER.value


class Meaning(NamedTuple):
    """What an operation did, and where data went to."""

    action: str
    destination: str = ""


def _each(meaning: Meaning, names: str) -> dict[str, Meaning]:
    return dict.fromkeys(names.split(), meaning)


OPERATIONS: Final[dict[str, Meaning]] = {
    **_each(
        Meaning(LOGIN), "UserLoggedIn MailboxLogin TeamsSessionStarted ForeignRealmIndexLogonInitialAuthUsingADFSFederatedToken"
    ),
    **_each(Meaning(LOGIN_FAILED), "UserLoginFailed"),
    **_each(Meaning(LOGOUT), "UserLoggedOut UserSignedOut"),
    # Files: what is taken to another machine is an export, what is looked at is not
    **_each(Meaning(EXPORT), "FileDownloaded FileSyncDownloadedFull FileSyncDownloadedPartial FileDownloadedFromBrowser"),
    **_each(Meaning(READ), "FileAccessed FileAccessedExtended FilePreviewed PageViewed PageViewedExtended ClientViewSignaled"),
    **_each(
        Meaning(CREATE), "FileUploaded FileUploadedPartial FileSyncUploadedFull FileSyncUploadedPartial FileCopied FolderCopied"
    ),
    **_each(Meaning(UPDATE), "FileCheckedIn FileCheckedOut FileRestored FolderRestored FileCheckOutDiscarded"),
    **_each(Meaning(DELETE), "FileRecycled FolderRecycled FileVersionsAllDeleted FileVersionsAllRecycled FileVersionRecycled"),
    # Sharing
    **_each(Meaning(SHARE, LINK), "AnonymousLinkCreated AnonymousLinkUpdated CompanyLinkCreated CompanyLinkUpdated"),
    **_each(Meaning(READ, LINK), "AnonymousLinkUsed CompanyLinkUsed SecureLinkUsed"),
    **_each(
        Meaning(SHARE),
        "SharingSet SecureLinkCreated SecureLinkUpdated AddedToSecureLink SharingInvitationUpdated AddedToSharingLink",
    ),
    **_each(Meaning(SHARE), "SharingLinkCreated SharingLinkUpdated"),
    **_each(Meaning(READ), "SharingLinkUsed SharingInvitationAccepted"),
    **_each(Meaning(SHARE, EMAIL), "SharingInvitationCreated"),
    **_each(Meaning(RIGHTS), "SharingRevoked AnonymousLinkRemoved CompanyLinkRemoved SecureLinkDeleted RemovedFromSecureLink"),
    **_each(Meaning(RIGHTS), "SharingLinkDeleted RemovedFromSharingLink SharingInvitationRevoked SharingInvitationBlocked"),
    **_each(Meaning(RIGHTS), "SharingInheritanceBroken SharingInheritanceReset SharingPolicyChanged WebMembersCanShareModified"),
    **_each(Meaning(RIGHTS), "AddedToGroup RemovedFromGroup GroupAdded GroupRemoved GroupUpdated SiteCollectionAdminAdded"),
    **_each(
        Meaning(RIGHTS), "SiteCollectionAdminRemoved SitePermissionsModified DeviceAccessPolicyChanged NetworkAccessPolicyChanged"
    ),
    **_each(Meaning(RIGHTS), "MemberAdded MemberRemoved MemberRoleChanged AccessRequestApproved AccessRequestDenied"),
    # Mail
    **_each(Meaning(READ), "MailItemsAccessed MessageBind FolderBind AttachmentAccess"),
    **_each(Meaning(SHARE, EMAIL), "Send SendAs SendOnBehalf"),
    **_each(Meaning(DELETE), "HardDelete SoftDelete MoveToDeletedItems RecordDelete"),
    **_each(Meaning(UPDATE), "Update Move Copy ApplyRecordLabel UpdateInboxRules"),
    **_each(Meaning(CREATE), "Create"),
    **_each(Meaning(RIGHTS), "AddFolderPermissions ModifyFolderPermissions RemoveFolderPermissions UpdateFolderPermissions"),
    **_each(
        Meaning(RIGHTS), "UpdateCalendarDelegation UpdateComplianceTag Set-MailboxAuditBypassAssociation Set-AdminAuditLogConfig"
    ),
    **_each(Meaning(RIGHTS), "Add-MailboxPermission Remove-MailboxPermission Set-MailboxFolderPermission"),
    # Searches of the whole tenant, and what is made of them
    **_each(
        Meaning(SEARCH),
        "SearchQueryPerformed SearchQueryInitiatedSharePoint SearchQueryInitiatedExchange SearchCreated SearchStarted",
    ),
    **_each(Meaning(SEARCH), "New-ComplianceSearch Start-ComplianceSearch SearchMailbox Search-Mailbox SearchPreviewed"),
    **_each(
        Meaning(EXPORT),
        "New-ComplianceSearchAction SearchExported SearchExportDownloaded SearchResultExported New-MailboxExportRequest",
    ),
    **_each(Meaning(IMPORT), "New-MailboxImportRequest"),
    # What leaves a managed machine
    **_each(Meaning(EXPORT, REMOVABLE), "FileCopiedToRemovableMedia FileCreatedOnRemovableMedia FileTransferredByBluetooth"),
    **_each(Meaning(EXPORT, ELSEWHERE), "FileUploadedToCloud FileCopiedToRemoteDesktopSession FileCopiedToNetworkShare"),
    **_each(Meaning(EXPORT, ELSEWHERE), "FileAccessedByUnallowedApp FileCopiedToClipboard"),
    **_each(Meaning(PRINT, PAPER), "FilePrinted PrintReport"),
    # Reports
    **_each(Meaning(SHARE, LINK), "PublishToWebReport"),
    **_each(Meaning(READ), "ViewReport ViewDashboard ViewTile ViewForm ViewedResponses"),
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
_WORDS: Final = tuple(
    (re.compile(pattern), action)
    for pattern, action in (
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
    return Meaning(next((action for pattern, action in _WORDS if pattern.match(operation)), OTHER))
