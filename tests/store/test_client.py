"""Opening the store: what a DSN may say, and what is refused without telling what it said."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest
from pydantic import SecretStr

from sentinel.core.errors import RefusedToStartError
from sentinel.store.client import Connections, connect

SECRET = "hunter2-not-to-be-told"


@pytest.mark.parametrize(
    "dsn",
    [
        "",
        "sqlite:///store",
        "chdb://relative/path",
        "chdb://",
        "chdb:///",
        f"clickhouse://sentinel:{SECRET}@host:notaport/db",
        f"clickhouse://sentinel:{SECRET}@host:99999/db",
        f"clickhouse://sentinel:{SECRET}@/db",
        f"clickhouse://sentinel:{SECRET}@127.0.0.1:1/db",
        f"clickhouses://sentinel:{SECRET}@127.0.0.1:1/db",
    ],
)
def test_a_dsn_that_names_no_store_is_refused_without_its_password(dsn: str) -> None:
    """Neither the message nor the traceback has the password."""
    with pytest.raises(RefusedToStartError) as refused:
        connect(SecretStr(dsn))
    assert str(refused.value).startswith("store: ")
    assert SECRET not in "".join(traceback.format_exception(refused.value))


def test_a_path_that_cannot_be_a_folder_is_refused(tmp_path: Path) -> None:
    """A file is in the way: no folder, no store."""
    (tmp_path / "store").write_text("a file")
    with pytest.raises(RefusedToStartError, match="no folder"):
        connect(f"chdb://{tmp_path / 'store' / 'inner'}")


def test_the_folder_is_its_owners_alone(store: Connections, tmp_path: Path) -> None:
    """What holds patients' data is not for other users of the machine."""
    assert (tmp_path / "store").stat().st_mode & 0o777 == 0o700


def test_a_second_process_is_refused(store: Connections, tmp_path: Path, run: Callable[..., Popen[str]]) -> None:
    """An embedded store has one process at a time, and the refusal says so."""
    second = run("opening.py", f"chdb://{tmp_path / 'store'}")
    said, _ = second.communicate(timeout=30)
    assert "does another process have it open?" in said


def test_a_store_in_memory_needs_no_folder(tmp_path: Path) -> None:
    """`chdb://memory` is a store for a trial."""
    connections = connect("chdb://memory")
    assert connections.reader().query("SELECT 1").result_rows == [(1,)]
    connections.close()


def test_a_reader_cannot_write(store: Connections) -> None:
    """Whatever is asked, questions leave what is kept as it is."""
    with pytest.raises(Exception, match="READONLY"):
        store.reader().command("DROP TABLE access")
