"""An SQLite file of one's own on disk: what is committed is durable, readers and one writer go side by side."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

BUSY_SECONDS: Final = 10.0  # another process (`sentinel rejected redrive`) may be writing


def connect(path: Path) -> sqlite3.Connection:
    """Open an SQLite file, its owner's alone: what is committed is on disk, readers and one writer go side by side."""
    # a file that is there is not opened and closed here: that drops the locks which other connections of this process hold on it
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")  # each commit reaches the disk before it is acknowledged
    db.execute("PRAGMA journal_size_limit = 67108864")
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Hold the file's write lock; commit at the end, roll back when it is left by an exception."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
