"""The service killed at random instants while it tells alerts: all are told, and each is known by its id."""

from __future__ import annotations

import os
import random
import time
from collections import defaultdict

import httpx
import pytest
from starlette.responses import Response

from tests.outputs.receiving import eventually, receiver
from tests.service.feeding import Feeder, small_events
from tests.service.test_service_kills import FAST

KILLS = int(os.environ.get("SENTINEL_KILLS", "10"))
OUTPUTS = """
webhook:
  - name: soc
    url: {url}
    authorization: env:SOC_TOKEN
    allow_plain: true
    allow_networks: [127.0.0.0/8]
  - name: first
    url: {url}-first
    updates: first
    authorization: env:SOC_TOKEN
    allow_plain: true
    allow_networks: [127.0.0.0/8]
"""


@pytest.mark.timeout(600)
def test_none_is_lost(running, tmp_path, monkeypatch):
    """Every story is told as it stands at last, in order and under one id a state.

    A receiver that fails now and then changes nothing, and one that wants first states alone is told one each.
    """
    from tests.service import conftest

    monkeypatch.setitem(conftest.COMPILED, "SOC_TOKEN", "Bearer token")
    chance = random.Random(20260302)
    with receiver() as soc:
        soc.answers = (Response(status_code=204 if chance.random() < 0.8 else 500) for _ in iter(int, 1))
        (tmp_path / "outputs.yaml").write_text(OUTPUTS.format(url=soc.url))
        settings = {"outputs": str(tmp_path / "outputs.yaml")}
        service = running(worker=FAST, settings=settings)
        feeder = Feeder(service.url, small_events(random.Random(7)), 0.02)
        service.start()
        feeder.start()
        for _ in range(KILLS):
            if chance.random() < 0.6:
                service.wait_ready()
            time.sleep(chance.uniform(0, 1.2))
            if chance.random() < 0.3:
                service.kill_worker()
            else:
                service.kill()
                service.start()
        service.wait_ready()
        feeder.stopped.set()
        feeder.join()
        service.wait_processed()
        assert (service.stop(), feeder.failure) == (0, "")
        kept = {alert["id"]: alert["version"] for alert in service.contents()["alerts"]}
        service.start()
        eventually(lambda: {id_: found[-1] for id_, found in versions(soc, "/in").items()} == kept, 60)
        for output in ("soc", "first"):
            told_all = f'sentinel_output_alerts{{output="{output}",status="told"}} {len(kept)}.0'
            eventually(lambda told_all=told_all: service.health() and told_all in metrics(service), 60)
        assert 'sentinel_output_alerts{output="soc",status="dead"} 0.0' in metrics(service)
        assert service.stop() == 0
    told, ids = versions(soc, "/in"), {}
    assert len(kept) > 3
    assert {id_: found[-1] for id_, found in told.items()} == kept
    for found in told.values():
        assert found == sorted(found), "a story never goes back"
    for post in soc.posts:
        state = (post.path, post.json["data"]["id"], post.json["data"]["version"])
        assert ids.setdefault(post.headers["webhook-id"], state) == state
    assert len(set(ids.values())) == len(ids)
    assert {id_: len(set(found)) for id_, found in versions(soc, "/in-first").items()} == dict.fromkeys(kept, 1)


def versions(soc, path: str) -> dict[str, list[int]]:
    """Return the versions of each story that were sent to `path`, in order."""
    found = defaultdict(list)
    for post in soc.posts:
        if post.path == path:
            found[post.json["data"]["id"]].append(post.json["data"]["version"])
    return found


def metrics(service) -> str:
    """Return what the service says of itself."""
    return httpx.get(f"{service.url}/metrics").text
