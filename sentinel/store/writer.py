"""Writes what was concluded: gathered, in large inserts, durable when `flush` returns."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from threading import RLock
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from sentinel.core.alert import Alert
from sentinel.core.batch import Assessment, EventBatch, Int64s
from sentinel.core.errors import SupersededError
from sentinel.core.event import TIME_MAX_US, TIME_MIN_US
from sentinel.store import sql
from sentinel.store.claims import Claims, query_id_of
from sentinel.store.client import insert, is_embedded
from sentinel.store.columns import access_rows, alert_rows, raw_rows, table_of
from sentinel.store.errors import without_data
from sentinel.store.known import KnownKeys
from sentinel.store.parts import Parts

OFFSET_MAX: Final = 2**63 - 1
ASKED_MAX: Final = 3_000  # ids in one question: a server takes no parameter over 128 KiB (`http_max_field_value_size`)


@dataclass(slots=True)
class Insert:
    """Rows that are to be stored in one piece; the same ones each time it is tried."""

    table: str
    rows: pa.Table
    tried: bool = False

    def query_id(self, owner: str) -> str:
        """Name this insert on a server, so that a try that got lost can be stopped."""
        first = repr((self.table, self.rows.num_rows, self.rows.slice(0, 1).to_pylist()))
        return f"{query_id_of(owner)}{blake2b(first.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"


class Writer:
    """Gathers rows and inserts them when told to: the caller's clock decides when.

    One thread takes and asks, and `seal`s; `store` may run in another meanwhile. `lane` names this writer among those that
    write to one store at the same time.
    """

    def __init__(self, client: Client, lane: str = "") -> None:
        self._client, self._lane = client, lane
        self._access: list[pa.RecordBatch] = []
        self._raw: list[pa.RecordBatch] = []
        self._alerts: dict[tuple[str, str], Alert] = {}
        self._inserts: deque[Insert] = deque()
        self._sealed_alerts: dict[tuple[str, str], Alert] = {}
        self._asking = RLock()  # a client answers one question at a time
        self._has_left = False
        self._known = KnownKeys(self._keys_of)
        self._claims = Claims(client)
        with without_data("say what is stored"):
            self._parts = Parts(client) if is_embedded(client) else None
        [(last,)] = self._rows(sql.LAST_SEQUENCE, lane=lane)
        self._sequence = int(last)

    def merge_late(self) -> None:
        """Let an embedded store merge later what is inserted now: for a load that nobody asks questions meanwhile."""
        if self._parts:
            with without_data("put off its merges"):
                self._parts.merge_late()

    @property
    def pending(self) -> int:
        """Events that are not stored yet; while that fails they stay, so the caller has to stop somewhere."""
        waiting = sum(insert.rows.num_rows for insert in tuple(self._inserts) if insert.table == "access")
        return int(waiting + sum(rows.num_rows for rows in self._access))

    @property
    def pending_bytes(self) -> int:
        """Memory held by all that waits to be stored, which takes about twice as much for a moment."""
        waiting = sum(insert.rows.nbytes for insert in tuple(self._inserts))
        return int(waiting + sum(rows.nbytes for rows in (*self._access, *self._raw)))

    def claim(self, partitions: Collection[int]) -> None:
        """Take over the people of these partitions, and no others: `flush` stores events until somebody else does the same.

        What those who had them before have not stored when this returns they never will.

        Raises:
            StoreError: it is not certain whether they are ours; claim them again.
            SupersededError: it has left.
        """
        with self._turn():
            self._claims.take(partitions)

    def write(self, batch: EventBatch, assessment: Assessment) -> None:
        """Take events with what was concluded of them; none of them may be stored already."""
        if len(batch):
            self._access.append(access_rows(batch, assessment))
            self._known.add(batch.key, batch.occurred_at)

    def write_raw(self, tenant: str, partition: int, records: Sequence[tuple[int, str, bytes, int]]) -> None:
        """Take source messages as they came: (offset ≥ 0, source, bytes, received at in µs). The same again changes nothing."""
        if records:
            self._raw.append(raw_rows(tenant, partition, records))

    def write_alerts(self, alerts: Sequence[Alert]) -> None:
        """Take alerts, new or changed; of one alert the highest version counts, the same again changes nothing."""
        _newest(self._alerts, alerts)

    def flush(self) -> None:
        """Make durable all that was taken: raw records, then events, then the alerts that rest on them.

        Raises:
            StoreError: nothing is forgotten; the next call stores what is missing, and nothing twice.
            SupersededError: another has claimed what is ours; what is not stored is the other's to store.
        """
        self.seal()
        self.store()

    def seal(self) -> None:
        """Hand to `store` what was taken up to now. Not while that runs."""
        self._seal("raw_record", self._raw)
        self._seal("access", self._access)
        _newest(self._sealed_alerts, self._alerts.values())
        self._alerts.clear()

    def store(self) -> None:
        """Make durable what was sealed; as `flush`."""
        with without_data("keep what was concluded"):
            while self._inserts:
                with self._turn():
                    self._insert(self._inserts[0])
                self._inserts.popleft()
            with self._turn():
                self._insert_alerts()

    def leave(self) -> None:
        """Use the client no more: what is just being asked or inserted is over when this returns, from any thread.

        Whoever asks or stores after it gets a SupersededError.
        """
        self._has_left = True  # before waiting: whoever has the client now would else take it again and again
        with self._asking:
            pass

    def stored_beyond(self, partition: int, offset: int, until: int = OFFSET_MAX, source: str = "") -> set[tuple[int, int]]:
        """Return (offset, ordinal) of the stored events of a log's partition after `offset`, up to `until`.

        Where each source has a log of its own, they are those of `source`.
        """
        rows = self._rows(sql.STORED_BEYOND, partition=partition, offset=offset, until=until, source=source)
        return {(place, ordinal) for place, ordinal in rows}

    def last_stored(self, offset: int) -> dict[tuple[str, int], int]:
        """Return, of each source and partition, the highest offset of the stored events, where that is at least `offset`."""
        return {(source, partition): last for source, partition, last in self._rows(sql.LAST_STORED, offset=offset)}

    def known(self, keys: Sequence[bytes], occurred_at: Int64s | None = None) -> set[bytes]:
        """Return which of these event keys are stored.

        With the events' times (µs) the answer comes from memory, day by day, and takes about 1 µs a key; without, all
        that is stored is searched. A duplicate has its original's time.
        """
        if occurred_at is not None:
            return self._known.known(keys, occurred_at)
        return self._known_between(keys, TIME_MIN_US, TIME_MAX_US)

    def forget_known(self) -> None:
        """Let `known` ask the store anew: whoever else writes to it may have stored what was not there."""
        self._known = KnownKeys(self._keys_of)

    def events_of_alerts(self, ids: Sequence[str]) -> dict[str, set[str]]:
        """Return the keys (hex) of the events that stored alerts rest on, by the alerts' ids."""
        asked = (self._rows(sql.EVENTS_OF_ALERTS, ids=list(some)) for some in _pieces(ids))
        return {id_: set(keys) for rows in asked for id_, keys in rows}

    def _known_between(self, keys: Sequence[bytes], since: int, until: int) -> set[bytes]:
        asked = (self._rows(sql.KNOWN, keys=list(some), since=since, until=until) for some in _pieces([k.hex() for k in keys]))
        return {bytes(key) for rows in asked for (key,) in rows}

    def _keys_of(self, since: int, until: int) -> list[bytes]:
        pending = [*self._access, *(insert_.rows for insert_ in tuple(self._inserts) if insert_.table == "access")]
        keys = [key for rows in pending for key in rows.column("key").to_pylist()]
        return keys + [key for (key,) in self._rows(sql.KEYS, since=since, until=until)]

    def _seal(self, table: str, rows: list[pa.RecordBatch]) -> None:
        if rows:
            self._inserts.append(Insert(table, table_of(rows)))
            rows.clear()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Have the client to oneself."""
        with self._asking:
            if self._has_left:
                raise SupersededError("this writer has left the store")
            yield

    def _insert(self, insert_: Insert) -> None:
        if insert_.tried:
            insert_.rows = self._missing(insert_)
        insert_.tried = True
        if insert_.rows.num_rows:
            self._try(insert_)
        if self._parts:
            self._parts.check()

    def _try(self, insert_: Insert) -> None:
        condition = self._claims.condition if insert_.table == "access" else ""
        try:
            insert(self._client, insert_.table, insert_.rows, insert_.query_id(self._claims.owner), condition)
        except ClickHouseError as error:
            self._claims.check(error)
            raise

    def _missing(self, insert_: Insert) -> pa.Table:
        """Return what a failed insert did not store: it may have torn between months, or only its answer was lost."""
        if not is_embedded(self._client):
            self._client.command(sql.STOP, parameters={"id": insert_.query_id(self._claims.owner)})
        if insert_.table != "access":
            return insert_.rows
        times = pc.min_max(insert_.rows.column("occurred_at").cast(pa.int64())).as_py()
        stored = self._known_between(insert_.rows.column("key").to_pylist(), times["min"], times["max"] + 1)
        keys = pa.array(sorted(stored), pa.binary(16))
        return insert_.rows.filter(pc.invert(pc.is_in(insert_.rows.column("key"), value_set=keys)))

    def _insert_alerts(self) -> None:
        if not self._sealed_alerts:
            return
        asked = (
            self._rows(sql.VERSIONS, ids=list(some)) for some in _pieces([alert.id for alert in self._sealed_alerts.values()])
        )
        stored = {(tenant, id_): version for rows in asked for tenant, id_, version in rows}
        fresh = [alert for named, alert in self._sealed_alerts.items() if stored.get(named, -1) < alert.version]
        if fresh:
            first, self._sequence = self._sequence + 1, self._sequence + len(fresh)  # never used again, should this fail
            self._insert(Insert("alert", table_of([alert_rows(fresh, self._lane, first)])))
        self._sealed_alerts.clear()

    def _rows(self, query: str, **asked: Any) -> list[tuple[Any, ...]]:
        with without_data("say what is stored"), self._turn():
            return [tuple(row) for row in self._client.query(query, parameters=asked).result_rows]


def _newest(known: dict[tuple[str, str], Alert], alerts: Iterable[Alert]) -> None:
    """Take alerts in among those known: of each the highest version counts."""
    for alert in alerts:
        before = known.get((alert.tenant, alert.id))
        if before is None or before.version < alert.version:
            known[alert.tenant, alert.id] = alert


def _pieces(asked: Sequence[str]) -> Iterator[Sequence[str]]:
    return (asked[first : first + ASKED_MAX] for first in range(0, len(asked), ASKED_MAX))
