"""The Python client: what `send` took reaches the service, once, whoever is killed meanwhile."""

from __future__ import annotations

import gzip
import json
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sentinel.client import Client, ClientOptions, Rejected, SpoolFullError, SpoolInUseError
from tests.service.conftest import COMPILED, ROOT

QUICK = ClientOptions(batch_seconds=0.05)


def event(id_: object, **changed: object) -> dict:
    return {"id": str(id_), "occurred_at": "2026-03-01T10:00:00Z", "action": "read", "actor_id": "a"} | changed


class Desk:
    """A server that answers as it is told, and notes what it was sent."""

    def __init__(self) -> None:
        self.bodies: list[list[str]] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.records_max = 10**6
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
                ids = [json.loads(line)["id"] for line in body.splitlines()]
                status, headers, content = desk.answer(ids)
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(content))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, ids: list[str]) -> tuple[int, dict[str, str], bytes]:
        """Answer as told, else take all."""
        if self.answers:
            return self.answers.pop(0)
        if len(ids) > self.records_max:
            return 413, {}, b"{}"
        self.bodies.append(ids)
        return 202, {}, json.dumps({"verdicts": [{"status": "accepted"}] * len(ids)}).encode()


@contextmanager
def a_desk() -> Iterator[Desk]:
    desk = Desk()
    thread = threading.Thread(target=desk.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield desk
    finally:
        desk.server.shutdown()
        thread.join()
        desk.server.server_close()


def test_what_is_sent_arrives_in_order_and_what_is_refused_is_told(running, tmp_path):
    """Against the service: in batches, the bad ones with their reason and where the service keeps them."""
    service = running()
    service.start()
    service.wait_ready()
    told: list[Rejected] = []
    with Client(service.url, tmp_path / "spool", QUICK, told.append) as client:
        for n in range(0, 2_500, 50):
            client.send(*map(event, range(n, n + 50)))
        client.send(event("bad", action="SECRET"), json.dumps(event("text")), json.dumps(event("bytes")).encode())
        assert client.flush(60)
        assert (client.pending, client.trouble) == (0, "")
    [bad] = told
    assert (bad.code, bad.pointer, json.loads(bad.raw)["id"], len(bad.dead_letter)) == ("bad-value", "/action", "bad", 32)
    assert "SECRET" not in repr(bad)
    service.wait_processed()
    assert service.stop() == 0
    stored = [id_ for id_, *_ in sorted(service.contents()["rows"], key=lambda row: row[1:])]
    assert stored == [*map(str, range(2_500)), "text", "bytes"]


def test_a_service_that_is_away_or_full_is_waited_for(tmp_path):
    """503 with Retry-After, a broken proxy, nobody there: it is said why, and nothing is lost."""
    with a_desk() as desk:
        desk.answers = [(503, {"Retry-After": "1"}, b""), (502, {}, b"<html>"), (202, {}, b"not ours")]
        url = desk.url
        with Client(url, tmp_path, QUICK) as client:
            started = time.monotonic()
            client.send(event(1), event(2))
            assert not client.flush(0.5)
            assert client.trouble == "HTTP 503"
            assert client.flush(30)
            assert time.monotonic() - started >= 1
    assert desk.bodies == [["1", "2"]]
    with Client(url, tmp_path, QUICK) as client:
        client.send(event(3))
        assert not client.flush(0.5)
        assert client.trouble == "ConnectError"
        client.close(0)
    with a_desk() as desk, Client(desk.url, tmp_path, QUICK) as client:
        assert client.flush(10)
        assert desk.bodies == [["3"]]


def test_a_body_that_is_too_large_is_halved(tmp_path):
    """413: down to a single record, which is refused alone."""
    told: list[Rejected] = []
    with a_desk() as desk, Client(desk.url, tmp_path, QUICK, told.append) as client:
        desk.records_max = 3
        client.send(*(event(n) for n in range(10)))
        assert client.flush(20)
        assert [id_ for body in desk.bodies for id_ in body] == [str(n) for n in range(10)]
        desk.records_max = 0
        client.send(event("big"))
        assert client.flush(20)
    assert [one.code for one in told] == ["too-large"]


def test_the_spool_is_bounded(tmp_path):
    """What does not fit is refused as a whole."""
    with Client("http://127.0.0.1:9", tmp_path, ClientOptions(spool_bytes_max=2_000)) as client:
        client.send(event(1))
        with pytest.raises(SpoolFullError):
            client.send(*(event(n) for n in range(100)))
        assert client.pending == 1
        client.close(0)


def test_a_caller_whose_function_fails_loses_nothing(tmp_path):
    """The others' records go on."""
    with a_desk() as desk, Client(desk.url, tmp_path, QUICK, lambda _: 1 / 0) as client:
        bad = {"verdicts": [{"status": "rejected", "code": "bad-value"}]}
        desk.answers = [(422, {}, json.dumps(bad).encode())]
        client.send(event(1))
        assert client.flush(10)
        client.send(event(2))
        assert client.flush(10)
        assert desk.bodies == [["2"]]


@pytest.mark.parametrize("record", [{"action": "read"}, b"", "  ", b'{"id":\n"1"}'])
def test_what_is_no_record_is_refused_at_once(tmp_path, record):
    """An event without id, nothing, and what would be two lines."""
    with Client("http://127.0.0.1:9", tmp_path) as client:
        with pytest.raises(ValueError, match=r"id|line"):
            client.send(record)
        client.close(0)


def test_a_folder_is_one_clients(tmp_path):
    """Two would cross out each other's records."""
    with Client("http://127.0.0.1:9", tmp_path) as client:
        with pytest.raises(SpoolInUseError):
            Client("http://127.0.0.1:9", tmp_path)
        client.close(0)


PROGRAM = """
import sys
from sentinel.client import Client, ClientOptions
client = Client(sys.argv[1], sys.argv[2], ClientOptions(batch_seconds=0.02, batch_records=50))
for n in range(int(sys.argv[3]), 10**9):
    client.send({"id": str(n), "occurred_at": "2026-03-01T10:00:00Z", "action": "read", "actor_id": "a"})
    print(n, flush=True)
"""


@pytest.mark.timeout(300)
def test_kills_on_both_sides_lose_nothing_and_repeat_nothing(running, tmp_path):
    """All that `send` returned for is stored once, though client and service were killed again and again."""
    service, chance, sent = running(worker={"flush_seconds": 0.1}), random.Random(7), -1
    service.start()
    service.wait_ready()
    for turn in range(6):
        command = [sys.executable, "-c", PROGRAM, service.url, str(tmp_path / "spool"), str(sent + 1)]
        child = subprocess.Popen(command, cwd=ROOT, env=COMPILED, stdout=subprocess.PIPE, text=True)
        until = sent + chance.randrange(50, 300)
        for line in child.stdout:
            sent = int(line)
            if sent >= until:
                break
        child.kill()
        sent = max([sent, *map(int, child.stdout.read().split())])
        child.wait()
        child.stdout.close()
        if turn % 2:
            service.kill()
            service.start()
    with Client(service.url, tmp_path / "spool", QUICK) as client:
        assert client.flush(120)
    service.wait_ready()
    service.wait_processed()
    assert service.stop() == 0
    stored = Counter(id_ for id_, *_ in service.contents()["rows"])
    assert not {str(n) for n in range(sent + 1)} - stored.keys()
    assert max(stored.values()) == 1


def test_the_example_in_the_docs_runs(tmp_path):
    """As printed, but for address and folder."""
    page = (ROOT / "docs" / "integrators.md").read_text("utf-8")
    [example] = re.findall(r"```py\n(.*?)```", page, re.DOTALL)
    with a_desk() as desk:
        exec(example.replace("http://127.0.0.1:8000", desk.url).replace("/var/spool/dpi/sentinel", str(tmp_path)), {})
    assert desk.bodies == [["dpi-7"]]
