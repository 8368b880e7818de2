"""A store served in a process of its own, as its clients reach it."""

from __future__ import annotations

from subprocess import Popen

from sentinel.store.client import connect
from sentinel.store.migrate import migrate


def dsn_of(front: Popen[str]) -> str:
    """Return the DSN of a front just started, as soon as it says its port."""
    assert front.stdout is not None
    return f"clickhouse://sentinel:let%20me%20in@127.0.0.1:{int(front.stdout.readline())}/default"


def migrated(front: Popen[str]) -> str:
    """Return the DSN of a front just started, with its tables made."""
    dsn = dsn_of(front)
    connections = connect(dsn)
    migrate(connections.writer)
    connections.close()
    return dsn
