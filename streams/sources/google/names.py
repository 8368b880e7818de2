"""What the events of Google Workspace mean (Admin SDK Reports API, "activity events"): by name, else by their words."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from sentinel.core.event import TEXT_MAX
from streams.sources.shared.meanings import (
    BY_VERB,
    CREATE,
    DELETE,
    EXPORT,
    LOGIN,
    LOGIN_FAILED,
    LOGOUT,
    NAMES_MAX,
    OTHER,
    PRINT,
    READ,
    RIGHTS,
    SEARCH,
    SHARE,
    UPDATE,
    by_pattern,
    each,
    patterns,
)

_BY_NAME: Final = {
    # login
    **each(LOGIN, "login_success"),
    **each(LOGIN_FAILED, "login_failure"),
    **each(LOGOUT, "logout"),
    **each(UPDATE, "2sv_enroll 2sv_disable titanium_enroll titanium_unenroll passkey_enrolled passkey_removed password_edit"),
    **each(UPDATE, "recovery_email_edit recovery_phone_edit recovery_secret_qa_edit"),
    **each(
        UPDATE,
        "account_disabled_generic account_disabled_hijacked account_disabled_password_leak account_disabled_spamming",
    ),
    **each(UPDATE, "account_disabled_spamming_through_relay"),
    **each(SHARE, "email_forwarding_out_of_domain"),
    **each(
        OTHER,
        "login_verification login_challenge suspicious_login attack_warning gov_attack_warning risky_sensitive_action_allowed",
    ),
    # drive
    **each(READ, "view preview source_view"),
    **each(EXPORT, "download sync_item_content source_copy export"),
    **each(UPDATE, "edit rename move untrash add_to_folder remove_from_folder approval_requested add_lock remove_lock"),
    **each(CREATE, "create upload copy sheets_import_range"),
    **each(DELETE, "delete trash"),
    **each(PRINT, "print"),
    **each(SHARE, "email_as_attachment email_collaborators publish_change"),
    **each(RIGHTS, "change_user_access change_document_access_scope change_document_visibility change_acl_editors"),
    **each(RIGHTS, "shared_drive_membership_change team_drive_membership_change change_owner transfer_ownership"),
    **each(RIGHTS, "shared_drive_settings_change team_drive_settings_change change_document_access_scope_hierarchy"),
    **each(RIGHTS, "change_user_access_hierarchy change_document_visibility_hierarchy owner_changed"),
    # token, takeout, mail
    **each(RIGHTS, "authorize revoke"),
    **each(
        EXPORT,
        "user_takeout user_takeout_download user_takeout_completed customer_takeout_created customer_takeout_succeeded",
    ),
    **each(EXPORT, "create_data_transfer_request data_export_initiated email_monitor_level_changed"),
    **each(SEARCH, "email_log_search search_query_performed"),
    **each(RIGHTS, "email_monitor_created create_email_monitor delete_email_monitor"),
}
_RIGHTS: Final = (
    "role|privilege|member|permission|acl|delegat|access_level|authorized|allowlist|whitelist|api_client|oauth2?_|scope|"
    "2sv|two_step|strong_auth"
)
_PATTERNS: Final = patterns(
    (r".*(?:download|export|takeout)", EXPORT),
    (rf".*(?:{_RIGHTS})", RIGHTS),
    (r".*(?:forward|send_as)", UPDATE),
    (r".*(?:_view|_viewed|_access)$", READ),
)
_camel: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def meaning_of(name: str) -> str:
    """Return what an event such as `change_user_access`, `ADD_GROUP_MEMBER` or `loginSuccess` did; `other` when unknown."""
    return _meaning(name.strip()[:TEXT_MAX])


@lru_cache(maxsize=NAMES_MAX)
def _meaning(name: str) -> str:
    name = name.lower() if "_" in name or name.isupper() else _camel.sub("_", name).lower()
    if name in _BY_NAME:
        return _BY_NAME[name]
    if known := by_pattern(_PATTERNS, name):
        return known
    first, _, rest = name.partition("_")
    return BY_VERB.get(first) or BY_VERB.get(rest.rpartition("_")[2], OTHER)
