"""The time zone of a mapping: an IANA name, or the site's own."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

SITE: Final = "site"


def zone(name: str) -> str:
    """Return a name that can be used as a mapping's time zone.

    Raises:
        ValueError: there is no such zone.
    """
    if name != SITE:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("no such time zone (IANA, such as Europe/Paris)") from None
    return name
