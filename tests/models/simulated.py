"""A simulated hospital on disk, and what its resources say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from models.hospital import HospitalSettings

SETTINGS = HospitalSettings(seed=7, staff=60, days=10, start=date(2026, 3, 23), misuse_per_kind=1)

Json = dict[str, Any]


class Written:
    """A hospital on disk, and read back."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.context = {file.stem: [*_ndjson(file)] for file in sorted((out / "context").glob("*.ndjson"))}
        self.events = [*_ndjson(out / "events.ndjson")]
        rows = [line.split("\t") for line in (out / "labels.tsv").read_text("utf-8").splitlines()]
        self.labels = {event: label for event, label, _ in rows}
        self.cases = {event: case for event, _, case in rows}

    def ordinary(self) -> list[Json]:
        """Return the events without a label."""
        return [event for event in self.events if event["id"] not in self.labels]

    def misuse(self, kind: str) -> list[Json]:
        """Return the events of one kind of misuse."""
        return [event for event in self.events if self.labels.get(event["id"]) == kind]

    def by_id(self, kind: str) -> dict[str, Json]:
        """Return the context's resources of a type."""
        return {resource["id"]: resource for resource in self.context[kind]}


def _ndjson(file: Path) -> Iterator[Json]:
    yield from map(msgspec.json.decode, file.read_bytes().splitlines())


def references_of(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for part in value.values():
            yield from references_of(part)
    elif isinstance(value, list):
        for part in value:
            yield from references_of(part)


def actor_of(event: Json) -> str:
    return str(event["agent"][0]["who"]["reference"])


def is_by_service(event: Json) -> bool:
    return actor_of(event).startswith("Device/")


def patients_of(event: Json) -> list[str]:
    return [e["what"]["reference"][8:] for e in event["entity"] if e.get("role", {}).get("code") == "1"]


def civil_of(resource: Json) -> tuple[str, str, str]:
    name = resource["name"][0]
    return name["family"], name["given"][0], resource["birthDate"]


def home_of(resource: Json) -> tuple[str, str]:
    return resource["address"][0]["line"][0], resource["address"][0]["city"]
