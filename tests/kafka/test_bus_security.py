"""Who is let in and who is not: TLS, SCRAM, client certificates and ACLs of a real broker; and the settings that lead there."""

from __future__ import annotations

import asyncio
import builtins
import logging
import subprocess
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.kafka.broker import Broker
from sentinel import assembly
from sentinel.core.errors import RefusedToStartError, SentinelError
from sentinel.settings import Settings
from streams.bus import Bus, Mechanism, SecurityProtocol, admin, consumer, producer, reach, started
from streams.topic_admin import State, check, create, unusable
from streams.topics import Layout, Topics, declare
from tests.kafka.acls import allow
from tests.kafka.certificates import Authority
from tests.kafka.conftest import PASSWORD

BOUND_SECONDS = 15.0


def refused(bus: Bus) -> str:
    """Return what is said when a client is not let in, quickly and without the password; all kinds of clients say the same."""
    told = set()
    for kind in (admin, producer, consumer):

        async def enter(kind: Callable[[Bus], Any] = kind) -> None:
            async with started(bus, kind(bus)):
                raise AssertionError("it was let in")

        begun = time.monotonic()
        with pytest.raises(RefusedToStartError) as caught:
            asyncio.run(enter())
        assert time.monotonic() - begun < BOUND_SECONDS
        everything = "".join(traceback.format_exception(caught.value)) + repr(bus)
        assert PASSWORD not in everything
        assert bus.password not in everything or not bus.password
        told.add(str(caught.value))
    assert len(told) == 1
    return told.pop()


async def send(bus: Bus, topic: str, value: bytes = b"{}") -> None:
    async with started(bus, producer(bus)) as out:
        await out.send_and_wait(topic, value, key=b"key")


async def read(bus: Bus, topic: str, group: str | None = None) -> bytes:
    async with started(bus, consumer(bus, topic, group=group)) as back:
        return (await asyncio.wait_for(back.getone(), BOUND_SECONDS)).value


def denied(attempt: Awaitable[Any]) -> bool:
    """Say whether Kafka refuses it for want of a permission."""
    from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError

    async def run() -> None:
        await attempt

    try:
        asyncio.run(run())
    except (TopicAuthorizationFailedError, GroupAuthorizationFailedError):
        return True
    except RefusedToStartError as error:
        return "(ACL)" in str(error)
    return False


def test_right_credentials_get_through(topics: Topics, secure: Bus, bus: Bus) -> None:
    """TLS with the broker's certificate checked, SCRAM-SHA-512, and a record arrives as it was sent."""
    topic = topics.intake["sentinel_json"].name

    async def through() -> bytes:
        async with started(secure, producer(secure)) as out, started(bus, consumer(bus)) as back:
            sent = await out.send_and_wait(topic, b"through")
            back.assign([sent.topic_partition])
            back.seek(sent.topic_partition, sent.offset)
            return (await asyncio.wait_for(back.getone(), BOUND_SECONDS)).value

    assert asyncio.run(through()) == b"through"


def test_plain_passwords_go_over_tls_alone(secure: Bus) -> None:
    """PLAIN is let in over TLS; without it is refused before anything is sent."""
    asyncio.run(reach(replace(secure, mechanism=Mechanism.PLAIN, user="plain")))
    with pytest.raises(RefusedToStartError, match="shows the password"):
        replace(secure, protocol=SecurityProtocol.SASL_PLAINTEXT, mechanism=Mechanism.PLAIN, ca_file=None)


@pytest.mark.parametrize("mechanism", [Mechanism.SCRAM_SHA_512, Mechanism.PLAIN])
def test_a_wrong_password_is_refused(secure: Bus, mechanism: Mechanism) -> None:
    """So is a user that does not exist; nothing says which of the two it was, and the log says no password either."""
    for wrong in ({"password": "guessed-4711"}, {"user": "nobody"}):
        assert "it refuses the user or the password" in refused(replace(secure, mechanism=mechanism, **wrong))


def test_a_password_stays_out_of_the_log(secure: Bus, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever aiokafka writes, at its most talkative."""
    with caplog.at_level(logging.DEBUG):
        refused(replace(secure, password="guessed-4711"))
        asyncio.run(reach(secure))
    assert caplog.records
    assert not [word for word in ("guessed-4711", PASSWORD) if word in caplog.text]


def test_a_mechanism_that_is_not_offered_is_named(secure: Bus) -> None:
    """The broker's own list is not repeated."""
    assert "does not take this SASL mechanism" in refused(replace(secure, mechanism=Mechanism.SCRAM_SHA_256))


def test_another_authority_s_broker_is_refused(secure: Bus, tmp_path: Path) -> None:
    """Neither one of our own that did not sign it, nor the system's."""
    for ca_file in (Authority(tmp_path / "other").file, None):
        assert "its certificate is refused" in refused(replace(secure, ca_file=ca_file))


def test_the_host_name_is_checked(secure: Bus) -> None:
    """The certificate is 127.0.0.1's: under another name the broker is not believed."""
    elsewhere = secure.servers.replace("127.0.0.1", "localhost")
    assert "Hostname mismatch" in refused(replace(secure, servers=elsewhere))


def test_the_wrong_protocol_is_refused_quickly(broker: Broker, secure: Bus, authority: Authority) -> None:
    """Plain where TLS or SASL is spoken, TLS where it is not: told within seconds, not after aiokafka's forty."""
    secured, plain = secure.servers, broker.address
    assert "closed the connection" in refused(Bus(secured))
    assert "closed the connection" in refused(Bus(plain, SecurityProtocol.SSL, ca_file=authority.file))
    assert "closed the connection" in refused(Bus(secured, SecurityProtocol.SSL, ca_file=authority.file))
    no_sasl = replace(secure, servers=plain, protocol=SecurityProtocol.SASL_PLAINTEXT, ca_file=None)
    assert "asks for no user" in refused(no_sasl)


def test_a_host_that_does_not_listen_or_answer_is_told(bus: Bus) -> None:
    """Each server with its own reason; one that answers is enough."""
    assert "127.0.0.1:1: nobody listens" in refused(replace(bus, servers="127.0.0.1:1"))
    assert "there is no such host" in refused(replace(bus, servers="nowhere.invalid:9092"))
    asyncio.run(reach(replace(bus, servers=f"127.0.0.1:1,{bus.servers}")))

    async def silent() -> None:
        server = await asyncio.start_server(lambda _reader, _writer: asyncio.sleep(0), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            await reach(replace(bus, servers=f"127.0.0.1:{port}", connect_seconds=0.3))

    with pytest.raises(RefusedToStartError, match=r"no answer within 0\.3 s"):
        asyncio.run(silent())


def test_client_certificates(broker: Broker, topics: Topics, authority: Authority, tmp_path: Path) -> None:
    """With one of the authority's we are let in as its subject; without one, or with another's, we are not."""
    ours, others = authority.sign("client", "ward"), Authority(tmp_path / "other").sign("client", "ward")
    with_ours = Bus(
        broker.address_of("SSL"),
        SecurityProtocol.SSL,
        ca_file=authority.file,
        certificate_file=ours.certificate,
        key_file=ours.key,
    )
    asyncio.run(reach(with_ours))
    assert denied(send(with_ours, topics.events.name))
    asyncio.run(allow(Bus(broker.address), ["--add --allow-principal User:CN=ward --operation Write --topic events"]))
    assert not denied(send(with_ours, topics.events.name))
    refused(replace(with_ours, certificate_file=None, key_file=None))
    refused(replace(with_ours, certificate_file=others.certificate, key_file=others.key))


def test_an_integrator_writes_to_its_intake_alone(topics: Topics, secure: Bus) -> None:
    """It cannot write to another's, nor read anything, its own intake included."""
    assert not denied(send(secure, topics.intake["sentinel_json"].name))
    assert not denied(send(secure, topics.context.name))
    assert denied(send(secure, topics.intake["fhir_auditevent"].name))
    assert denied(send(secure, topics.events.name))
    for topic in topics:
        assert denied(read(secure, topic.name))


MAY = {
    "sentinel-worker": {
        "read": {
            *("intake.sentinel_json", "intake.fhir_auditevent", "events", "closings", "checkpoints", "verdicts"),
            *("context", "feedback"),
        },
        "write": {"events", "closings", "checkpoints", "verdicts", "alerts", "rejected"},
    },
    "sentinel-gateway": {
        "read": set(),
        "write": {"intake.sentinel_json", "intake.fhir_auditevent", "context", "feedback"},
    },
    "sentinel-redrive": {
        "read": {"intake.sentinel_json", "intake.fhir_auditevent", "rejected"},
        "write": {"intake.sentinel_json", "intake.fhir_auditevent", "context", "feedback", "rejected"},
    },
}


@pytest.mark.parametrize("user", MAY)
def test_our_own_users_may_what_they_need_and_no_more(topics: Topics, secure: Bus, bus: Bus, user: str) -> None:
    """Each topic read and written, or not, by worker, gateway and who drives again what was rejected."""
    ours = replace(secure, user=user)
    for topic in topics:
        asyncio.run(send(bus, topic.name))
        assert denied(send(ours, topic.name)) is (topic.name not in MAY[user]["write"]), topic.name
        assert denied(read(ours, topic.name)) is (topic.name not in MAY[user]["read"]), topic.name


@pytest.mark.parametrize("user", MAY)
def test_what_starts_finds_the_topics_that_it_uses(topics: Topics, secure: Bus, user: str) -> None:
    """With its own rights, which are none to look at settings; what it may not use is not there for it."""
    ours, used = replace(secure, user=user), MAY[user]["read"] | MAY[user]["write"]
    found = asyncio.run(unusable(ours, topics))
    assert set(found) == {topic.name for topic in topics} - used
    divided = [replace(topic, partitions=topic.partitions + 1) for topic in topics if topic.name in used]
    assert asyncio.run(unusable(ours, divided)) == [topic.name for topic in divided]


def test_groups_are_ours_alone(topics: Topics, secure: Bus) -> None:
    """A worker joins groups whose names begin with `sentinel`."""
    worker = replace(secure, user="sentinel-worker")
    assert not denied(read(worker, topics.events.name, "sentinel-test"))
    assert denied(read(worker, topics.events.name, "another"))


def test_whoever_runs_the_command_needs_no_more_than_told(topics: Topics, secure: Bus, prefix: str) -> None:
    """The administrator makes and checks topics, over TLS with SCRAM; the worker can do neither, and is told so."""
    ours = replace(secure, user="sentinel-admin")
    more = declare(Layout(("sentinel_json",), prefix, partitions=1, replication=1))
    assert {finding.state for finding in asyncio.run(create(ours, more))} == {State.CREATED}
    assert {finding.state for finding in asyncio.run(check(ours, more))} == {State.RIGHT}
    with pytest.raises(SentinelError, match=r"\(ACL\)"):
        asyncio.run(check(replace(secure, user="sentinel-worker"), topics))


def test_files_that_cannot_be_used_are_named(secure: Bus, authority: Authority, tmp_path: Path) -> None:
    """A CA that is not there or is none, a key that is another's, or encrypted: nobody is asked for a password."""
    none = tmp_path / "none.pem"
    none.write_text("no certificate")
    for ca_file in (tmp_path / "missing.pem", none):
        with pytest.raises(RefusedToStartError, match=rf"the CA file {ca_file} cannot be used"):
            replace(secure, ca_file=ca_file).tls()
    ours, others = authority.sign("client", "ward"), Authority(tmp_path / "other").sign("client", "ward")
    encrypted = tmp_path / "encrypted.key"
    command = ["openssl", "pkcs8", "-topk8", "-in", ours.key, "-out", encrypted, "-passout", "pass:word"]
    subprocess.run(command, check=True, timeout=30)
    for key_file in (others.key, encrypted):
        with pytest.raises(RefusedToStartError, match=r"the key .* cannot be used"):
            replace(secure, certificate_file=ours.certificate, key_file=key_file).tls()


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"servers": " , "}, "no server"),
        ({"user": ""}, "needs a user and a password"),
        ({"password": ""}, "needs a user and a password"),
        ({"protocol": SecurityProtocol.SSL}, "would be left unused"),
        ({"protocol": SecurityProtocol.SASL_PLAINTEXT}, "no certificates"),
        ({"certificate_file": Path("ours.pem")}, "needs its key"),
        ({"key_file": Path("ours.key")}, "a key its certificate"),
    ],
)
def test_contradictions_are_refused_at_once(wrong: dict[str, Any], why: str) -> None:
    """What would be left unused is a mistake: somebody believes in a protection that is not there."""
    right = Bus("kafka:9093", SecurityProtocol.SASL_SSL, user="dpi", password=PASSWORD, ca_file=Path("ca.pem"))
    with pytest.raises(RefusedToStartError, match=why) as caught:
        replace(right, **wrong)
    assert PASSWORD not in str(caught.value)


def test_settings_become_the_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of SENTINEL_KAFKA_…; TLS and a password unless told otherwise; no setting shows the password."""
    with pytest.raises(RefusedToStartError, match="SASL_SSL needs a user and a password"):
        assembly.bus(Settings.read())
    told = {"servers": "a:1,b:2", "user": "u", "password": PASSWORD, "ca_file": "ca", "certificate_file": "c", "key_file": "k"}
    for name, value in told.items():
        monkeypatch.setenv(f"SENTINEL_KAFKA_{name.upper()}", value)
    settings = Settings.read()
    expected = Bus("a:1,b:2", SecurityProtocol.SASL_SSL, Mechanism.SCRAM_SHA_512, "u", PASSWORD, Path("ca"), Path("c"), Path("k"))
    assert assembly.bus(settings) == expected
    assert PASSWORD not in repr(settings) + repr(expected)
    monkeypatch.setenv("SENTINEL_KAFKA_PROTOCOL", "TLS")
    with pytest.raises(RefusedToStartError, match="kafka_protocol"):
        Settings.read()


def test_without_the_library_it_is_said_how_to_get_it(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is not installed."""
    usual = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name.partition(".")[0] == "aiokafka":
            raise ImportError(name)
        return usual(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RefusedToStartError, match=r"sentinel-access\[kafka\]"):
        asyncio.run(reach(bus))


def test_our_defaults_are_not_aiokafka_s(bus: Bus) -> None:
    """Acknowledged by all, once; from the first record on; nothing committed behind our back; nothing of aborted transactions."""

    async def made() -> tuple[Any, Any]:
        out, back = producer(bus), consumer(bus, "t", group="g")
        await out.stop()
        await back.stop()
        return out, back

    out, back = asyncio.run(made())
    assert out._txn_manager is not None
    assert out._sender._acks == -1
    assert (back._enable_auto_commit, back._auto_offset_reset, back._isolation_level) == (False, "earliest", "read_committed")
