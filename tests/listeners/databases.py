"""A PostgreSQL server of the tests' own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from tests.listeners.listening import free_port

BINARIES = [Path(found).parent for name in ("initdb",) if (found := shutil.which(name))]
BINARIES += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


@contextmanager
def postgres() -> Iterator[str]:
    """Run a server, and give its address as SQLAlchemy writes it."""
    programs = next((folder for folder in BINARIES if (folder / "initdb").exists() and (folder / "postgres").exists()), None)
    assert programs is not None, "Debian's postgresql is to be installed: make test does"
    folder = Path(tempfile.mkdtemp(prefix="sentinel-postgres-"))
    owner = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}  # it refuses to be root's
    if owner:
        shutil.chown(folder, **owner)
    port = free_port()
    subprocess.run(
        [programs / "initdb", "-D", folder / "data", "-U", "reader", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"],
        check=True, capture_output=True, cwd=folder, **owner,
    )  # fmt: skip
    command = [programs / "postgres", "-D", folder / "data", "-h", "127.0.0.1", "-p", str(port), "-k", folder, "-F"]
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **owner)
    try:
        url = f"postgresql+psycopg://reader@127.0.0.1:{port}/postgres"
        _wait(url)
        yield url
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(url: str) -> None:
    engine, deadline = create_engine(url), time.monotonic() + 60
    while True:
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
                break
        except OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    engine.dispose()
