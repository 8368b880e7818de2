"""One real broker for all tests of Kafka: plain, which may do all; with SCRAM over TLS; with client certificates."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.kafka.broker import Broker, Listener
from streams.bus import Bus, SecurityProtocol
from streams.topic_admin import create
from streams.topics import Layout, Topics, declare
from tests.kafka.acls import allow
from tests.kafka.certificates import Authority
from tests.kafka.soaking import IS_FULL, REPORT

ROOT = Path(__file__).parents[2]
PASSWORD = "never-to-be-seen"
USERS = ("dpi", "sentinel-worker", "sentinel-gateway", "sentinel-redrive", "sentinel-admin")
SETTINGS = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",  # who comes in by the plain listener, as the tests do that are not about access
    "auto.create.topics.enable": "false",
    "log.index.size.max.bytes": "65536",
}
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
PLAIN = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_plain="{PASSWORD}";'


def program(name: str, package: str = "") -> str:
    """Return the path of a program, installed when it is missing; `package`: Debian's, where it is called otherwise."""
    if shutil.which(name) is None:
        subprocess.run([ROOT / "deploy/setup/apt.sh", package or name], check=True, timeout=300)
    return str(shutil.which(name))


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whose certificates the broker has and takes."""
    program("openssl")
    return Authority(tmp_path_factory.mktemp("certificates") / "authority")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Broker]:
    """The broker. Tests keep out of each other's way by `prefix`, and don't stop it."""
    keystore = {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(authority.sign("broker", "broker").both)}
    truststore = {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(authority.file)}
    sasl = {
        "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
        "scram-sha-512.sasl.jaas.config": SCRAM,
        "plain.sasl.jaas.config": PLAIN,
    }
    listeners = (
        Listener("SASL_SSL", "SASL_SSL", keystore | sasl),
        Listener("SSL", "SSL", keystore | truststore | {"ssl.client.auth": "required"}),
    )
    users = dict.fromkeys(USERS, PASSWORD)
    with Broker(tmp_path_factory.mktemp("kafka"), SETTINGS, listeners, users) as running:
        yield running


@pytest.fixture(scope="session")
def topics(broker: Broker) -> Topics:
    """The topics of docs/kafka.md by their own names, with the ACLs told there."""
    declared = declare(Layout(("sentinel_json", "fhir_auditevent"), partitions=1, replication=1))
    plain = Bus(broker.address)
    asyncio.run(create(plain, declared))
    asyncio.run(allow(plain))
    return declared


@pytest.fixture
def bus(broker: Broker) -> Bus:
    """The plain way in, where everything is allowed."""
    return Bus(broker.address)


@pytest.fixture
def secure(broker: Broker, authority: Authority) -> Bus:
    """The way in with TLS and SCRAM, as the user `dpi`."""
    return Bus(broker.address_of("SASL_SSL"), SecurityProtocol.SASL_SSL, user="dpi", password=PASSWORD, ca_file=authority.file)


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """What the names of the test's own topics begin with."""
    return re.sub(r"[^A-Za-z0-9]+", "-", request.node.name)[:80] + "."


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures of the long runs."""
    if IS_FULL and REPORT.exists():
        terminalreporter.section(f"soak, as in {REPORT.relative_to(ROOT)}")
        for run, figures in json.loads(REPORT.read_text()).items():
            terminalreporter.line(f"{run}: " + ", ".join(f"{name} {value}" for name, value in figures.items()))
