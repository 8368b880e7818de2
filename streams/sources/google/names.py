"""What the events of Google Workspace mean (Admin SDK Reports API, "activity events"): by name, else by their words."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from sentinel.core.event import TEXT_MAX, Action
from streams.sources.shared.verbs import BY_VERB

NAMES_MAX: Final = 16_384


def _each(action: Action, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), action.value)


_BY_NAME: Final = {
    # login
    **_each(Action.LOGIN, "login_success"),
    **_each(Action.LOGIN_FAILED, "login_failure"),
    **_each(Action.LOGOUT, "logout"),
    **_each(
        Action.UPDATE, "2sv_enroll 2sv_disable titanium_enroll titanium_unenroll passkey_enrolled passkey_removed password_edit"
    ),
    **_each(Action.UPDATE, "recovery_email_edit recovery_phone_edit recovery_secret_qa_edit"),
    **_each(
        Action.UPDATE,
        "account_disabled_generic account_disabled_hijacked account_disabled_password_leak account_disabled_spamming",
    ),
    **_each(Action.UPDATE, "account_disabled_spamming_through_relay"),
    **_each(Action.SHARE, "email_forwarding_out_of_domain"),
    **_each(
        Action.OTHER,
        "login_verification login_challenge suspicious_login attack_warning gov_attack_warning risky_sensitive_action_allowed",
    ),
    # drive
    **_each(Action.READ, "view preview source_view"),
    **_each(Action.EXPORT, "download sync_item_content source_copy export"),
    **_each(Action.UPDATE, "edit rename move untrash add_to_folder remove_from_folder approval_requested add_lock remove_lock"),
    **_each(Action.CREATE, "create upload copy sheets_import_range"),
    **_each(Action.DELETE, "delete trash"),
    **_each(Action.PRINT, "print"),
    **_each(Action.SHARE, "email_as_attachment email_collaborators publish_change"),
    **_each(
        Action.PERMISSION_CHANGE, "change_user_access change_document_access_scope change_document_visibility change_acl_editors"
    ),
    **_each(
        Action.PERMISSION_CHANGE, "shared_drive_membership_change team_drive_membership_change change_owner transfer_ownership"
    ),
    **_each(
        Action.PERMISSION_CHANGE, "shared_drive_settings_change team_drive_settings_change change_document_access_scope_hierarchy"
    ),
    **_each(Action.PERMISSION_CHANGE, "change_user_access_hierarchy change_document_visibility_hierarchy owner_changed"),
    # token, takeout, mail
    **_each(Action.PERMISSION_CHANGE, "authorize revoke"),
    **_each(
        Action.EXPORT,
        "user_takeout user_takeout_download user_takeout_completed customer_takeout_created customer_takeout_succeeded",
    ),
    **_each(Action.EXPORT, "create_data_transfer_request data_export_initiated email_monitor_level_changed"),
    **_each(Action.SEARCH, "email_log_search search_query_performed"),
    **_each(Action.PERMISSION_CHANGE, "email_monitor_created create_email_monitor delete_email_monitor"),
}
_RIGHTS: Final = (
    "role|privilege|member|permission|acl|delegat|access_level|authorized|allowlist|whitelist|api_client|oauth2?_|scope|"
    "2sv|two_step|strong_auth"
)
_PATTERNS: Final = tuple(
    (re.compile(pattern), action.value)
    for pattern, action in (
        (r".*(?:download|export|takeout)", Action.EXPORT),
        (rf".*(?:{_RIGHTS})", Action.PERMISSION_CHANGE),
        (r".*(?:forward|send_as)", Action.UPDATE),
        (r".*(?:_view|_viewed|_access)$", Action.READ),
    )
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
    for pattern, action in _PATTERNS:
        if pattern.match(name):
            return action
    first, _, rest = name.partition("_")
    return BY_VERB.get(first) or BY_VERB.get(rest.rpartition("_")[2], Action.OTHER.value)
