"""`sentinel sources` and whatever else takes a format's name know mappings as they know any format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from sentinel import assembly
from sentinel.cli import app
from sentinel.core.errors import RefusedToStartError
from sentinel.settings import Settings

SECRET = "SECRET-4f1d"
MAPPING = """mapping: tried
title: A log
format: csv
fields:
  occurred_at: when
  action: {from: what, map: {open: read, search: search}}
  actor_id: who
  patient_id: patient
tests:
  - record: |
      when,what,who,patient
      2026-03-02 09:00:00,open,ann,p1
    events:
      - {occurred_at: "2026-03-02T08:00:00Z", action: read, actor_id: ann, patient_id: p1}
"""
LOG = f"""when,what,who,patient
2026-03-02 09:00:00,open,{SECRET},p1
2026-03-02 09:01:00,search,{SECRET},
never,open,{SECRET},p1
2026-03-02 09:02:00,{SECRET},ann,p1
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a mapping that the settings name, and a log."""
    (tmp_path / "tried.yaml").write_text(MAPPING, encoding="utf-8")
    (tmp_path / "log.csv").write_text(LOG, encoding="utf-8")
    monkeypatch.setenv("SENTINEL_MAPPINGS", json.dumps([str(tmp_path)]))
    return tmp_path


def run(*words: object) -> Result:
    """Run `sentinel sources`."""
    return CliRunner().invoke(app, ["sources", *map(str, words)], env={"COLUMNS": "250"})


def told(*words: object, code: int = 0) -> Any:
    """Return what it prints for machines."""
    result = run(*words, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_list(folder: Path) -> None:
    """Those programmed, those shipped, the hospital's own."""
    kinds = {one["name"]: one["kind"] for one in told("list")["sources"]}
    assert folder
    assert (kinds["sentinel_json"], kinds["linux_auth"], kinds["tried"]) == ("built-in", "mapping", "mapping")
    assert "tried" in run().output


def test_settings_may_name_the_formats_that_are_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then no other is, and one that is not there is refused."""
    monkeypatch.setenv("SENTINEL_SOURCES", '["tried", "sentinel_json"]')
    assert [one["name"] for one in told("list")["sources"]] == ["sentinel_json", "tried"]
    assert folder
    with pytest.raises(RefusedToStartError, match="no such format: nothing"):
        assembly.sources(Settings.read(sources=("nothing",)))


def test_show() -> None:
    """The file as it is, to be copied."""
    assert run("show", "linux_auth").stdout.startswith("mapping: linux_auth\n")
    assert isinstance(run("show", "nothing").exception, RefusedToStartError)


def test_test(folder: Path) -> None:
    """A mapping's own tests, by its file or by its name; what they hold is shown when asked for."""
    assert told("test", folder / "tried.yaml", "linux_auth")["passed"] == {"tried": True, "linux_auth": True}
    (folder / "tried.yaml").write_text(MAPPING.replace("actor_id: ann", f"actor_id: {SECRET}"), encoding="utf-8")
    answer = told("test", "tried", code=1)
    assert answer["passed"] == {"tried": False}
    assert SECRET not in json.dumps(answer)
    assert SECRET in json.dumps(told("test", "tried", "--show-values", code=1))


def test_a_mapping_without_tests_has_not_passed(folder: Path) -> None:
    """It loads, but nobody has said what it should do."""
    (folder / "tried.yaml").write_text(MAPPING.partition("tests:")[0], encoding="utf-8")
    assert told("test", "tried", code=1)["passed"] == {"tried": False}


def test_try(folder: Path) -> None:
    """What came from where, what is missing, which lines were refused and why, and what that keeps from being found."""
    answer = told("try", "tried", folder / "log.csv", code=1)
    assert (answer["records"], answer["events"], answer["refused_records"], answer["understood"]) == (4, 2, 2, 0.5)
    fields = {one["name"]: one for one in answer["fields"]}
    assert (fields["action"]["origin"], fields["action"]["values"]) == ("what, map", {"read": 1, "search": 1})
    assert (fields["patient_id"]["told"], fields["device"]["told"]) == (1, 0)
    refusals = [(one["code"], one["pointer"], one["lines"]) for one in answer["refusals"]]
    assert refusals == [("bad-time", "/when", [4]), ("bad-value", "/what", [5])]
    silent = {one["detector"]: one for one in answer["silent"]}
    assert silent["shared_account"]["missing"] == ["field device"]
    assert "Encounter" in silent["no_care_relation"]["context"]
    assert {one["name"] for one in answer["reasons"]} >= {"stay-in-unit"}


def test_try_prints_no_more_than_that(folder: Path) -> None:
    """Unless it is asked to show values."""
    assert SECRET not in run("try", "tried", folder / "log.csv").output
    assert SECRET not in json.dumps(told("try", "tried", folder / "log.csv", code=1))
    assert SECRET in run("try", "tried", folder / "log.csv", "--show-values").output


def test_try_with_context(folder: Path) -> None:
    """How many of the people and patients the context knows, and which kinds it has not."""
    context = folder / "context"
    context.mkdir()
    (context / "Practitioner.csv").write_text("id,name\nann,Ann\n", encoding="utf-8")
    (context / "Patient.csv").write_text("id,name\np1,P\n", encoding="utf-8")
    answer = told("try", "tried", folder / "log.csv", "--context", context, code=1)
    assert answer["known"] == {"actors": 0.0, "patients": 1.0}
    assert {one["detector"] for one in answer["silent"] if one["context"] == ["Encounter"]} >= {"coworker_record"}
    assert "own_record" not in {one["detector"] for one in answer["silent"]}


def test_try_takes_formats_that_are_programmed_and_files_of_mappings(folder: Path) -> None:
    """A draft need not be in the settings, nor pass its tests."""
    (folder / "events.ndjson").write_text(
        '{"id": "1", "occurred_at": "2026-03-02T09:00:00Z", "action": "read", "actor_id": "a"}\n', encoding="utf-8"
    )
    assert told("try", "sentinel_json", folder / "events.ndjson")["understood"] == 1.0
    draft = folder / "elsewhere" / "mine.yaml"
    draft.parent.mkdir()
    draft.write_text(MAPPING.replace("mapping: tried", "mapping: mine").replace("ann, p", "bob, p"), encoding="utf-8")
    assert told("try", draft, folder / "log.csv", "--limit", 2)["records"] == 2
    assert isinstance(run("try", "nothing", folder / "log.csv").exception, RefusedToStartError)


def test_suggest_then_test_then_try(folder: Path) -> None:
    """The way an integrator goes: the draft of an unknown file is a mapping that reads it."""
    answer = told("suggest", folder / "log.csv", "--name", "mine")
    assert answer["decide"]
    out = folder / "drafts"
    out.mkdir()
    assert run("suggest", folder / "log.csv", "--name", "mine", "--out", out).exit_code == 0
    assert (out / "mine.yaml").read_text(encoding="utf-8") == answer["mapping"]
    assert isinstance(run("suggest", folder / "log.csv", "--name", "mine", "--out", out).exception, RefusedToStartError)
    assert told("try", out / "mine.yaml", folder / "log.csv", code=1)["events"] == 3


def test_replay_reads_a_mapping(folder: Path) -> None:
    """By its name as the settings find it, or by its file; what is refused is told with its line."""
    out = folder / "out"
    for name in ("tried", folder / "tried.yaml"):
        done = CliRunner().invoke(
            app, ["replay", "--format", str(name), "--events", str(folder / "log.csv"), "--out", str(out), "--json"]
        )
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["events"] == 2
        lines = [json.loads(line) for line in (out / "rejected.ndjson").read_text(encoding="utf-8").splitlines()]
        assert [(one["source"], one["line"], one["code"], one["pointer"]) for one in lines] == [
            ("tried", 4, "bad-time", "/when"),
            ("tried", 5, "bad-value", "/what"),
        ]


def test_a_mapping_that_cannot_be_used_refuses_the_start(folder: Path) -> None:
    """It names the file and what is wrong."""
    (folder / "tried.yaml").write_text(MAPPING.replace("actor_id: who", "actor_id: whom"), encoding="utf-8")
    with pytest.raises(RefusedToStartError, match="test 1: events differs"):
        assembly.sources(Settings.read())
    (folder / "tried.yaml").write_text(MAPPING.replace("tried", "sentinel_json"), encoding="utf-8")
    (folder / "tried.yaml").rename(folder / "sentinel_json.yaml")
    with pytest.raises(RefusedToStartError, match="there is a format of this name"):
        assembly.sources(Settings.read())


def test_kafka_has_a_topic_for_each_mapping_that_is_taken(folder: Path) -> None:
    """As for any format."""
    assert folder
    declared = assembly.topics(Settings.read(sources=("tried", "linux_auth")))
    assert {"tried", "linux_auth"} == set(declared.intake)
