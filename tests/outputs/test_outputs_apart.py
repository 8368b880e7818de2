"""A receiver that hangs costs nobody else anything: intake, assessment, reading, and the other outputs go on."""

from __future__ import annotations

import json
import socket

import httpx
import pytest

from tests.outputs.receiving import eventually, receiver
from tests.service.test_service_kills import FAST

OUTPUTS = """
webhook:
  - name: hangs
    url: http://127.0.0.1:{port}/
    authorization: env:SOC_TOKEN
    allow_plain: true
    allow_networks: [127.0.0.0/8]
    timeout_seconds: 60
  - name: soc
    url: {url}
    authorization: env:SOC_TOKEN
    allow_plain: true
    allow_networks: [127.0.0.0/8]
"""


def events(count: int) -> bytes:
    told = {"occurred_at": "2026-03-02T14:05:00Z", "action": "read", "patient_id": "p1"}
    return b"\n".join(json.dumps(told | {"id": f"e{n}", "actor_id": f"a{n % 7}"}).encode() for n in range(count))


@pytest.mark.timeout(120)
def test_a_receiver_that_hangs(running, tmp_path, monkeypatch):
    """Connected and silent for longer than the whole test."""
    from tests.service import conftest

    monkeypatch.setitem(conftest.COMPILED, "SOC_TOKEN", "Bearer token")
    with receiver() as soc, socket.create_server(("127.0.0.1", 0)) as silent:
        (tmp_path / "outputs.yaml").write_text(OUTPUTS.format(port=silent.getsockname()[1], url=soc.url))
        service = running(worker=FAST, settings={"outputs": str(tmp_path / "outputs.yaml")})
        service.start()
        service.wait_ready()
        told = httpx.post(f"{service.url}/v1/events", content=events(700), headers={"Content-Type": "application/x-ndjson"})
        assert told.status_code == 202
        service.wait_processed()
        eventually(lambda: len({post.json["data"]["id"] for post in soc.posts}) == 7)
        waiting = 'sentinel_output_alerts{output="hangs",status="waiting"} 7.0'
        eventually(lambda: waiting in httpx.get(f"{service.url}/metrics").text)
        assert service.stop() == 0
