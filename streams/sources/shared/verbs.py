"""What the verb that an operation's name begins with means, in whatever API."""

from __future__ import annotations

from typing import Final

from sentinel.core.event import Action

_VERBS: Final = (
    (Action.READ, "get describe head read view download check test verify estimate preview retrieve receive"),
    (Action.READ, "validate simulate access peek"),
    (Action.SEARCH, "list search lookup query scan filter select find watch browse enumerate count"),
    (Action.CREATE, "create put add register allocate run copy upload publish restore provision post complete"),
    (Action.CREATE, "write request insert compose rewrite store clone undelete upsert append"),
    (Action.UPDATE, "update modify set change enable disable associate disassociate attach detach tag untag"),
    (Action.UPDATE, "reset rotate move replace configure edit promote activate deactivate cancel assign unassign"),
    (Action.UPDATE, "accept reject patch rename resize suspend unsuspend"),
    (Action.DELETE, "delete remove terminate deregister release purge destroy trash deletecollection clear"),
    (Action.EXECUTE, "start stop reboot restart resume invoke execute send encrypt decrypt generate sign re"),
    (Action.EXECUTE, "wrap unwrap connect exec deploy poweroff deallocate"),
    (Action.EXPORT, "export extract backup"),
    (Action.IMPORT, "import load"),
    (Action.PRINT, "print"),
    (Action.SHARE, "share"),
    (Action.PERMISSION_CHANGE, "authorize grant revoke"),
)
BY_VERB: Final = {verb: action.value for action, verbs in _VERBS for verb in verbs.split()}
