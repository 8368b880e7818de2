"""Sentinel's own format: one `AccessEvent` as a JSON object a line, times in RFC 3339, what is not told left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sentinel.core.errors import RejectedError, Rejection
from streams.sources.contract import Decoded, Source
from streams.sources.shared.own import own_row

if TYPE_CHECKING:
    from collections.abc import Sequence


def decode(records: Sequence[bytes]) -> Decoded:
    """Return the rows of all good records in their order, and why the others were refused."""
    decoded = Decoded()
    for index, record in enumerate(records):
        try:
            row = own_row(record)
        except RejectedError as error:
            decoded.rejections.append(Rejection(index, error.code, error.pointer, error.detail))
        else:
            decoded.rows.append(row)
            decoded.records.append(index)
    return decoded


SOURCE: Final = Source(
    name="sentinel_json",
    title="Sentinel's own events, NDJSON",
    decode=decode,
    media_types=("application/x-ndjson", "application/json"),
)
