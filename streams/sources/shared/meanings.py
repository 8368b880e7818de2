"""What tables of operations are written in: actions and destinations by their short names, verbs, patterns."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, TypeVar

from sentinel.core.event import Action, Destination

NAMES_MAX: Final = 16_384  # names of operations of which the meaning is remembered

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

Meaning = TypeVar("Meaning")
Patterns = tuple[tuple[re.Pattern[str], str], ...]


def each(meaning: Meaning, *names: str) -> dict[str, Meaning]:
    """Return names, several in a text, with what they all mean."""
    return {name: meaning for several in names for name in several.split()}


def patterns(*pairs: tuple[str, str], flags: re.RegexFlag = re.NOFLAG) -> Patterns:
    """Return patterns with what a name that begins so means."""
    return tuple((re.compile(pattern, flags), action) for pattern, action in pairs)


def by_pattern(known: Patterns, name: str, otherwise: str = "") -> str:
    """Return what the first pattern that a name begins with means."""
    return next((action for pattern, action in known if pattern.match(name)), otherwise)


# What the verb in an operation's name means, in whatever API.
BY_VERB: Final = {
    **each(READ, "get describe head read view download check test verify estimate preview retrieve receive"),
    **each(READ, "validate simulate access peek"),
    **each(SEARCH, "list search lookup query scan filter select find watch browse enumerate count"),
    **each(CREATE, "create put add register allocate run copy upload publish restore provision post complete"),
    **each(CREATE, "write request insert compose rewrite store clone undelete upsert append"),
    **each(UPDATE, "update modify set change enable disable associate disassociate attach detach tag untag"),
    **each(UPDATE, "reset rotate move replace configure edit promote activate deactivate cancel assign unassign"),
    **each(UPDATE, "accept reject patch rename resize suspend unsuspend"),
    **each(DELETE, "delete remove terminate deregister release purge destroy trash deletecollection clear"),
    **each(EXECUTE, "start stop reboot restart resume invoke execute send encrypt decrypt generate sign re"),
    **each(EXECUTE, "wrap unwrap connect exec deploy poweroff deallocate"),
    **each(EXPORT, "export extract backup"),
    **each(IMPORT, "import load"),
    PRINT: PRINT,
    SHARE: SHARE,
    **each(RIGHTS, "authorize grant revoke"),
}

# Words of an action that say more than its verb, or any category it stands in.
_STRIKING: Final = {
    **each(EXPORT, "export exported exporting download downloaded downloading takeout"),
    **each(PRINT, "print printed printing"),
    **each(SHARE, "share shared sharing"),
    **each(LOGIN, "login logins logon logons signin authentication authenticated authenticate"),
    **each(LOGOUT, "logout logouts logoff logoffs signout"),
    **each(SEARCH, "search searched query queried select"),
    **each(RIGHTS, "privilege privileges permission permissions role roles grant granted revoke revoked membership member acl"),
}
_PAST: Final = {
    **each(READ, "viewed opened accessed displayed open"),
    **each(CREATE, "created added uploaded inserted"),
    **each(UPDATE, "updated modified changed renamed moved enabled disabled locked unlocked reset"),
    **each(DELETE, "deleted removed erased"),
    **each(IMPORT, "imported"),
}
_words: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+").findall
_GOES: Final = r"\b(?:log|logged|logging|sign|signed|signing)"
_goes_in: Final = re.compile(rf"{_GOES} (?:in|on)\b").sub
_goes_out: Final = re.compile(rf"{_GOES} (?:out|off)\b").sub
SAID_CHARACTERS_MAX: Final = 256


def words(name: str) -> list[str]:
    """Return the words of a name such as `GetObject`, `get_object` or `user.get`, in lower case."""
    return [word.lower() for word in _words(name)]


def by_word(said: str) -> str:
    """Return what an action's name or sentence says by a striking word (`file downloaded`, `role granted`), empty for none."""
    return _said(said[:SAID_CHARACTERS_MAX])[0]


def by_verb(said: str) -> str:
    """Return what an action's name or sentence says by its first verb, empty for none."""
    return _said(said[:SAID_CHARACTERS_MAX])[1]


@lru_cache(maxsize=NAMES_MAX)
def _said(said: str) -> tuple[str, str]:
    spoken = _goes_out("logout", _goes_in("login", " ".join(words(said)))).split()
    verbs = (_PAST.get(one) or BY_VERB.get(one) for one in spoken if one != "request")  # in a sentence it is no verb
    return next((_STRIKING[one] for one in spoken if one in _STRIKING), ""), next(filter(None, verbs), "")
