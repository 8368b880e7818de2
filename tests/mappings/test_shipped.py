"""Mappings that come with Sentinel: their own tests hold, nothing makes them fail or quote, real files go through."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.event import EPOCH, AccessEvent
from streams.files import opened
from streams.mappings.checking import differences
from streams.mappings.compiling import compiled
from streams.mappings.encodings import Encoding
from streams.mappings.loading import load, untested
from streams.mappings.names import files
from streams.mappings.reading import parse
from streams.sources.contract import Decoded, Source
from tests.real import REAL, needs_real

FILES: Final = files()
LOADED: Final = {name: untested(path) for name, path in FILES.items()}
each = pytest.mark.parametrize("name", sorted(FILES))
SECRET: Final = "SECRET-4f1d"


def records(name: str) -> list[bytes]:
    """Return all records of a mapping's own tests."""
    mapping, source = LOADED[name]
    assert source.split is not None
    encoding = Encoding(mapping.encoding)
    return [record for sample in mapping.tests for record in source.split(encoding.encode(sample.record))]


@each
def test_its_own_tests_hold(name: str) -> None:
    """With at least one event, and one record that is refused."""
    mapping, source = LOADED[name]
    assert differences(mapping, source) == []
    assert any(sample.events for sample in mapping.tests)
    assert any(sample.rejected for sample in mapping.tests)
    assert mapping.about


@each
def test_every_row_is_a_valid_event(name: str) -> None:
    """Rows vouch for what the reference model checks."""
    rows = LOADED[name][1].decode(records(name)).rows
    assert rows
    for row in rows:
        assert all(type(value) in (str, int) for value in row)
        told = {field: value for field, value in row._asdict().items() if field not in {"sub", "marks"}}
        micro = told.pop("occurred_at")
        AccessEvent.model_validate({**told, "occurred_at": EPOCH.fromtimestamp(micro / 1e6, EPOCH.tzinfo)})


@each
def test_where_batches_are_cut_changes_nothing(name: str) -> None:
    """A record means the same alone, in a batch, and the second time."""
    source, all_of_them = LOADED[name][1], records(name)
    whole = source.decode(all_of_them)
    parts = [source.decode([record]) for record in all_of_them]
    assert [row for part in parts for row in part.rows] == whole.rows
    assert sum(part.skipped for part in parts) == whole.skipped
    assert Counter(one.code for part in parts for one in part.rejections) == Counter(one.code for one in whole.rejections)
    assert source.decode(tuple(all_of_them)) == whole


@each
@settings(max_examples=60)
@given(data=st.data())
def test_mutated_records_are_refused_or_read(name: str, data: st.DataObject) -> None:
    """Never more than that: no exception, no row that the reference model would refuse, records in order."""
    source = LOADED[name][1]
    mutated = []
    for record in data.draw(st.lists(st.sampled_from(records(name)), max_size=4)):
        start = data.draw(st.integers(0, len(record)))
        length = data.draw(st.integers(0, 20))
        mutated.append(record[:start] + data.draw(st.binary(max_size=20)) + record[start + length :])
    decoded = source.decode(mutated)
    assert decoded.records == sorted(decoded.records)
    assert len(decoded.records) == len(decoded.rows)
    assert all(0 <= one.index < len(mutated) for one in decoded.rejections)
    assert all(len(row.actor_id) in range(1, 257) and row.id for row in decoded.rows)


@each
def test_no_rejection_quotes_a_record(name: str) -> None:
    """Every word of a record replaced by a secret, one by one: nothing of it is in any refusal."""
    source = LOADED[name][1]
    for record in records(name):
        text = record.decode()
        planted = [text[: word.start()] + SECRET + text[word.end() :] for word in re.finditer(r"[\w.:+-]+", text)]
        refused = source.decode([one.encode() for one in planted]).rejections
        assert SECRET not in repr(refused)


@each
def test_no_record_takes_long(name: str) -> None:
    """Long runs of what patterns and quotes begin with: under a second of work for a record of 200 kB."""
    source = LOADED[name][1]
    head, _, _ = records(name)[0].partition(b"\n")
    for unit in (b'"', b"a", b"=", b'a="', b'a="\\', b"[", b"<a>", b" ", b"2026-03-02T09:15:02+01:00 ", b",", b"\n", b"{"):
        began = time.process_time()
        source.decode([head + b"\n" + unit * (200_000 // len(unit)), unit * (200_000 // len(unit))])
        assert time.process_time() - began < 4, unit


def real(source: Source, path: str) -> Decoded:
    """Return what a real file becomes, cut as files are."""
    together = Decoded()
    assert source.cut is not None
    with opened(str(REAL / path)) as stream:
        for _, some in source.cut(stream):
            decoded = source.decode(some)
            together.rows += decoded.rows
            together.rejections += decoded.rejections
            together.skipped += decoded.skipped
    return together


def raw_lines(path: str) -> list[bytes]:
    """Return the raw lines of a file that has each beside what others made of it."""
    return [json.loads(line)["raw"].encode() for line in (REAL / path).read_text(encoding="utf-8").splitlines()]


@needs_real
@pytest.mark.parametrize(
    ("name", "path", "rows", "skipped"),
    [
        ("bahmni_audit_log", "his_audit/bahmni/auditlog.ndjson", 2, 0),
        ("openmrs_auditlog", "his_audit/openmrs_auditlog/moduleTestData-initialAuditLogs.xml", 4, 2),
        ("postgresql_csvlog", "db_audit/pgaudit/cnpg-csvlog-pgaudit.csv", 2, 0),
        ("web_access_combined", "web_access/apache/elastic-apache_logs.gz", 4_594, 5_406),
        ("mariadb_server_audit", "db_audit/mariadb/mariadb-server_audit.log", 31, 5),
        ("mysql_enterprise_audit", "db_audit/mysql/mysql-enterprise-audit_json.log", 4, 2),
    ],
)
def test_a_real_file_goes_through(name: str, path: str, rows: int, skipped: int) -> None:
    """All of it is read or passed over on purpose."""
    decoded = real(load(FILES[name]), path)
    assert (len(decoded.rows), decoded.skipped, decoded.rejections) == (rows, skipped, [])


@needs_real
def test_two_thousand_lines_of_sshd() -> None:
    """In the traditional form, with the year and format that `about` tells to add: all failures, both ends of a session."""
    text = FILES["linux_auth"].read_text(encoding="utf-8")
    text = text.replace("format: lines\n", "format: lines\nyear: 2015\n").replace(
        "format: iso", 'format: [iso, "%b %d %H:%M:%S"]'
    )
    decoded = real(compiled(parse(text.encode(), "linux_auth.yaml")), "linux_auth/loghub-OpenSSH_2k.log")
    lines = (REAL / "linux_auth/loghub-OpenSSH_2k.log").read_text(encoding="utf-8").splitlines()
    failed = sum("Failed " in line for line in lines)
    assert Counter(row.action for row in decoded.rows) == {"login-failed": failed, "login": 1, "logout": 1}
    assert not decoded.rejections


@needs_real
def test_audited_acts_of_mongodb() -> None:
    """A file an act, some with remarks of their collector around it; one is no JSON, one holds no act: both are refused."""
    source, actors, refused = LOADED["mongodb_audit"][1], Counter[str](), []
    for path in sorted((REAL / "db_audit/mongodb/mongo-audit").iterdir()):
        try:
            document = json.loads(path.read_bytes())
        except ValueError:
            document = {}
        decoded = source.decode([json.dumps(document.get("mongoaudit", document)).encode()])
        actors.update(row.actor_id for row in decoded.rows)
        refused += [path.name] * len(decoded.rejections)
    assert refused == ["bulk.json", "insert.json"]
    assert actors == {"admin": 20, "unauthenticated": 9, "BILL": 2, "superuser": 2, "realadmin": 1}


@needs_real
@pytest.mark.parametrize(
    ("name", "path", "refused"),
    [
        # Error lines of nginx, and its JSON forms, which are other formats.
        ("web_access_combined", "web_access/nginx/sekoia-nginx.ndjson", 9),
        ("fortigate_vpn", "vpn_firewall/fortigate/sekoia-fortigate.ndjson", 0),
    ],
)
def test_real_lines_beside_what_others_made_of_them(name: str, path: str, refused: int) -> None:
    """Who, when and from where are what the vendor-neutral answer says, where it says it."""
    source = LOADED[name][1]
    expected = [json.loads(line)["expected_ecs"] for line in (REAL / path).read_text(encoding="utf-8").splitlines()]
    decoded = source.decode(raw_lines(path))
    assert decoded.rows
    assert len({one.index for one in decoded.rejections}) == refused
    for row, index in zip(decoded.rows, decoded.records, strict=True):
        _agrees(row._asdict(), expected[index])


def _agrees(row: dict[str, Any], ecs: dict[str, Any]) -> None:
    moment = (EPOCH.fromtimestamp(row["occurred_at"] // 1_000_000, EPOCH.tzinfo)).isoformat().removesuffix("+00:00")
    if "\n" in ecs.get("message", ""):
        return  # two messages, of which theirs is the other
    if "@timestamp" in ecs and "FortiAuthenticator" not in ecs["message"]:  # whose offset theirs takes off twice
        assert ecs["@timestamp"].startswith(moment)
    told = {ecs.get("source", {}).get("ip"), ecs.get("source", {}).get("address"), ecs.get("client", {}).get("ip")} - {None}
    if told and row["client_address"]:
        assert row["client_address"] in told
