"""Who writes the events of which people: inserts are tried against it, so that nobody stores what another has taken over."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Final

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from sentinel.core.errors import SupersededError
from sentinel.store import sql
from sentinel.store.client import is_embedded
from sentinel.store.errors import code_of, without_data

REFUSED: Final = frozenset({"395", "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"})


class Claims:
    """What one writer has claimed; nothing, to begin with. `owner` names this writer alone: drawn, for it may be a twin."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.owner = secrets.token_hex(8)
        self._partitions: list[int] = []

    def take(self, partitions: Collection[int]) -> None:
        """Claim partitions, these and no others. What others were about to store of them is stored or refused when this returns.

        Raises:
            StoreError: it is not certain whether they are claimed.
        """
        self._partitions = sorted(partitions)
        if not self._partitions:
            return
        asked = {"partitions": self._partitions, "owner": self.owner}
        with without_data("claim partitions"):
            self._client.command(sql.CLAIM, parameters=asked)
            before = [owner for (owner,) in self._client.query(sql.CLAIMED_BEFORE, parameters=asked).result_rows]
            if before and not is_embedded(self._client):
                self._client.command(sql.STOP_OF, parameters={"names": [f"{query_id_of(owner)}%" for owner in before]})

    @property
    def condition(self) -> str:
        """What an insert has to be tried against, as SQL; empty: nothing is claimed."""
        if not self._partitions:
            return ""
        return sql.IS_CLAIMED.format(owner=self.owner, partitions=", ".join(map(str, self._partitions)))

    @staticmethod
    def check(error: ClickHouseError) -> None:
        """Tell by the error of an insert that another has claimed a partition since.

        Raises:
            SupersededError: so it is.
        """
        if code_of(error) in REFUSED:
            raise SupersededError("another writer has taken over") from None


def query_id_of(owner: str) -> str:
    """Return what the ids of this writer's inserts begin with."""
    return f"sentinel-{owner}-"
