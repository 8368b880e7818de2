"""A folder of files is read whole, in order, whatever some of them are worth."""

from __future__ import annotations

import gzip
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import zstandard

from sentinel.core.context import ActorAlias, CareLink, PatientRecord, StaffMember, Stay, Unit, Withdrawn
from sentinel.core.errors import RejectionCode
from streams.context import folder as module
from streams.context.fhir import CONTEXT_TYPES
from streams.context.folder import ORDER, FileRejection, load, size, unread
from tests.real import REAL, needs_real

TEN = "2024-03-01T10:00:00Z"


def lines(*resources: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(resource).encode() + b"\n" for resource in resources)


def a_unit(name: str) -> dict[str, Any]:
    return {"resourceType": "Organization", "id": name}


def a_patient(name: str) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": name}


def units(folder: Path) -> list[str]:
    return [record.unit for record in load(folder) if isinstance(record, Unit)]


def rejections(folder: Path) -> list[tuple[str, int, str, str]]:
    found = [record for record in load(folder) if isinstance(record, FileRejection)]
    return [(rejection.file, rejection.line, rejection.code, rejection.pointer) for rejection in found]


def test_files_come_in_the_order_of_their_types(tmp_path: Path) -> None:
    """Units, staff, positions, patients, care: whatever the file names' own order and form."""
    encounter = {"resourceType": "Encounter", "id": "e", "subject": {"reference": "Patient/p"}, "period": {"start": TEN}}
    (tmp_path / "Encounter.ndjson").write_bytes(lines({**encounter, "serviceProvider": {"reference": "Organization/u"}}))
    (tmp_path / "Appointment.csv").write_text(f"id,patient,practitioner,start\na,p,d,{TEN}\n")
    (tmp_path / "Patient.json").write_text(json.dumps(a_patient("p"), indent=2))
    (tmp_path / "PractitionerRole.csv").write_text("id,practitioner\nr,d\n")
    (tmp_path / "Practitioner.ndjson.zst").write_bytes(zstandard.compress(lines({"resourceType": "Practitioner", "id": "d"})))
    (tmp_path / "Organization.csv.gz").write_bytes(gzip.compress(b"id,name\nu,U\n"))
    kinds = [type(record) for record in load(tmp_path) if not isinstance(record, Withdrawn)]
    assert kinds[:3] == [Unit, StaffMember, ActorAlias]
    assert kinds[-3:] == [PatientRecord, Stay, CareLink]
    assert set(ORDER) == CONTEXT_TYPES | {"Bundle"}


@pytest.mark.parametrize(
    "name",
    ["Organization.ndjson", "organization.NDJSON", "Organization.jsonl", "Organization.0001.ndjson", "Organization-2.ndjson",
     "Organization_x.ndjson", "1.Organization.ndjson", "Organization.json", "Bundle.ndjson"],
)  # fmt: skip
def test_a_file_is_known_by_the_type_it_names(tmp_path: Path, name: str) -> None:
    """Also numbered parts of an export; lines under .json are lines all the same."""
    (tmp_path / name).write_bytes(lines(a_unit("a"), a_unit("b")))
    assert units(tmp_path) == ["a", "b"]
    assert unread(tmp_path) == []


@pytest.mark.parametrize("name", ["labels.tsv", "README.md", "Organization", "Organization.xml", "Organization.ndjson.bz2"])
def test_other_files_are_no_context(tmp_path: Path, name: str) -> None:
    """They may lie there."""
    (tmp_path / name).write_bytes(lines(a_unit("a")))
    (tmp_path / "Patient.ndjson").mkdir()
    assert list(load(tmp_path)) == []
    assert unread(tmp_path) == []


@pytest.mark.parametrize("name", ["Consent.ndjson", "patients.csv", "Organizations.json.gz", "export.ndjson"])
def test_a_data_file_of_no_type_that_is_read_is_named(tmp_path: Path, name: str) -> None:
    """So that a misnamed file does not go unnoticed."""
    (tmp_path / name).write_bytes(b"x")
    assert list(load(tmp_path)) == []
    assert unread(tmp_path) == [name]


def test_a_bundle_file_is_its_resources(tmp_path: Path) -> None:
    """Under any name that is read, on one line or over many."""
    bundle = {"resourceType": "Bundle", "entry": [{"resource": a_unit("a")}, {"resource": {"resourceType": "Group"}}]}
    (tmp_path / "Bundle-export.json").write_text(json.dumps(bundle, indent=1))
    (tmp_path / "Organization.json").write_text(json.dumps(bundle))
    assert units(tmp_path) == ["a", "a"]


def test_a_bad_line_is_told_with_its_number(tmp_path: Path) -> None:
    """The good ones go on; blank lines count and say nothing; a row's line is where it starts."""
    good, bad = lines(a_unit("a")), b'{"resourceType":"Organization","id":3}\n'
    (tmp_path / "Organization.ndjson").write_bytes(good + b"\n" + bad + good + b"\xff\n" + b'{"resourceType":"Consent"}\n' + good)
    (tmp_path / "Patient.csv").write_bytes('id,family\np1,"A\nB"\np2,\u00e9\n,\nx,y,z\n'.encode() + b"p3,\xe9\np4,D\n")
    entry = {"resource": {"resourceType": "Encounter", "id": "e"}}
    (tmp_path / "Encounter.json").write_text(json.dumps({"resourceType": "Bundle", "entry": [entry]}))
    assert rejections(tmp_path) == [
        ("Organization.ndjson", 3, "wrong-type", "/id"),
        ("Organization.ndjson", 5, "unparseable", ""),
        ("Organization.ndjson", 6, "not-an-event", "/resourceType"),
        ("Patient.csv", 6, "unparseable", ""),
        ("Patient.csv", 7, "not-utf8", ""),
        ("Encounter.json", 1, "missing-field", "/entry/0/resource/period/start"),
    ]
    assert units(tmp_path) == ["a", "a", "a"]
    assert [record.patient_id for record in load(tmp_path) if isinstance(record, PatientRecord)] == ["p1", "p2", "p4"]


@pytest.mark.parametrize(("suffix", "compress"), [("gz", gzip.compress), ("zst", zstandard.compress)])
def test_a_compressed_file_may_be_in_parts_or_cut_short(tmp_path: Path, suffix: str, compress: Any) -> None:
    """Parts follow each other; what is read before the damage counts, and the damage is told."""
    path = tmp_path / f"Organization.ndjson.{suffix}"
    part = lines(*(a_unit(os.urandom(20).hex()) for _ in range(5_000)))
    path.write_bytes(compress(part) + compress(lines(a_unit("last"))))
    assert len(units(tmp_path)) == 5_001
    path.write_bytes(compress(part)[:-100])
    found = list(load(tmp_path))
    assert isinstance(found[-1], FileRejection)
    assert (found[-1].code, found[-1].line) == (RejectionCode.UNPARSEABLE, len(found))
    assert len(found) > 4_000
    path.write_bytes(b"not compressed at all")
    assert rejections(tmp_path) == [(path.name, 1, "unparseable", "")]


def test_progress_adds_up_to_the_size(tmp_path: Path) -> None:
    """Octets read on disk, file by file, compressed or not, empty or not."""
    (tmp_path / "Organization.ndjson").write_bytes(lines(*(a_unit(str(number)) for number in range(2_500))))
    (tmp_path / "Location.ndjson.gz").write_bytes(gzip.compress(lines({"resourceType": "Location", "id": "l"})))
    (tmp_path / "Patient.ndjson").write_bytes(b"")
    steps: list[int] = []
    list(load(tmp_path, steps.append))
    assert sum(steps) == size(tmp_path) > 0
    assert len(steps) > 3
    assert min(steps) >= 0


def test_a_line_or_document_too_large_is_refused_and_the_next_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits hold for what one record may take in memory."""
    monkeypatch.setattr(module, "LINE_MAX", 1_000)
    monkeypatch.setattr(module, "DOCUMENT_MAX", 5_000)
    large = {**a_unit("large"), "name": "x" * 3_500}
    (tmp_path / "Organization.ndjson").write_bytes(lines(a_unit("a"), large, a_unit("b")))
    (tmp_path / "Location.json").write_text(" " * 5_001)
    assert rejections(tmp_path) == [("Organization.ndjson", 2, "too-large", ""), ("Location.json", 1, "too-large", "")]
    assert units(tmp_path) == ["a", "b"]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """A file is streamed: reading 16 MB, compressed to little, takes a small part of that."""
    line = lines({**a_unit("u"), "name": "x" * 2_000})
    (tmp_path / "Organization.ndjson.zst").write_bytes(zstandard.compress(line * 8_000))
    tracemalloc.start()
    for _ in load(tmp_path):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The caller named it."""
    with pytest.raises(OSError, match="nowhere"):
        list(load(tmp_path / "nowhere"))


@needs_real
def test_real_context_resources_go_through() -> None:
    """The BALP guide's own examples: all that are context are read, none is refused."""
    folders = sorted(REAL.glob("fhir_balp/**/_context"))
    assert folders
    for folder in folders:
        found = list(load(folder))
        assert not [record for record in found if isinstance(record, FileRejection)]
        kinds = {type(record).__name__ for record in found}
        assert {"StaffMember", "PatientRecord", "Unit"} <= kinds
        assert {name.partition("-")[0] for name in unread(folder)} == {"Binary", "Consent", "List", "MeasureReport"}
