"""A decoder's complaint as a rejection of ours: where, of which kind, nothing of what it said."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code

BROKEN: Final = (msgspec.MsgspecError, ValueError, RecursionError)

_PATH: Final = re.compile(r" - at `\$([^`]*)`$")
_STEP: Final = re.compile(r"\.(\w+)|\[(\d+)\]")


def rejected(error: Exception, document: bytes, pointer: str = "") -> RejectedError:
    """Return why `document`, found at `pointer`, could not be decoded. `error` is one of `BROKEN`."""
    if isinstance(error, RejectedError):
        return RejectedError(error.code, pointer + error.pointer, error.detail)
    if isinstance(error, RecursionError):
        return RejectedError(Code.TOO_DEEP, pointer)
    if isinstance(error, msgspec.ValidationError):
        path = _PATH.search(str(error))
        steps = (name or number for name, number in _STEP.findall(path[1])) if path else ()
        return RejectedError(Code.WRONG_TYPE, pointer + "".join(f"/{step}" for step in steps), "not of the type FHIR says")
    try:
        document.decode()
    except UnicodeDecodeError:
        return RejectedError(Code.NOT_UTF8, pointer)
    return RejectedError(Code.UNPARSEABLE, pointer)
