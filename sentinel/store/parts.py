"""Whether what the embedded engine says it wrote is on the disk.

chDB 26.9 takes a failed `write()` of a part's files (disk full, quota, I/O error) for a success: the part is there,
cut short, and the insert reports no error. So each part it makes is checked once, by sizes and checksums: 5 ms for
100,000 rows. A server reports such errors itself.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from sentinel.store import sql
from sentinel.store.errors import StoreError

GONE: Final = "NO_SUCH_DATA_PART"
UNMERGED_MAX: Final = 100  # parts of events that may wait for their merge


class Part(NamedTuple):
    """A piece of a table. Level 0: as an insert made it, else merged out of others."""

    table: str
    name: str
    level: int


class Parts:
    """The parts known to be sound: those the engine checked when it opened the store, and those checked since."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._sound = self._active()
        self._merges_late = False

    def merge_late(self) -> None:
        """Let parts of events wait for their merge until there are `UNMERGED_MAX`, or until the store is opened anew.

        Merged as they come, most rows of a large load are rewritten several times, for questions that nobody asks yet.
        """
        self._client.command("SYSTEM STOP MERGES access")
        self._merges_late = True

    def check(self) -> None:
        """Check what was made since the last time.

        Raises:
            StoreError: a part is cut short. If an insert made it, it is dropped, and its rows are missing; if a merge
                did, it stays: opening the store anew brings back what it was made of (within 8 minutes).
        """
        active = self._active()
        broken = {part for part in active - self._sound if not self._is_sound(part)}
        self._sound = active - broken
        for part in broken:
            if part.level == 0:
                self._client.command(f"ALTER TABLE {part.table} DROP PART '{part.name}'")
        if self._merges_late and sum(part.table == "access" for part in active) > UNMERGED_MAX:
            self._client.command("SYSTEM START MERGES access")
            self._merges_late = False
        if broken:
            raise StoreError("write its files", "BROKEN_PART")

    def _active(self) -> set[Part]:
        return {Part(*row) for row in self._client.query(sql.PARTS).result_rows}

    def _is_sound(self, part: Part) -> bool:
        try:
            return bool(self._client.command(f"CHECK TABLE {part.table} PART '{part.name}' {sql.CHECK_SETTINGS}") == 1)
        except DatabaseError as error:
            if error.name != GONE:
                raise
            return True  # merged meanwhile, so it could be read
