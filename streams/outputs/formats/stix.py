"""A STIX 2.1 bundle: an incident, the account, what was observed of it, and the reasons in a note (OASIS, 10 June 2021)."""

from __future__ import annotations

import json
from typing import Final
from uuid import UUID, uuid5

from sentinel.core.alert import rfc3339
from streams.outputs.contract import Format, Telling
from streams.outputs.product import PRODUCT

OBSERVABLES: Final = UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")  # STIX 2.1, 2.9: the namespace of observables' ids
OURS: Final = uuid5(OBSERVABLES, "sentinel")
VERSION_US: Final = 1_000  # a story's later states are modified a millisecond later each, even where nothing was seen since


def render(telling: Telling) -> dict[str, object]:
    """Return the bundle. Ids are derived: an update has the objects of what it updates, modified later."""
    alert = telling.alert
    account = _id("user-account", json.dumps({"user_id": alert.actor}, separators=(",", ":"), ensure_ascii=False), OBSERVABLES)
    ids = {kind: _id(kind, f"{alert.id} {kind}") for kind in ("incident", "observed-data", "note")}
    author = _id("identity", PRODUCT)
    common = {
        "spec_version": "2.1",
        "created_by_ref": author,
        "created": _time(alert.first_seen),
        "modified": _time(alert.last_seen + alert.version * VERSION_US),
        "labels": [*alert.detectors],
        "external_references": [
            {"source_name": PRODUCT, "external_id": alert.id} | ({"url": telling.link} if telling.link else {})
        ],
    }
    about = [ids["incident"], ids["observed-data"], account]
    return {
        "type": "bundle",
        "id": _id("bundle", telling.id),
        "objects": [
            _author(author),
            {"type": "user-account", "spec_version": "2.1", "id": account, "user_id": alert.actor},
            {"type": "incident", "id": ids["incident"], "name": telling.title, "description": "\n".join(telling.sentences)}
            | common,
            {"type": "observed-data", "id": ids["observed-data"]} | common | _observed(telling, account),
            {"type": "note", "id": ids["note"], "abstract": telling.title, "content": _note(telling), "object_refs": about}
            | common,
        ],
    }


def _author(id_: str) -> dict[str, object]:
    moment = "2026-01-01T00:00:00.000Z"  # the same in every bundle: it is one identity
    told: dict[str, object] = {"created": moment, "modified": moment, "name": PRODUCT, "identity_class": "system"}
    return {"type": "identity", "spec_version": "2.1", "id": id_} | told


def _observed(telling: Telling, account: str) -> dict[str, object]:
    alert = telling.alert
    period = {"first_observed": _time(alert.first_seen), "last_observed": _time(alert.last_seen)}
    return period | {"number_observed": max(1, len(alert.event_ids)), "object_refs": [account]}


def _note(telling: Telling) -> str:
    """Return the whole alert, as JSON: STIX has no objects for patients and reasons."""
    return json.dumps(telling.alert.to_dict() | {"patient_count": telling.patients}, ensure_ascii=False)


def _id(kind: str, name: str, space: UUID = OURS) -> str:
    return f"{kind}--{uuid5(space, name)}"


def _time(moment_us: int) -> str:
    text = rfc3339(moment_us - moment_us % 1_000)
    return text if "." not in text else f"{text[:-4]}Z"  # milliseconds


FORMAT: Final = Format("stix", "STIX 2.1 bundle", "application/stix+json;version=2.1", render)
