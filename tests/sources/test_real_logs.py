"""Logs that real products wrote go through, but for those listed with their number and reason."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from sentinel.core.plugins import discover
from streams.sources.contract import Source
from tests.real import REAL, needs_real

SOURCES: Final = discover("streams.sources", "SOURCE", Source)

# What each file is read as, how many rows it gives, and what is refused of it. A person agreed to each.
FILES: Final[dict[str, tuple[str, int, dict[tuple[str, str], int]]]] = {
    # Times of PowerShell without an offset, and no other time beside them.
    "windows_ad/otrf-security-events.ndjson.gz": ("windows_security", 10_416, {("bad-time", "/TimeCreated"): 367}),
    # Sysmon and PowerShell are other channels.
    "windows_ad/sekoia-winlogbeat.ndjson": ("windows_security", 32, {("not-an-event", ""): 24}),
    "aws_cloudtrail/invictus-aws_dataset.ndjson.gz": ("aws_cloudtrail", 2_900, {}),
    "aws_cloudtrail/invictus-one-delivery-file.json": ("aws_cloudtrail", 2, {}),
    "aws_cloudtrail/ocsf-examples/API_Activity__samples__generic_api_activity.raw": ("aws_cloudtrail", 1, {}),
    "aws_cloudtrail/ocsf-examples/Account_Change__samples__account_change.raw": ("aws_cloudtrail", 1, {}),
    "aws_cloudtrail/ocsf-examples/Authentication__samples__authentication.raw": ("aws_cloudtrail", 1, {}),
    "aws_cloudtrail/ocsf-examples/API_Activity__samples__generic_api_activity.ocsf": ("ocsf", 1, {}),
    "aws_cloudtrail/ocsf-examples/Account_Change__samples__account_change.ocsf": ("ocsf", 1, {}),
    "aws_cloudtrail/ocsf-examples/Authentication__samples__authentication.ocsf": ("ocsf", 1, {}),
    # An event that names neither a user nor a client.
    "keycloak/rest-webhook-kafka-events.ndjson": ("keycloak", 5, {("no-actor", "/userId"): 1}),
    "keycloak/sekoia-keycloak-events.ndjson": ("keycloak", 6, {}),
    "entra_id/sekoia-entraid-graphapi.ndjson": ("entra_signin", 79, {}),
    "entra_id/tenzir-sign-ins.ndjson": ("entra_signin", 1, {}),
    "entra_id/tenzir-directory-audits.ndjson": ("entra_signin", 4, {}),
    "o365_ual/invictus-o365_dataset.ndjson.gz": ("microsoft365_audit", 9_608, {}),
    "o365_ual/invictus-export-head.csv": ("microsoft365_audit", 4, {}),
    "file_sharing/nextcloud/docs-admin_audit.ndjson": ("nextcloud_audit", 4, {}),
    "gcp_audit/sekoia-gcp-audit.ndjson": ("gcp_audit", 27, {}),
    "google_workspace/panther-oss-reports-samples.jsonl": ("google_workspace", 21, {}),
    "azure_activity/sekoia-azure-activity.ndjson": ("azure_activity", 4, {}),
    "azure_activity/sekoia-azure-key-vault.ndjson": ("azure_activity", 32, {}),
    "okta/panther-oss-okta-samples.jsonl": ("okta", 100, {}),
}

pytestmark = needs_real


def records(source: Source, path: Path) -> list[bytes]:
    """Return the records of a file; of a collection of raw lines (`raw`), each line on its own."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if path.name.startswith("sekoia-"):
        return [json.loads(line)["raw"].encode() for line in data.splitlines()]
    return source.split(data) if source.split else data.splitlines()


@pytest.mark.parametrize("name", FILES)
def test_a_real_log_goes_through(name: str) -> None:
    """All that says who and when is taken; the rest is in the table."""
    format_, rows, refused = FILES[name]
    source = SOURCES[format_]
    decoded = source.decode(records(source, REAL / name))
    assert Counter((one.code.value, one.pointer) for one in decoded.rejections) == refused
    assert len(decoded.rows) == rows
