"""The file of outputs: read whole before the service starts, and refused by line and key, never by value."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from sentinel import assembly
from sentinel.core.errors import RefusedToStartError
from sentinel.settings import Settings

OLD, NEW = ("whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
SOC = """webhook:
  - name: soc
    url: https://soc.example/in
    min_severity: high
    secrets: ["env:SOC_SECRET", "file:{folder}/secret"]
    fields: {{tlp: 3, flag: true, customer: north, ratio: 0.5, odd: "[1]"}}
"""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write a file; return what it sets up."""
    (tmp_path / "secret").write_text(OLD + "\n")
    monkeypatch.setenv("SOC_SECRET", NEW)

    def outlets(text: str) -> dict:
        file = tmp_path / "outputs.yaml"
        file.write_text(text)
        return assembly.outlets(Settings(outputs=str(file)))

    return outlets


def test_each_output_as_its_kind_wants_it(written, tmp_path: Path):
    """Secrets stand in the environment or a file of their own and are never shown; constants have their types."""
    found = written(SOC.format(folder=tmp_path) + "email: [{name: dpo, host: h, sender: a@b.example, recipients: [c@d.example]}]")
    assert {name: outlet.kind for name, outlet in found.items()} == {"soc": "webhook", "dpo": "email"}
    section = found["soc"].section
    assert [secret.get_secret_value() for secret in section.secrets] == [NEW, OLD]
    assert section.fields == {"tlp": 3, "flag": True, "customer": "north", "ratio": 0.5, "odd": "[1]"}
    assert not any(secret in repr(found) for secret in (OLD, NEW))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("webhook: [{name: soc}]", r"outputs.yaml:1: webhook.0.url: Field required"),
        ("pigeon: [{name: soc}]", r"outputs.yaml:1: pigeon: Extra inputs"),
        ("webhook:\n  - name: soc\n    uri: PLANTED", r"outputs.yaml:3: webhook.0.uri: Extra inputs"),
        ("webhook: [", "not YAML"),
        ("syslog: [{name: a, host: h}, {name: a, host: i}]", "two outputs have one name"),
        ("syslog: [{name: PLANTED, host: h}]", "name: String should match"),
        ("syslog: [{name: a, host: h, format: pigeon}]", "no such format: pigeon"),
        ("syslog: [{name: a, host: h, port: PLANTED}]", "port: Input should be a valid integer"),
        ("splunk_hec: [{name: a, url: 'https://s.example', token: PLANTED}]", "env:NAME or file:PATH"),
        ("splunk_hec: [{name: a, url: 'https://s.example', token: 'env:NOT_THERE'}]", "has to be there"),
    ],
)
def test_what_cannot_be_used_is_refused(written, text: str, why: str):
    """At the start, by place."""
    with pytest.raises(RefusedToStartError, match=why) as refused:
        written(text)
    assert "PLANTED" not in str(refused.value)


def test_none():
    """No setting, no outputs; a file that is not there is no file."""
    assert assembly.outlets(Settings()) == {}
    with pytest.raises(RefusedToStartError, match=r"nowhere\.yaml"):
        assembly.outlets(Settings(outputs="nowhere.yaml"))
