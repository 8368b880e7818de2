"""`sentinel outputs`: what an operator sees of it, tries, and drives again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from starlette.responses import Response
from typer.testing import CliRunner

from sentinel.cli import app
from sentinel.core.errors import RefusedToStartError, SentinelError
from streams.outbox import Outbox
from streams.outputs.contract import Section, Trouble
from tests.outputs.receiving import START_US, an_alert, receiver

FILE = """
webhook:
  - name: soc
    url: {url}
    authorization: env:SOC_TOKEN
    allow_plain: true
    allow_networks: [127.0.0.0/8]
"""


def run(*words: str):
    return CliRunner().invoke(app, ["outputs", *words])


@pytest.fixture
def soc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with receiver() as kept:
        (tmp_path / "outputs.yaml").write_text(FILE.format(url=kept.url))
        monkeypatch.setenv("SOC_TOKEN", "Bearer TOKEN")
        monkeypatch.setenv("SENTINEL_OUTPUTS", str(tmp_path / "outputs.yaml"))
        monkeypatch.setenv("SENTINEL_DATA", str(tmp_path / "data"))
        yield kept


def given_up(folder: Path) -> None:
    """Keep one alert that was told, one that waits, and two that were given up."""
    box = Outbox(folder)
    box.begin("")
    alerts = [an_alert(name) for name in "abcd"]
    box.take([alert.to_dict() for alert in alerts], "=4", {"soc": Section(name="soc")}, START_US)
    box.told(box.next("soc"))
    for _ in range(2):
        box.failed(box.next("soc"), Trouble.REFUSED, is_over=True)
    box.close()


def test_an_output_is_tried_with_an_alert_about_nobody(soc):
    """Taken or not, and why; one that is not described is refused."""
    assert run("try", "soc").exit_code == 0
    data = soc.posts[0].json["data"]
    assert (data["actor"], data["patients"], data["detectors"]) == ("sentinel-test", [], ["test"])
    assert soc.posts[0].headers["authorization"] == "Bearer TOKEN"
    soc.answers = iter([Response(status_code=401)])
    failed = run("try", "soc")
    assert isinstance(failed.exception, SentinelError)
    assert str(failed.exception) == "soc: not taken: unauthorised"
    assert isinstance(run("try", "mail").exception, RefusedToStartError)


def test_how_outputs_stand(soc, tmp_path: Path):
    """Before there is anything, and after."""
    assert json.loads(run("list", "--json").stdout)["outputs"] == [
        {"output": "soc", "kind": "webhook", "waiting": 0, "told": 0, "dead": 0}
    ]
    given_up(tmp_path / "data")
    assert json.loads(run("list", "--json").stdout)["outputs"] == [
        {"output": "soc", "kind": "webhook", "waiting": 1, "told": 1, "dead": 2}
    ]
    assert "webhook" in run("list").stdout


def test_what_was_given_up_is_listed_without_what_it_says_and_waits_again(soc, tmp_path: Path):
    """All or those named, oldest first."""
    given_up(tmp_path / "data")
    told = run("dead", "list", "--json").stdout
    listed = json.loads(told)["dead"]
    assert [(one["output"], one["alert"], one["code"], one["tries"]) for one in listed] == [
        ("soc", an_alert(name).id, "refused", 1) for name in "cb"
    ]
    assert not any(secret in told for secret in ("dr-martin", "PATIENT"))
    assert an_alert("c").id[:8] in run("dead", "list", "--output", "soc", "--limit", "1").stdout
    assert json.loads(run("dead", "list", "--output", "mail", "--json").stdout) == {"dead": []}
    assert json.loads(run("dead", "redrive", an_alert("c").id, "--json").stdout) == {"moved": 1}
    assert json.loads(run("dead", "redrive", "--json").stdout) == {"moved": 1}
    box = Outbox(tmp_path / "data")
    waiting = []
    while (entry := box.next("soc")) is not None:
        waiting.append(entry.alert_id)
        box.told(entry)
    box.close()
    assert waiting == [an_alert(name).id for name in "dcb"]


def test_a_sample_of_each_format(soc):
    """For whoever writes what reads it."""
    assert json.loads(run("sample", "ocsf").stdout)["class_uid"] == 2004
    assert run("sample", "cef").stdout.startswith("CEF:0|Sentinel|")
    assert isinstance(run("sample", "pigeon").exception, RefusedToStartError)
