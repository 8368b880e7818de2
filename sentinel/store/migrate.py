"""Versioned migrations of the store: applied once, in order, never changed afterwards."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from importlib.resources import files
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from sentinel.core.errors import RefusedToStartError
from sentinel.store.errors import without_data

_NAME: Final = re.compile(r"(\d{3})_[a-z0-9_]+\.sql")
_STATEMENT_END: Final = re.compile(r";[ \t]*(?:\n|\Z)")
_APPLIED: Final = """
CREATE TABLE IF NOT EXISTS schema_migration (
    version UInt32,
    checksum String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY version
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file `NNN_what.sql`. A kill may leave it half applied, so each of its statements can be run again."""

    version: int
    sql: str

    @property
    def checksum(self) -> str:
        """32 hex digits that change with the file."""
        return blake2b(self.sql.encode(), digest_size=16).hexdigest()

    def statements(self) -> list[str]:
        """Return the statements: each ends with a semicolon at the end of a line."""
        return [statement.strip() for statement in _STATEMENT_END.split(self.sql) if statement.strip()]


def packaged() -> list[Migration]:
    """Return the migrations that this version of Sentinel knows, in order."""
    folder = files("sentinel.store") / "migrations"
    named = [(match, file) for file in folder.iterdir() if (match := _NAME.fullmatch(file.name))]
    return sorted(
        (Migration(int(match[1]), file.read_text("utf-8")) for match, file in named), key=lambda migration: migration.version
    )


def migrate(client: Client, migrations: list[Migration] | None = None) -> list[int]:
    """Bring the store to the newest version; return the versions applied now, in order.

    Raises:
        RefusedToStartError: the store is newer than the code, or an applied migration is not what it was.
        StoreError: a statement failed; what was applied before stays.
    """
    known = packaged() if migrations is None else migrations
    with without_data("read which migrations are applied"):
        client.command(_APPLIED)
        rows: Any = client.query("SELECT version, checksum FROM schema_migration").result_rows
    applied: dict[int, str] = dict(rows)
    _check(known, applied)
    pending = [migration for migration in known if migration.version not in applied]
    for migration in pending:
        _apply(client, migration)
    return [migration.version for migration in pending]


def _check(known: list[Migration], applied: dict[int, str]) -> None:
    checksums = {migration.version: migration.checksum for migration in known}
    if unknown := sorted(applied.keys() - checksums.keys()):
        raise RefusedToStartError(f"store: it is at version {unknown[-1]}, newer than this Sentinel knows; upgrade Sentinel")
    if changed := sorted(version for version, checksum in applied.items() if checksums[version] != checksum):
        raise RefusedToStartError(f"store: migration {changed[0]:03} is not the one that was applied")


def _apply(client: Client, migration: Migration) -> None:
    with without_data(f"apply migration {migration.version:03}"):
        for statement in migration.statements():
            client.command(statement)
        done = {"version": migration.version, "checksum": migration.checksum}
        client.command(
            "INSERT INTO schema_migration (version, checksum) SELECT {version:UInt32}, {checksum:String}", parameters=done
        )
