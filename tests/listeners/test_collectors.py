"""The configurations of deploy/collectors: rsyslog's runs, the others name what is there."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sentinel.web.security import INTAKE, Need, need_of
from streams.listeners.document import Syslog
from streams.listeners.syslog import listener
from tests.listeners.listening import event, free_port, ids_of

FOLDER = Path(__file__).parents[2] / "deploy" / "collectors"
RSYSLOG = "/usr/sbin/rsyslogd"
EVENTS = 2_000
AWAY_SECONDS = 3  # rsyslog connects meanwhile, and is refused


def needs_rsyslog() -> None:
    if not (shutil.which(RSYSLOG) and list(Path("/usr/lib").glob("*/rsyslog/lmnsd_ossl.so"))):
        pytest.fail("rsyslog is missing: apt-get install rsyslog rsyslog-openssl (deploy/setup/apt.sh does)", pytrace=False)


def environment(folder: Path, authorities: Any, port: int) -> dict[str, str]:
    """Return what rsyslog's configuration is told."""
    ours = authorities("ours")
    sender = ours.sign("client", "dpi.example")
    told = {"HOST": "127.0.0.1", "PORT": str(port), "NAME": "server", "CA": str(ours.file), "APP": "dpi"}
    told |= {"CERTIFICATE": str(sender.certificate), "KEY": str(sender.key)}
    told |= {"FILES": str(folder / "dpi.log"), "WORK": str(folder / "work")}
    return os.environ | {f"SENTINEL_{name}": value for name, value in told.items()}


def port_of(authorities: Any) -> Syslog:
    """Return the settings of a port that takes what rsyslog sends."""
    ours = authorities("ours")
    signed = ours.sign("broker", "server")
    files = {"certificate_file": signed.certificate, "key_file": signed.key, "client_ca_file": ours.file}
    rules = [{"app_name": "dpi", "source": "sentinel_json"}]
    told = {"name": "tried", "transport": "tls", "port": free_port(), "framing": "octets", "rules": rules}
    return Syslog.model_validate(told | files | {"clients": ["dpi.example"]})


def rsyslog(folder: Path, told: dict[str, str], *options: str) -> subprocess.Popen[bytes]:
    command = [RSYSLOG, "-n", "-f", str(FOLDER / "rsyslog.conf"), "-i", str(folder / "pid"), *options]
    with (folder / "rsyslog.txt").open("ab") as log:
        return subprocess.Popen(command, env=told, stdout=log, stderr=log)


@pytest.mark.timeout(120)
def test_rsyslog_sends_a_log_over_tls(kept, authorities, tmp_path):
    """Certificates on both sides, octets counted; what was logged before comes too, also when nobody listened at first."""
    needs_rsyslog()
    of = port_of(authorities)
    told = environment(tmp_path, authorities, of.port)
    (tmp_path / "work").mkdir()
    log = tmp_path / "dpi.log"
    log.write_bytes(b"".join(event(n) + b"\n" for n in range(EVENTS)))
    assert rsyslog(tmp_path, told, "-N1").wait(30) == 0, (tmp_path / "rsyslog.txt").read_text()
    sender = rsyslog(tmp_path, told)
    try:

        async def run() -> None:
            await asyncio.sleep(AWAY_SECONDS)
            made = listener(of, kept.receiver)
            await made.start()
            async with asyncio.timeout(40):
                while len(set(ids_of(kept.records()))) < EVENTS:  # noqa: ASYNC110 - it is in a file; some come twice
                    await asyncio.sleep(0.05)
                with log.open("ab") as file:
                    file.write(event("last") + b"\n")
                while len(set(ids_of(kept.records()))) < EVENTS + 1:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            await made.stop()

        asyncio.run(run())
    finally:
        sender.send_signal(signal.SIGTERM)
        sender.wait(30)
    assert set(ids_of(kept.records())) == {*map(str, range(EVENTS)), "last"}, (tmp_path / "rsyslog.txt").read_text()


@pytest.mark.parametrize("name", ["vector.yaml", "fluent-bit.yaml", "otel-collector.yaml"])
def test_the_others_are_yaml(name):
    """These programs are not run here: their files are read."""
    assert isinstance(yaml.safe_load((FOLDER / name).read_text("utf-8")), dict)


@pytest.mark.parametrize("file", sorted(FOLDER.iterdir()), ids=lambda file: file.name)
def test_what_they_send_to_is_there(file):
    """Paths are ours and ask for the intake key, which comes from the environment; no file holds a secret."""
    text = file.read_text("utf-8")
    paths = re.findall(r"(?:URL\}|_URL)(/[\w/]+)", text)
    assert all(path in INTAKE and need_of(path) is Need.INTAKE for path in paths)
    assert file.name == "rsyslog.conf" or re.search(r"\$\{(?:env:)?SENTINEL_INTAKE_KEY\}", text)
