"""ClickHouse, embedded or served, behind one client: a URL makes the whole difference."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

import pyarrow as pa
from clickhouse_connect import get_client
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from pydantic import SecretStr

from sentinel.core.errors import RefusedToStartError
from sentinel.lean import without
from sentinel.store import sql
from sentinel.store.errors import code_of

SCHEMES: Final = ("chdb", "clickhouse", "clickhouses")
WRITER_SETTINGS: Final[dict[str, Any]] = {
    "async_insert": 0,  # on by default since 26: our batches are large already, and must be durable when acknowledged
    "max_threads": 1,
    "max_insert_threads": 1,
    "max_partitions_per_insert_block": 0,  # one batch of a backfill may span many months
    "log_queries": 0,  # a log of questions is a log of patients
}
READER_SETTINGS: Final[dict[str, Any]] = {
    "max_threads": 2,
    "max_execution_time": 10,
    "max_memory_usage": 500_000_000,
    "log_queries": 0,
    "readonly": 2,  # questions never write, whatever is asked
}
# The engine beside us shares the machine with the rest of Sentinel; its own defaults are a server's.
ENGINE_OPTIONS: Final[dict[str, int]] = {
    "max_server_memory_usage": 1_000_000_000,
    "mark_cache_size": 32_000_000,
    "primary_index_cache_size": 32_000_000,
    "index_mark_cache_size": 8_000_000,
    "uncompressed_cache_size": 0,
    "mmap_cache_size": 0,
    "background_pool_size": 1,
}


@dataclass(slots=True)
class Connections:
    """One client that writes and any number that read, to one store.

    A client answers one question at a time: whoever asks in parallel takes a reader each.
    """

    target: dict[str, Any] = field(repr=False)
    writer: Client
    readers: list[Client] = field(default_factory=list)

    def reader(self) -> Client:
        """Open one more client for questions, bounded in time and memory.

        Raises:
            RefusedToStartError: the store is not there any more.
        """
        self.readers.append(_client(self.target, READER_SETTINGS))
        return self.readers[-1]

    def close(self) -> None:
        """Close all clients; an embedded store is then free for another process."""
        for client in (*self.readers, self.writer):
            client.close()


def connect(dsn: SecretStr | str) -> Connections:
    """Open the store that `dsn` names; docs/store.md has the forms.

    `chdb:///path/to/folder` and `chdb://memory` are embedded, and one process at a time has the folder.
    `clickhouse://user:password@host:8123/database` is a server, `clickhouses://` the same over TLS.

    Raises:
        RefusedToStartError: the DSN is malformed, or there is no store to be had at it; never says the password.
    """
    target = _target(_split(dsn.get_secret_value() if isinstance(dsn, SecretStr) else dsn))
    return Connections(target, _client(target, WRITER_SETTINGS))


class Body(bytes):
    """Rows to insert. The client makes text of what it sends, to look for SQL in it: half a second for 30 MiB."""

    __slots__ = ()

    def decode(self, *_: object, **__: object) -> str:
        """Return that there is no text in it."""
        return ""


def insert(client: Client, table: str, rows: pa.Table, query_id: str, condition: str = "") -> None:
    """Insert rows in one piece, once or not at all in each partition of the table; all of them fail with a `condition` (SQL).

    Not by the client's own `insert_arrow`: embedded it goes through a file in /tmp, where patients have no business,
    and over HTTP it sends again what it lost the answer to, which may have been stored.
    """
    columns = ", ".join(rows.column_names)
    where = f" WHERE {condition}" if condition else ""
    if is_embedded(client):
        rows_of_sentinel = rows  # noqa: F841  the engine finds the variable by its name
        with without("pandas"):
            client.command(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM Python(rows_of_sentinel){where}")  # noqa: S608  our names
        return
    body = pa.BufferOutputStream()
    with pa.ipc.new_file(body, rows.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as file:
        file.write(rows)
    data = Body(body.getvalue())
    origin = f"SELECT {columns} FROM input({_text(_columns_of(client, table))}){where} " if condition else ""  # noqa: S608  our names
    client.command(f"INSERT INTO {table} ({columns}) {origin}FORMAT Arrow", data=data, settings={"query_id": query_id})


def _columns_of(client: Client, table: str) -> str:
    [[columns]] = client.query(sql.COLUMNS_OF, parameters={"table": table}).result_rows
    return str(columns)


def _text(value: str) -> str:
    """Return a literal of SQL."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def is_embedded(client: Client) -> bool:
    """Say whether the engine runs in this process."""
    return str(client.uri).startswith("chdb:")


def _split(dsn: str) -> SplitResult:
    try:
        url = urlsplit(dsn)
        is_well_formed = url.scheme in SCHEMES and url.port != 0
    except ValueError:
        is_well_formed = False
    if not is_well_formed:
        raise RefusedToStartError(f"store: not a DSN; it begins with one of {', '.join(f'{scheme}://' for scheme in SCHEMES)}")
    return url


def _target(url: SplitResult) -> dict[str, Any]:
    if url.scheme != "chdb":
        return _server(url)
    if url.netloc == "memory" and not url.path.strip("/"):
        return {"interface": "chdb", "chdb_options": ENGINE_OPTIONS}
    if url.netloc or not url.path.strip("/"):
        raise RefusedToStartError("store: an embedded store is chdb:///absolute/path (three slashes) or chdb://memory")
    return {"interface": "chdb", "path": _folder(unquote(url.path)), "chdb_options": ENGINE_OPTIONS}


def _folder(path: str) -> str:
    try:
        Path(path).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise RefusedToStartError(f"store: no folder {path} to be made ({type(error).__name__})") from None
    return path


def _server(url: SplitResult) -> dict[str, Any]:
    if not url.hostname:
        raise RefusedToStartError("store: the DSN names no host")
    secure = url.scheme == "clickhouses"
    return {
        "interface": "https" if secure else "http",
        "host": url.hostname,
        "port": url.port or (8443 if secure else 8123),
        "username": unquote(url.username or "default"),
        "password": unquote(url.password or ""),
        "database": unquote(url.path.strip("/")) or "default",
        "autogenerate_session_id": False,  # a session answers one question at a time
        "form_encode_query_params": True,  # parameters name patients; URLs end up in logs of proxies
    }


def _client(target: dict[str, Any], settings: dict[str, Any]) -> Client:
    try:
        return get_client(**target, settings=settings)
    except (ClickHouseError, OSError) as error:
        raise RefusedToStartError(_why(target, error)) from None


def _why(target: dict[str, Any], error: Exception) -> str:
    if target["interface"] == "chdb":
        why = "does another process have it open? An embedded store has one owner at a time; share one on a server"
        return f"store: the folder cannot be opened; {why} ({code_of(error)})"
    return f"store: no ClickHouse to be had at {target['host']}:{target['port']} ({code_of(error)})"
