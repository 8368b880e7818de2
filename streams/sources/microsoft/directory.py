"""What Entra ID's activities and sign-in codes mean: its own audit log and the unified audit log name them alike."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from sentinel.core.event import TEXT_MAX
from streams.sources.shared.meanings import CREATE, DELETE, EXPORT, NAMES_MAX, OTHER, READ, RIGHTS, UPDATE, by_pattern, patterns

# Asked for more before the sign-in went on (a second factor, consent, which account): neither in nor refused.
# https://learn.microsoft.com/entra/identity-platform/reference-error-codes
INTERRUPTED: Final = frozenset(
    {
        *(16_000, 16_001, 50_058, 50_072, 50_074, 50_076, 50_079, 50_097, 50_125, 50_127, 50_129, 50_140, 50_144, 50_199),
        *(51_006, 65_001, 81_012),
    }
)

_RIGHTS: Final = (
    r"member|owner|role|permission|consent|grant|credential|secret|polic|delegat|privileg|registered (?:owner|user)|licen[cs]e|"
    r"federation|trust|authentication method"
)
_PATTERNS: Final = patterns(
    (r"(?:bulk )?(?:download|export)\b", EXPORT),
    (r"(?:read|get|view|recover|reveal|list)\b", READ),
    (rf".*\b(?:{_RIGHTS})", RIGHTS),
    (r"(?:bulk )?(?:add|create|invite|register|restore|import)\b", CREATE),
    (r"(?:bulk |hard )?(?:delete|remove)\b", DELETE),
    (
        r"(?:bulk )?(?:update|set|change|reset|enable|disable|(?:un)?lock|confirm|dismiss|move|rename|revoke|(?:un)?block)\b",
        UPDATE,
    ),
    (r"user (?:registered|deleted|changed|reviewed|updated)", UPDATE),
    flags=re.IGNORECASE,
)


def activity(name: str) -> str:
    """Return what an activity such as `Add member to role` did; `other` when its words don't tell."""
    return _activity(name.strip()[:TEXT_MAX])


@lru_cache(maxsize=NAMES_MAX)
def _activity(name: str) -> str:
    return by_pattern(_PATTERNS, name, OTHER)
