"""What the event ids of the Windows Security log mean (Microsoft, "Appendix L: Events to Monitor" and the page of each id)."""

from __future__ import annotations

from typing import Final, NamedTuple

from streams.sources.shared.meanings import (
    CREATE,
    DELETE,
    EXECUTE,
    LOGIN,
    LOGIN_FAILED,
    LOGOUT,
    OTHER,
    READ,
    RIGHTS,
    SEARCH,
    SHARE,
    UPDATE,
)

BY_MASK: Final = ""  # the rights that were used tell

SUBJECT: Final = "subject"  # who did it to something
TARGET: Final = "target"  # the account that logged on or off
SESSION: Final = "session"  # AccountName, of the Terminal Services' events


class Kind(NamedTuple):
    """What an event id means: what was done, whose name is the actor's, to what kind of thing, named by which field."""

    action: str
    who: str = SUBJECT
    resource: str = ""
    named_by: str = ""


def _each(kind: Kind, *ids: int) -> dict[int, Kind]:
    return dict.fromkeys(ids, kind)


def _on(action: str, resource: str, named_by: str, *ids: int) -> dict[int, Kind]:
    return _each(Kind(action, SUBJECT, resource, named_by), *ids)


KINDS: Final[dict[int, Kind]] = {
    # Logons
    **_each(Kind(LOGIN, TARGET), 4624, 4768, 4776),
    **_each(Kind(LOGIN_FAILED, TARGET), 4625, 4771),
    **_each(Kind(LOGIN_FAILED, TARGET, "policy"), 4820, 4821, 4822, 4823, 4824),
    **_each(Kind(LOGOUT, TARGET), 4634, 4647),
    4648: Kind(LOGIN, SUBJECT, "account", "TargetUserName"),
    4649: Kind(LOGIN_FAILED, TARGET, "replay-attack"),
    4769: Kind(OTHER, TARGET, "service-ticket", "ServiceName"),
    4770: Kind(OTHER, TARGET, "service-ticket", "ServiceName"),
    4773: Kind(OTHER, TARGET, "service-ticket", "ServiceName"),
    4772: Kind(LOGIN_FAILED, TARGET),
    4777: Kind(LOGIN_FAILED, TARGET),
    4778: Kind(LOGIN, SESSION),
    4779: Kind(LOGOUT, SESSION),
    4672: Kind(OTHER, SUBJECT, "special-privileges"),
    4964: Kind(OTHER, TARGET, "special-groups"),
    4800: Kind(OTHER, TARGET, "workstation-locked"),
    4801: Kind(OTHER, TARGET, "workstation-unlocked"),
    # Objects: files, keys, shares, the directory
    4656: Kind(BY_MASK, SUBJECT, "", "ObjectName"),
    4658: Kind(OTHER, SUBJECT, "handle-closed", "HandleId"),
    4659: Kind(DELETE, SUBJECT, "", "ObjectName"),
    4660: Kind(DELETE, SUBJECT, "object", "HandleId"),
    4661: Kind(BY_MASK, SUBJECT, "", "ObjectName"),
    4662: Kind(BY_MASK, SUBJECT, "", "ObjectName"),
    4663: Kind(BY_MASK, SUBJECT, "", "ObjectName"),
    4664: Kind(CREATE, SUBJECT, "hard-link", "LinkName"),
    4670: Kind(RIGHTS, SUBJECT, "", "ObjectName"),
    4907: Kind(RIGHTS, SUBJECT, "", "ObjectName"),
    4911: Kind(RIGHTS, SUBJECT, "", "ObjectName"),
    4913: Kind(RIGHTS, SUBJECT, "", "ObjectName"),
    4657: Kind(UPDATE, SUBJECT, "registry-value", "ObjectName"),
    5140: Kind(BY_MASK, SUBJECT, "share", "ShareName"),
    5145: Kind(BY_MASK, SUBJECT, "", "ShareName"),
    5142: Kind(SHARE, SUBJECT, "share", "ShareName"),
    5143: Kind(RIGHTS, SUBJECT, "share", "ShareName"),
    5144: Kind(DELETE, SUBJECT, "share", "ShareName"),
    5168: Kind(LOGIN_FAILED, SUBJECT, "share", "SpnName"),
    **_on(UPDATE, "directory-object", "ObjectDN", 5136, 5139),
    **_on(CREATE, "directory-object", "ObjectDN", 5137, 5138),
    **_on(DELETE, "directory-object", "ObjectDN", 5141),
    # Accounts and groups
    **_on(CREATE, "account", "TargetUserName", 4720, 4741),
    **_on(UPDATE, "account", "TargetUserName", 4722, 4723, 4724, 4725, 4738, 4740, 4742, 4767, 4794),
    **_on(DELETE, "account", "TargetUserName", 4726, 4743),
    **_on(RIGHTS, "account", "TargetUserName", 4765, 4766, 4780),
    4781: Kind(UPDATE, SUBJECT, "account", "OldTargetUserName"),
    4782: Kind(READ, SUBJECT, "password-hash", "TargetUserName"),
    **_on(CREATE, "group", "TargetUserName", 4727, 4731, 4744, 4749, 4754, 4759, 4783, 4790),
    **_on(
        RIGHTS,
        "group",
        "TargetUserName",
        *(4728, 4729, 4732, 4733, 4746, 4747, 4751, 4752, 4756, 4757, 4761, 4762, 4785, 4786, 4787, 4788),
    ),
    **_on(DELETE, "group", "TargetUserName", 4730, 4734, 4748, 4753, 4758, 4763, 4789, 4792),
    **_on(UPDATE, "group", "TargetUserName", 4735, 4737, 4745, 4750, 4755, 4760, 4764, 4784, 4791),
    **_on(SEARCH, "account", "TargetUserName", 4798),
    **_on(SEARCH, "group", "TargetUserName", 4799),
    **_on(RIGHTS, "account", "TargetSid", 4704, 4705, 4717, 4718),
    # Policies, and the log itself
    **_on(RIGHTS, "audit-policy", "SubcategoryGuid", 4719, 4715, 4912),
    **_on(RIGHTS, "domain-policy", "DomainName", 4713, 4739),
    **_on(RIGHTS, "domain-trust", "DomainName", 4706, 4707, 4716),
    **_on(DELETE, "audit-log", "", 1102),
    **_on(EXECUTE, "audit-log-stopped", "", 1100),
    **_on(OTHER, "audit-log-full", "", 1104),
    **_on(OTHER, "audit-events-dropped", "", 1101),
    # Programs
    **_on(EXECUTE, "process", "NewProcessName", 4688),
    **_on(OTHER, "process-ended", "ProcessName", 4689),
    **_on(EXECUTE, "privileged-service", "Service", 4673),
    **_on(EXECUTE, "privileged-object", "ObjectName", 4674),
    **_on(CREATE, "service", "ServiceName", 4697),
    **_on(CREATE, "scheduled-task", "TaskName", 4698),
    **_on(DELETE, "scheduled-task", "TaskName", 4699),
    **_on(UPDATE, "scheduled-task", "TaskName", 4700, 4701, 4702),
    **_on(READ, "credentials", "TargetName", 5376, 5379),
    **_on(READ, "credentials", "Resource", 5381, 5382),
    **_on(UPDATE, "credentials", "", 5377),
}

# Access masks (winnt.h). What says most of those used comes first.
_STANDARD: Final = ((0x10000, DELETE), (0xC0000, RIGHTS))
_FILE: Final = ((0x40, DELETE), (0x116, UPDATE), (0x89, READ), (0x20, EXECUTE))
_KEY: Final = ((0x26, UPDATE), (0x19, READ))
_DIRECTORY: Final = ((0x40, DELETE), (0x2, DELETE), (0x1, CREATE), (0x28, UPDATE), (0x100, EXECUTE), (0x94, READ))
_MASKS: Final = {"file": _FILE, "key": _KEY, "directory-object": _DIRECTORY}


def action_of_mask(text: str, kind: str) -> str:
    """Return what the rights in use (`0x…` or decimal) on a `file`, `key`, `directory-object` or another thing did."""
    try:
        mask = int(text, 0)
    except ValueError:
        return READ
    for bits, action in (*_STANDARD, *_MASKS.get(kind, ())):
        if mask & bits:
            return action
    return READ


# NTSTATUS ([MS-ERREF] 2.3.1) of 4625 and 4776.
NT_STATUS: Final = {
    0xC0000064: "no such user",
    0xC000006A: "wrong password",
    0xC000006C: "password does not meet the policy",
    0xC000006D: "wrong user name or password",
    0xC000006E: "account restriction",
    0xC000006F: "outside of permitted hours",
    0xC0000070: "not from this workstation",
    0xC0000071: "password expired",
    0xC0000072: "account disabled",
    0xC00000DC: "server in the wrong state",
    0xC0000133: "clocks too far apart",
    0xC000015B: "logon type not granted",
    0xC000018C: "no trust with the domain",
    0xC0000192: "logon service not started",
    0xC0000193: "account expired",
    0xC0000224: "password must change",
    0xC0000225: "not found",
    0xC0000234: "account locked out",
    0xC00002EE: "an error occurred",
    0xC0000371: "no local secret for the account",
    0xC0000413: "authentication firewall",
}

# Kerberos errors (RFC 4120 7.5.9) of 4768, 4769 and 4771.
KERBEROS: Final = {
    0x1: "client's entry expired",
    0x6: "no such user",
    0x7: "no such service",
    0x9: "client or service without a key",
    0xC: "policy rejects",
    0xD: "option not accepted",
    0xE: "encryption type not supported",
    0x12: "account disabled, expired or locked out",
    0x17: "password expired",
    0x18: "wrong password",
    0x19: "further pre-authentication required",
    0x1B: "server must be asked user to user",
    0x1F: "integrity check failed",
    0x20: "ticket expired",
    0x25: "clocks too far apart",
    0x29: "message stream modified",
}
_NT_BY: Final = frozenset({4625, 4776, 4777})
_KERBEROS_BY: Final = frozenset({4768, 4769, 4770, 4771, 4772, 4773})
HAS_STATUS: Final = _NT_BY | _KERBEROS_BY


def status_text(event_id: int, code: int) -> str:
    """Return a status as `0x… what it means`."""
    known = NT_STATUS if event_id in _NT_BY else KERBEROS
    return f"{code:#x} {known.get(code, '')}".rstrip()
