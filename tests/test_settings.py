"""Settings come from the environment; what cannot be used is refused by name, and never by its value."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from sentinel.core.errors import RefusedToStartError
from sentinel.settings import TEST_SWITCHES, Settings

READS = re.compile(r"environ(?:\.get\(|\[)\"(SENTINEL_\w+)\"")


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("SENTINEL_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("name", "told", "field", "value"),
    [
        ("SENTINEL_PORT", "9000", "port", 9000),
        ("sentinel_port", "9000", "port", 9000),
        ("SENTINEL_BUDGET", "2.5", "budget", 2.5),
        ("SENTINEL_MODEL", "false", "model", False),
        ("SENTINEL_INTAKE_KEY", "k", "intake_key", SecretStr("k")),
        ("SENTINEL_HOSTS", '["a.example", "b.example"]', "hosts", ("a.example", "b.example")),
        ("SENTINEL_MAPPINGS", '["a.yaml"]', "mappings", ("a.yaml",)),
        ("SENTINEL_SOURCES", '["a", "b"]', "sources", ("a", "b")),
        ("SENTINEL_KAFKA_SERVERS", "a:9092,b:9092", "kafka_servers", "a:9092,b:9092"),
        ("SENTINEL_DETECTORS", "[]", "detectors", ()),
        ("SENTINEL_DETECTORS", "null", "detectors", None),
    ],
)
def test_the_environment_sets(monkeypatch: pytest.MonkeyPatch, name: str, told: str, field: str, value: object) -> None:
    """Each setting in its own type, lists as JSON, in capitals or not; what is set is known to be."""
    monkeypatch.setenv(name, told)
    settings = Settings.read()
    assert getattr(settings, field) == value
    assert settings.model_fields_set == {field}


def test_the_command_line_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option that was not given leaves what the environment says."""
    monkeypatch.setenv("SENTINEL_PORT", "9000")
    assert Settings.read(port=1).port == 1
    assert Settings.read(port=None).port == 9000


@pytest.mark.parametrize(
    ("name", "told", "why"),
    [
        ("SENTINEL_PORT", "PLANTED", "port: "),
        ("SENTINEL_HOSTS", "PLANTED", "hosts: .*not a JSON list"),
        ("SENTINEL_HOSTS", '"PLANTED"', "hosts: "),
        ("SENTINEL_TIMEZONE", "PLANTED", "timezone: .*no such time zone"),
        ("SENTINEL_KAFKA_STATE_KEY", "PLANTED", "kafka_state_key: "),
        ("SENTINEL_INTAKE_KEYS", "PLANTED", "there is no SENTINEL_INTAKE_KEYS"),
    ],
)
def test_what_cannot_be_used_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, told: str, why: str) -> None:
    """The message names the setting, as its reader knows it."""
    monkeypatch.setenv(name, told)
    with pytest.raises(RefusedToStartError, match=why) as refused:
        Settings.read()
    assert "PLANTED" not in str(refused.value)


@pytest.mark.parametrize("switch", sorted(TEST_SWITCHES))
def test_switches_of_the_tests_are_no_settings(switch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may be set beside the service's."""
    monkeypatch.setenv(switch, "1")
    assert Settings.read().model_fields_set == set()


def test_every_switch_of_the_tests_is_known() -> None:
    """Whichever one a test reads: with one that is not known, no other test could start the service."""
    files = Path(__file__).parent.rglob("*.py")
    assert {name for file in files for name in READS.findall(file.read_text(encoding="utf-8"))} == TEST_SWITCHES
