"""The whole service with its listeners, as the operator starts it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import httpx
import pytest
import yaml

from streams.listeners.mllp_framing import framed
from tests.context.hl7.speaking import adt, pv1
from tests.listeners.listening import event, free_port
from tests.listeners.serving import ROOT, served


def test_what_comes_by_listeners_can_be_asked_for(tmp_path):
    """From a message on a port, or a line in a file, to the accesses of a patient; and counted."""
    port = free_port()
    log = tmp_path / "dpi.log"
    log.write_bytes(event("f1") + b"\n")
    listeners = {
        "syslog": [{"name": "dpi", "transport": "tcp", "port": port, "source": "sentinel_json"}],
        "files": [{"name": "followed", "paths": [str(log)], "source": "sentinel_json"}],
        "hl7": [{"name": "pam", "transport": "tcp", "port": (adt_port := free_port())}],
    }
    with served(tmp_path, listeners) as service:
        with socket.create_connection(("127.0.0.1", adt_port)) as sender:
            sender.sendall(framed(adt("A01", "PID|1||p1^^^IPP^PI", pv1("URG", f7="a1", f44="20200101"))))
            assert b"MSA|AA" in sender.recv(10_000)
        with socket.create_connection(("127.0.0.1", port)) as sender:
            sender.sendall(b"".join(b"<13>1 - - dpi - - - %b\n" % event(n) for n in range(3)) + b"<13>SECRET\n")
        with log.open("ab") as file:
            file.write(event("f2") + b"\n")
        found = service.accesses("p1", 5)
        assert len(found) == 5
        assert "encounter" in str(found[0]["explained_by"])
        metrics = httpx.get(f"{service.url}/metrics").text
    assert 'sentinel_listener_records_total{listener="dpi",source="sentinel_json",verdict="accepted"} 3.0' in metrics
    assert 'verdict="unparseable"} 1.0' in metrics
    assert "SECRET" not in (tmp_path / "service.txt").read_text()


@pytest.mark.timeout(300)
def test_a_log_is_told_once_whoever_is_killed_meanwhile(tmp_path):
    """The whole service killed while a log is written and rotated: each line is one access in the end, none is two."""
    log, number = tmp_path / "dpi.log", 0
    listeners = {"files": [{"name": "a", "paths": [f"{log}*"], "source": "sentinel_json", "poll_seconds": 0.05}]}
    with served(tmp_path, listeners) as service:
        for turn in range(4):
            for _ in range(20):
                lines = b"".join(event(number + n) + b"\n" for n in range(10))
                number += 10
                with log.open("ab") as file:
                    file.write(lines[:300])
                    file.flush()
                    time.sleep(0.01)
                    file.write(lines[300:])
            service.kill()
            log.rename(f"{log}.{turn}")
            service.start()
            if turn % 2:
                service.wait_ready()
        service.wait_ready()
        found = [access["id"] for access in service.accesses("p1", number)]
    assert sorted(found) == sorted(map(str, range(number)))


@pytest.mark.parametrize(
    ("syslog", "told"),
    [
        ({"name": "a", "transport": "tcp", "port": 6514, "source": "nothing"}, "no such format: nothing"),
        ({"name": "a", "transport": "tcp", "port": 0}, "listeners.yaml:4: syslog.0.port: "),
        ({"name": "a", "transport": "tcp", "port": 6514, "colour": "red"}, "syslog.0.colour: "),
        ({"name": "a", "transport": "tls", "port": 6514}, "tls asks for certificate_file and key_file"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_refusal_to_start(tmp_path, syslog, told):
    """Exit code 2, with the place in the file."""
    file = tmp_path / "listeners.yaml"
    file.write_text(yaml.safe_dump({"syslog": [syslog]}, sort_keys=False))
    environment = {"SENTINEL_DATA": str(tmp_path / "data"), "SENTINEL_LISTENERS": str(file), "SENTINEL_PORT": "0"}
    command = [sys.executable, "-c", "from sentinel.cli import main; main()", "serve"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert told in " ".join(done.stderr.split())
