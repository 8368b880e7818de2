"""What the documents tell integrators to type works, and every code they may meet is explained."""

from __future__ import annotations

import re
import shutil
import subprocess

import httpx
import pytest

from sentinel.core.errors import RejectionCode
from streams.sources.fhir_auditevent import SOURCE
from tests.service.conftest import ROOT

URL = "http://127.0.0.1:8000"
PAGES = ("integrators.md", "api.md")
GOOD = ('"rejected":0', '"information"', "event: ready", '"searchset"')


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_every_code_is_explained():
    """A sender may meet each of them."""
    text = (ROOT / "docs/integrators.md").read_text("utf-8")
    assert [code for code in RejectionCode if f"| `{code}` |" not in text] == []


def test_the_commands_work_as_written(running):
    """Each shell and Python example, against a service that just started."""
    if shutil.which("curl") is None:
        pytest.fail("curl is not installed, which `make test` does: apt-get install curl")
    service = running(worker={"flush_seconds": 0.1})
    service.start()
    service.wait_ready()
    for page in PAGES:
        for script in blocks(page, "sh"):
            told = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script.replace(URL, service.url)], capture_output=True, text=True, check=True
            )
            assert any(word in told.stdout for word in GOOD), told.stdout
        for code in blocks(page, "python"):
            exec(code.replace(URL, service.url), {})
    service.wait_processed()
    read = [httpx.get(f"{service.url}/fhir/AuditEvent?patient=p-1234&_format={form}") for form in ("json", "xml")]
    assert [SOURCE.decode([one.content]).rows[0].actor_id for one in read] == ["dr-martin"] * 2
    assert service.stop() == 0
    assert len(service.contents()["rows"]) == 1 + 1000 + 1
