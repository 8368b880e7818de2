"""Events in JSON of the Elastic Common Schema, nested or with dotted names, as shipped or as Elasticsearch gives them back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from sentinel.core.errors import RejectedError
from sentinel.core.errors import RejectionCode as Code
from streams.sources.elastic.schema import has_kind, rows_of
from streams.sources.shared.documents import Envelope, carried, json_source
from streams.sources.shared.trees import at, tree_of, undotted
from streams.sources.shared.values import derived_id, moment_of, told

if TYPE_CHECKING:
    from sentinel.core.event import EventRow
    from streams.sources.shared.trees import Tree


def _read(document: bytes) -> list[EventRow] | Envelope:
    tree = tree_of(document)
    if (envelope := _carried(tree)) is not None:
        return envelope
    event = undotted(tree)
    if not has_kind(event):
        raise RejectedError(Code.NOT_AN_EVENT, detail="neither an action nor a category nor a method")
    id_ = told(at(event, ("event", "id"))) or derived_id(document)
    return rows_of(event, id_, moment_of(event.get("@timestamp"), "/@timestamp", utc=True), "/user")


def _carried(tree: Tree) -> Envelope | None:
    """Return what Elasticsearch wraps: a document in `_source`, those of an answer in `hits.hits`."""
    hits = at(tree, ("hits", "hits"))
    if isinstance(tree.get("hits"), dict) and isinstance(hits, list):
        return carried("/hits/hits", [msgspec.json.encode(one) for one in hits])
    source = tree.get("_source")
    return Envelope([("/_source", msgspec.json.encode(source))]) if isinstance(source, dict) else None


SOURCE: Final = json_source("ecs", "Events of the Elastic Common Schema", _read)
