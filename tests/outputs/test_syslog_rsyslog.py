"""Debian's rsyslog takes our messages as they are, over TCP and over TLS with client certificates."""

from __future__ import annotations

import shutil
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from streams.outputs.syslog import OUTPUT
from tests.outputs.receiving import a_telling, an_alert, eventually
from tests.outputs.telling_once import refuse, tell
from tests.service.conftest import free_port

TLS = """global(
  DefaultNetstreamDriver="{driver}"
  DefaultNetstreamDriverCAFile="{folder}/ca.pem"
  DefaultNetstreamDriverCertFile="{folder}/server.pem"
  DefaultNetstreamDriverKeyFile="{folder}/server.key")
"""
INPUT = """
module(load="imtcp" {secret})
template(name="raw" type="string" string="%timestamp:::date-rfc3339%|%hostname%|%app-name%|%msgid%|%syslogfacility%|%msg%\\n")
ruleset(name="all") {{ action(type="omfile" file="{folder}/messages" template="raw" fileCreateMode="0600") }}
input(type="imtcp" port="{port}" address="127.0.0.1" ruleset="all")
"""
SECRET = 'StreamDriver.Name="{driver}" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid"'


RSYSLOG = "/usr/sbin/rsyslogd"  # not on everybody's path


def needs_rsyslog(driver: str) -> None:
    has_driver = not driver or list(Path("/usr/lib").glob(f"*/rsyslog/lmnsd_{driver}.so"))
    if shutil.which(RSYSLOG) is None or not has_driver:
        pytest.fail("rsyslog is missing: apt-get install rsyslog rsyslog-gnutls (deploy/setup/apt.sh does)", pytrace=False)


@contextmanager
def rsyslog(folder: Path, driver: str):
    """Run one; gives its port and where it writes."""
    port = free_port()
    secret = SECRET.format(driver=driver) if driver else ""
    head = TLS.format(driver=driver, folder=folder) if driver else ""
    (folder / "rsyslog.conf").write_text(head + INPUT.format(folder=folder, port=port, secret=secret))
    command = [RSYSLOG, "-n", "-f", str(folder / "rsyslog.conf"), "-i", str(folder / "pid")]
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        eventually(lambda: listens(port) or process.poll() is not None)
        assert process.poll() is None, (folder / "said").read_text()
        yield port, folder / "messages"
    finally:
        process.terminate()
        process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("driver", ["", "gtls"])
def test_rsyslog(driver: str, tmp_path: Path):
    """Every message is in its file once we take it for told, header and text as they were sent."""
    needs_rsyslog(driver)
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    for name, host in (("server", "localhost"), ("ours", "sentinel.example")):
        issued = ca.issue_cert(host)
        issued.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
        issued.private_key_pem.write_to_path(tmp_path / f"{name}.key")
    known = {"certificate_file": tmp_path / "ours.pem", "key_file": tmp_path / "ours.key"}
    way = {"ca_file": tmp_path / "ca.pem"} if driver else {"tls": False, "allow_plain": True}
    with rsyslog(tmp_path, driver) as (port, messages):
        for version in range(1, 6):
            section = way | (known if driver else {})
            tell(OUTPUT, a_telling(an_alert(version=version)), host="localhost", port=port, **section)
        if driver:
            for _ in range(20):
                assert refuse(OUTPUT, host="localhost", port=port, **way).code == "unreachable"
        eventually(lambda: messages.exists() and messages.read_text().count("\n") >= 5)
        lines = messages.read_text().splitlines()
    assert all(line.startswith("2026-02-25T07:13:20.123Z|sentinel|sentinel|alert|13|CEF:0|Sentinel|Sentinel|") for line in lines)
    assert [f" cn1={version} " in line for version, line in enumerate(lines, 1)] == [True] * 5
