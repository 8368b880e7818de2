"""A file of rules, from the command line to the queue: checked, previewed, in force in a running service and in a replay."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from tests.rules.test_rules_file import a_file, a_suppression, a_watch_list
from tests.service.conftest import running  # noqa: F401  the fixture
from tests.service.test_service import LINES, until
from tests.service.test_verdicts import FAST, SETTINGS, START, forced, ordinary, sentinel
from tests.shadow.test_configurations import a_file as a_configuration

YEAR = {"from": f"{START.year}-01-01T00:00:00Z", "until": f"{START.year}-12-31T00:00:00Z"}
CALM = a_suppression(name="ann-types-badly", actors=["ann"], detectors=["brute_force_success"], **YEAR)
WATCH = a_watch_list(name="bea-is-watched", patients=[], actors=["bea"], raises=3, **YEAR)


def test_what_rules_keep_back_is_stored_and_told_on_request(running, tmp_path: Path) -> None:  # noqa: F811
    """The queue, the stream and the counts have the one that is told; who asks for the others gets them, with what hid them.

    A shadow that is switched on with the same start goes on from what the champion knew, and is told by its report alone.
    """
    path = a_file(tmp_path, suppressions=[CALM], watch_lists=[WATCH])
    service = running(program="tests.service.real_service", worker=FAST, settings=SETTINGS)
    service.start()
    service.wait_ready()

    def told(suppressed: str = "false") -> list[dict]:
        return httpx.get(f"{service.url}/v1/alerts", params={"suppressed": suppressed}).json()["alerts"]

    for who in ("ann", "bea"):
        httpx.post(f"{service.url}/v1/events", content=forced(who, 0), headers=LINES).raise_for_status()
    httpx.post(f"{service.url}/v1/events", content=ordinary(300), headers=LINES).raise_for_status()
    first = until(lambda: found if len(found := told()) == 2 else [])
    judged = next(alert["id"] for alert in first if alert["actor"] == "ann")
    assert sentinel("verdict", judged, "misuse", "--url", service.url).returncode == 0
    service.wait_processed()
    previewed = sentinel("rules", "preview", str(path), "--url", service.url, "--data", str(service.folder), "--json")
    assert previewed.returncode == 0, previewed.stderr
    found = json.loads(previewed.stdout)
    assert {(one["actor"], one["effect"], one["verdict"]) for one in found["alerts"]} == {
        ("ann", "hidden", "misuse"),
        ("bea", "raised", ""),
    }
    assert found["rules"]["ann-types-badly"]["hidden misuse"] == 1
    assert service.stop() == 0

    weightier = a_configuration(tmp_path, parameters={"brute_force_success": {"weight": 1.5}})
    service.options["settings"] = SETTINGS | {"rules": str(path), "shadow": weightier}
    service.start()
    service.wait_ready()
    for who in ("ann", "bea"):
        httpx.post(f"{service.url}/v1/events", content=forced(who, 20), headers=LINES).raise_for_status()
    service.wait_processed()
    hidden = until(lambda: told("true"))
    assert [(alert["actor"], alert["suppressed_by"]) for alert in hidden] == [("ann", ["ann-types-badly"])]
    (raised,) = until(lambda: [alert for alert in told() if "raised_by" in alert])
    assert raised["raised_by"] == ["bea-is-watched"]
    assert {alert["id"] for alert in told("all")} == {alert["id"] for alert in (*told(), *hidden)}
    page = httpx.get(f"{service.url}/").text
    assert hidden[0]["id"] not in page
    assert "ann-types-badly" in httpx.get(f"{service.url}/alerts/{hidden[0]['id']}").text
    assert "bea-is-watched" in httpx.get(f"{service.url}/alerts/{raised['id']}").text
    assert hidden[0]["id"] in httpx.get(f"{service.url}/?suppressed=yes").text
    reported = sentinel("shadow", "report", "--url", service.url, "--data", str(service.folder), "--json")
    assert reported.returncode == 0, reported.stderr
    beside = json.loads(reported.stdout)
    grown = next(line for line in beside["alerts"] if line["alert"] == raised["id"])
    assert (grown["change"], grown["shadow_priority"] > grown["priority"]) == ("moved", True)
    assert service.stop() == 0
    assert "bea" not in service.errors.read_text()


def test_a_replay_writes_what_is_kept_back_when_asked(tmp_path: Path) -> None:
    """`alerts.ndjson` holds what is told; with --suppressed the rest too; the summary counts both."""
    events, path = tmp_path / "events.ndjson", a_file(tmp_path, suppressions=[CALM])
    events.write_bytes(b"\n".join(forced(who, 0) for who in ("ann", "bea")))

    def replayed(*more: str) -> list[dict]:
        options = ("--events", str(events), "--format", "sentinel_json", "--rules", str(path), "--out", str(tmp_path))
        told = sentinel("replay", *options, *more, "--json")
        assert told.returncode == 0, told.stderr
        summary = json.loads(told.stdout)
        assert (summary["alerts"], summary["suppressed"]) == (1, 1)
        return [json.loads(line) for line in (tmp_path / "alerts.ndjson").read_text().splitlines()]

    assert [alert["actor"] for alert in replayed()] == ["bea"]
    assert sorted((alert["actor"], alert.get("suppressed", False)) for alert in replayed("--suppressed")) == [
        ("ann", True),
        ("bea", False),
    ]


def test_a_file_is_checked(tmp_path: Path) -> None:
    """Said in a table; exit code 2 for what cannot be used, naming the place and nobody."""
    path = a_file(tmp_path, suppressions=[CALM], watch_lists=[WATCH])
    told = json.loads(sentinel("rules", "check", str(path), "--json").stdout)["rules"]
    assert [(one["rule"], one["kind"], one["hides what is critical"]) for one in told] == [
        ("ann-types-badly", "suppression", "yes"),
        ("bea-is-watched", "watch-list", "no"),
    ]
    refused = sentinel("rules", "check", str(a_file(tmp_path, suppressions=[CALM | {"detectors": ["forced"]}])))
    assert refused.returncode == 2
    assert "there is no forced" in " ".join(refused.stderr.split())
