"""What docs/outputs.md shows works as it stands, and it leaves out no kind, format, code or setting."""

from __future__ import annotations

import base64
import re
import time
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from deploy.reference import DOCS
from sentinel import assembly
from sentinel.core.plugins import discover
from sentinel.settings import Settings
from streams.outputs import webhook
from streams.outputs.contract import Output, Trouble
from tests.outputs.receiving import Clock, receiver
from tests.outputs.telling_once import tell

PAGE = (DOCS / "outputs.md").read_text("utf-8")
KEYS = (DOCS / "output_keys.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the examples say is there."""
    ca = trustme.CA()
    ours = ca.issue_cert("sentinel.example.org")
    ca.cert_pem.write_to_path(tmp_path / "hospital-ca.pem")
    ours.cert_chain_pems[0].write_to_path(tmp_path / "sentinel.pem")
    ours.private_key_pem.write_to_path(tmp_path / "sentinel.key")
    (tmp_path / "soc.secret").write_text("whsec_" + base64.b64encode(bytes(32)).decode())
    for name in ("MAIL_PASSWORD", "SPLUNK_TOKEN", "THEHIVE_KEY", "IRIS_KEY"):
        monkeypatch.setenv(name, "Bearer x")
    return tmp_path


@pytest.mark.parametrize("text", blocks("yaml"), ids=lambda text: text.split("name: ")[1].split("\n")[0])
def test_every_example_can_be_used(text: str, etc: Path):
    """Read and set up as `sentinel serve` does."""
    (etc / "outputs.yaml").write_text(text.replace("/etc/sentinel", str(etc)))
    names = set(re.findall(r"name: (\w+)", text))
    assert assembly.outlets(Settings(outputs=str(etc / "outputs.yaml"))).keys() == names


def test_the_receiver_in_ten_lines_verifies():
    """What was signed with either secret, and nothing else."""
    (code,) = blocks("python")
    known: dict = {}
    exec(code, known)
    secrets = ["whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in range(3)]

    class Now(Clock):
        def now_us(self) -> int:
            """See the port."""
            return time.time_ns() // 1_000

    with receiver() as soc:
        here = {"allow_plain": True, "allow_networks": ["127.0.0.0/8"]}
        tell(webhook.OUTPUT, clock=Now(), url=soc.url, secrets=[SecretStr(secret) for secret in secrets[:2]], **here)
        tell(webhook.OUTPUT, clock=Clock(), url=soc.url, secrets=[SecretStr(secrets[0])], **here)
    fresh, old = soc.posts
    assert [known["verified"](secret, fresh.headers, fresh.body) for secret in secrets] == [True, True, False]
    assert not known["verified"](secrets[0], fresh.headers, fresh.body + b" ")
    assert not known["verified"](secrets[0], old.headers, old.body)


def test_nothing_is_left_out():
    """Each code, kind, format and setting has its line."""
    assert [code for code in Trouble if f"| `{code}` |" not in PAGE] == []
    assert [name for name in assembly.alert_formats() if f"| `{name}` |" not in KEYS] == []
    for name, kind in discover("streams.outputs", "OUTPUT", Output).items():
        assert f"\n## {name}\n" in KEYS
        assert [field for field in kind.section.model_fields if f"| `{field}` |" not in KEYS] == []
        assert f"\n{name}:\n" in PAGE
