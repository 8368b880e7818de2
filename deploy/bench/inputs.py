"""The input of the measurements: the first events of a simulated hospital, as FHIR and as Sentinel's own JSON."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Final

FHIR, OWN = "fhir_auditevent", "sentinel_json"
HEAD_EVENTS: Final = 1_000
SEED: Final = 11
_ROOT: Final = Path(__file__).parent.parent.parent
_MADE_BY: Final = ("models/hospital", "streams/sources", "deploy/bench/inputs.py")  # a change of these makes it anew


@dataclass(frozen=True, slots=True)
class Wanted:
    """A hospital and how many of its events, in rows of Sentinel's; FHIR is left out where nobody reads it."""

    name: str
    events: int
    staff: int
    days: int
    with_fhir: bool = True


@dataclass(frozen=True, slots=True)
class Input:
    """What was made, in `folder`: `context/`, and of each format all events, their head and their first tenth.

    `resources`: how many FHIR AuditEvents gave the `events`; one on several patients gives several.
    """

    folder: Path
    resources: int
    events: int
    own_bytes: int
    fhir_bytes: int

    def file(self, format_name: str, part: str = "all") -> Path:
        """Return the file of one format; `part` is `all`, `tenth` or `head`."""
        return self.folder / f"{format_name}.{part}.ndjson"

    @property
    def context(self) -> Path:
        """The folder of context."""
        return self.folder / "context"


def wanted(events: int) -> Wanted:
    """Return the hospital of the throughput measurements: 400 staff, fewer for few events, for as long as it takes."""
    staff = min(400, max(40, events // 750))
    return Wanted("throughput", events, staff, _days(events, staff))


def wanted_for_memory(events: int) -> Wanted:
    """Return the hospital of the memory measurement: 100 staff at most, so that time grows rather than people."""
    staff = min(100, max(40, events // 750))
    return Wanted("memory", events, staff, _days(events, staff), with_fhir=False)


def _days(events: int, staff: int) -> int:
    """Return the days in which `staff` people surely give so many events: about 20 each a day."""
    return max(7, -(-events // (staff * 17)))


def cached(folder: Path, want: Wanted) -> Input | None:
    """Return the input made before by the same code; None when there is none."""
    note = _place(folder, want) / "input.json"
    return Input(note.parent, **json.loads(note.read_text("utf-8"))) if note.is_file() else None


def _place(folder: Path, want: Wanted) -> Path:
    digest = blake2b(repr(asdict(want)).encode(), digest_size=8)
    for part in _MADE_BY:
        for file in sorted(_ROOT.glob(part if part.endswith(".py") else f"{part}/**/*.py")):
            digest.update(file.read_bytes())
    return folder / f"{want.name}-{digest.hexdigest()}"


def make(folder: Path, want: Wanted) -> None:
    """Make the input; one made by other code, or of another size, is dropped."""
    from models.hospital import Hospital, HospitalSettings  # noqa: PLC0415 - the parent stays small

    for old in folder.glob(f"{want.name}-*"):
        shutil.rmtree(old)
    place = _place(folder, want)
    (place / "context").mkdir(parents=True)
    hospital = Hospital(HospitalSettings(seed=SEED, staff=want.staff, days=want.days))
    for kind, lines in hospital.context().items():
        (place / "context" / f"{kind}.ndjson").write_bytes(b"".join(line + b"\n" for line in lines))
    resources = (event.resource for event in hospital.events())
    counts = _write_events(Input(place, 0, 0, 0, 0), resources, want)
    (place / "input.json").write_text(json.dumps(counts), encoding="utf-8")


def _write_events(to: Input, resources: Iterator[bytes], want: Wanted) -> dict[str, int]:
    """Write the first `want.events` events, whole resources alone, and return the counts of an `Input`."""
    counts = {"resources": 0, "events": 0, "own_bytes": 0, "fhir_bytes": 0}
    parts = {"all": want.events, "tenth": want.events // 10, "head": min(HEAD_EVENTS, want.events // 2)}
    with ExitStack() as files:
        own = {part: files.enter_context(to.file(OWN, part).open("wb")) for part in parts}
        fhir = {part: files.enter_context(to.file(FHIR, part).open("wb")) for part in parts} if want.with_fhir else {}
        while counts["events"] < want.events and (resource := next(resources, None)) is not None:
            lines = own_lines(resource)
            for part, limit in parts.items():
                if counts["events"] < limit:
                    own[part].writelines(lines)
                    if want.with_fhir:
                        fhir[part].write(resource + b"\n")
            counts["resources"] += 1
            counts["events"] += len(lines)
            counts["own_bytes"] += sum(map(len, lines))
            counts["fhir_bytes"] += len(resource) + 1
    return counts


def own_lines(resource: bytes) -> list[bytes]:
    """Return an AuditEvent as lines of Sentinel's own format: one a patient, what is not told left out."""
    import msgspec  # noqa: PLC0415

    from sentinel.core.event import EPOCH, AccessEvent  # noqa: PLC0415
    from streams.sources.fhir_auditevent import SOURCE  # noqa: PLC0415

    untold = {name: field.default for name, field in AccessEvent.model_fields.items()}
    lines = []
    for row in SOURCE.decode([resource]).rows:
        told = {name: value for name, value in row._asdict().items() if name in untold and value != untold[name]}
        told["id"] = f"{row.id}#{row.sub}" if row.sub else row.id
        told["occurred_at"] = (EPOCH + timedelta(microseconds=row.occurred_at)).isoformat().replace("+00:00", "Z")
        lines.append(msgspec.json.encode(told) + b"\n")
    return lines


if __name__ == "__main__":
    make(Path(sys.argv[1]), Wanted(**json.loads(sys.argv[2])))
