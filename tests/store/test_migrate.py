"""Migrations: once, in order, never changed, never backwards."""

from __future__ import annotations

import re

import pytest

from sentinel.core.errors import RefusedToStartError
from sentinel.store.client import Connections
from sentinel.store.errors import StoreError
from sentinel.store.migrate import Migration, migrate, packaged

FIRST = Migration(
    1,
    """-- one; two
CREATE TABLE IF NOT EXISTS one (a Int8) ENGINE = Memory;
CREATE TABLE IF NOT EXISTS two (a Int8) ENGINE = Memory;
""",
)
SECOND = Migration(2, "INSERT INTO one SELECT count() FROM two;")


@pytest.fixture
def bare(store: Connections) -> Connections:
    """A store on which no migration was ever applied."""
    store.writer.command("DROP TABLE schema_migration")
    return store


def test_each_is_applied_once_and_in_order(bare: Connections) -> None:
    """The second rests on the first; a second start applies none."""
    assert migrate(bare.writer, [FIRST]) == [1]
    assert migrate(bare.writer, [FIRST, SECOND]) == [2]
    assert migrate(bare.writer, [FIRST, SECOND]) == []
    assert bare.writer.query("SELECT a FROM one").result_rows == [(0,)]


def test_one_that_was_interrupted_is_applied_again(bare: Connections) -> None:
    """What a kill left half done is completed."""
    bare.writer.command(FIRST.statements()[0])
    assert migrate(bare.writer, [FIRST]) == [1]
    assert bare.writer.command("EXISTS TABLE two") == 1


def test_one_that_was_changed_afterwards_is_refused(bare: Connections) -> None:
    """What was applied can no longer be told from the file."""
    migrate(bare.writer, [FIRST])
    with pytest.raises(RefusedToStartError, match="001"):
        migrate(bare.writer, [Migration(1, FIRST.sql + "\n")])


def test_a_store_newer_than_the_code_is_refused(bare: Connections) -> None:
    """An older Sentinel would write what the newer one does not expect."""
    migrate(bare.writer, [FIRST, SECOND])
    with pytest.raises(RefusedToStartError, match="version 2"):
        migrate(bare.writer, [FIRST])


def test_one_that_fails_is_not_marked_as_applied(bare: Connections) -> None:
    """The next start tries it again."""
    with pytest.raises(StoreError, match="apply migration 001: UNKNOWN_TABLE"):
        migrate(bare.writer, [Migration(1, "INSERT INTO nowhere VALUES (1);")])
    assert migrate(bare.writer, [FIRST]) == [1]


def test_the_packaged_ones_can_be_run_again(store: Connections) -> None:
    """A kill in the middle of one of them does no harm, and their numbers leave no gap."""
    assert [migration.version for migration in packaged()] == list(range(1, len(packaged()) + 1))
    for migration in packaged():
        for statement in migration.statements():
            assert re.search(r"IF (NOT )?EXISTS", statement)
            store.writer.command(statement)


def test_no_table_loses_what_was_acknowledged_to_a_power_cut(store: Connections) -> None:
    """Inserts are synced, and so are merges: the engine deletes what it merged at once."""
    tables = store.writer.query(
        "SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()"
    ).result_rows
    for name, statement in tables:
        assert "fsync_after_insert = 1, fsync_part_directory = 1" in statement, name
        assert "min_rows_to_fsync_after_merge = 1" in statement, name
