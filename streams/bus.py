"""Connections to Kafka, with every default of aiokafka that is wrong here put right, and refusals that say what to mend."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sentinel.core.errors import RefusedToStartError
from streams.topics import CHECKPOINT_BYTES_MAX, MESSAGE_BYTES_MAX

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
    from aiokafka.admin import AIOKafkaAdminClient

LINGER_MS: Final = 20
BATCH_BYTES: Final = 1 << 20  # of one partition, before compression: less than any topic's largest message
FETCH_BYTES_MAX: Final = 32 << 20
DELIVERY_MS: Final = 30_000  # to be acknowledged, with all that is tried again
_SILENT: Final = logging.NullHandler()
CLOSED: Final = "it closed the connection: wrong security protocol, or it wants a certificate of ours"
EXTRA: Final = "Kafka needs more than what is installed: pip install 'sentinel-access[kafka]'"


class SecurityProtocol(StrEnum):
    """How a listener is spoken to. Kafka's `security.protocol`."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def has_tls(self) -> bool:
        """Whether the connection is encrypted, and the broker's certificate checked."""
        return self.endswith("SSL")

    @property
    def has_sasl(self) -> bool:
        """Whether there is a user with a password."""
        return self.startswith("SASL")


class Mechanism(StrEnum):
    """How the password is proved. Kafka's `sasl.mechanism`."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


@dataclass(frozen=True, slots=True)
class Bus:
    """Where Kafka is, and who we are to it. `servers`: some brokers, `host:port` separated by commas.

    `ca_file`: the authorities (PEM) a broker's certificate may come from; None: the system's. `certificate_file`, with its
    chain, and `key_file` are ours (PEM, the key not encrypted), for brokers that want one.

    Raises:
        RefusedToStartError: the parts contradict each other; at once, before anything connects.
    """

    servers: str
    protocol: SecurityProtocol = SecurityProtocol.PLAINTEXT
    mechanism: Mechanism = Mechanism.SCRAM_SHA_512
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    client_id: str = "sentinel"
    connect_seconds: float = 10.0
    request_timeout_ms: int = 40_000

    def __post_init__(self) -> None:
        for contradiction in self._contradictions():
            raise RefusedToStartError(f"Kafka: {contradiction}")

    def _contradictions(self) -> Iterator[str]:
        protocol = self.protocol
        if not self.servers.strip(", "):
            yield "there is no server to connect to"
        if protocol.has_sasl and not (self.user and self.password):
            yield f"{protocol} needs a user and a password"
        if not protocol.has_sasl and (self.user or self.password):
            yield f"{protocol} knows no user or password, which would be left unused"
        if protocol is SecurityProtocol.SASL_PLAINTEXT and self.mechanism is Mechanism.PLAIN:
            yield "PLAIN over SASL_PLAINTEXT shows the password to the network: use SASL_SSL, or SCRAM"
        if not protocol.has_tls and (self.ca_file or self.certificate_file or self.key_file):
            yield f"{protocol} knows no certificates, which would be left unused"
        if (self.certificate_file is None) != (self.key_file is None):
            yield "a certificate of ours needs its key, and a key its certificate"

    def connection(self) -> dict[str, Any]:
        """Return what every client of aiokafka is told of the connection."""
        told = {
            "bootstrap_servers": [server.strip() for server in self.servers.split(",") if server.strip()],
            "client_id": self.client_id,
            "request_timeout_ms": self.request_timeout_ms,
            "security_protocol": str(self.protocol),
            "ssl_context": self.tls(),
        }
        if self.protocol.has_sasl:
            told |= {
                "sasl_mechanism": str(self.mechanism),
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return told

    def tls(self) -> ssl.SSLContext | None:
        """Return how certificates are checked, host names too; None: the connection is not encrypted.

        Raises:
            RefusedToStartError: a file cannot be read or is not what it should be.
        """
        if not self.protocol.has_tls:
            return None
        with _refused(f"the CA file {self.ca_file} cannot be used"):
            context = ssl.create_default_context(cafile=self.ca_file)
        if self.certificate_file is not None:
            with _refused(f"the certificate {self.certificate_file} and the key {self.key_file} cannot be used"):
                # an empty password: OpenSSL would ask the terminal for one, and wait
                context.load_cert_chain(self.certificate_file, self.key_file, password="")
        return context


@contextmanager
def _refused(why: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RefusedToStartError(f"Kafka: {why} ({type(error).__name__})") from None


def producer(bus: Bus, **more: Any) -> AIOKafkaProducer:
    """Return a producer, not started: what it acknowledges is on all in-sync copies, once.

    What is not acknowledged within 30 s fails, and everything after it. `more` overrides; call it within the event loop.
    """
    _library()
    from streams.sending import BoundedProducer  # noqa: PLC0415

    told = {
        "acks": "all",
        "enable_idempotence": True,
        "compression_type": "zstd",  # smaller than lz4, and aiokafka asks lz4 for its slowest level
        "linger_ms": LINGER_MS,
        "max_batch_size": BATCH_BYTES,
        "max_request_size": CHECKPOINT_BYTES_MAX,
        "request_timeout_ms": min(DELIVERY_MS, bus.request_timeout_ms),
    }
    return BoundedProducer(**bus.connection() | told | more)


def consumer(bus: Bus, *topics: str, group: str | None = None, **more: Any) -> AIOKafkaConsumer:
    """Return a consumer, not started: from the first record on, committed transactions only; offsets are its user's to commit.

    `more` overrides; call it within the event loop.
    """
    told = {
        "group_id": group,
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
        "isolation_level": "read_committed",
        "fetch_max_bytes": FETCH_BYTES_MAX,
        "max_partition_fetch_bytes": MESSAGE_BYTES_MAX,
    }
    return _library().AIOKafkaConsumer(*topics, **bus.connection() | told | more)


def admin(bus: Bus) -> AIOKafkaAdminClient:
    """Return an administrator, not started. Call it within the event loop."""
    _library()
    from aiokafka.admin import AIOKafkaAdminClient  # noqa: PLC0415

    return AIOKafkaAdminClient(**bus.connection())


def _library() -> Any:
    try:
        import aiokafka  # noqa: PLC0415
        import cramjam  # noqa: F401, PLC0415 - lz4 and zstd
    except ImportError:
        raise RefusedToStartError(EXTRA) from None
    # where nobody set up a log, its lines would stand beside the one that says what is wrong
    logging.getLogger("aiokafka").addHandler(_SILENT)
    return aiokafka


_Client = TypeVar("_Client")


@asynccontextmanager
async def started(bus: Bus, client: _Client) -> AsyncIterator[_Client]:
    """Start a client that a function above made; it is stopped at the end.

    Raises:
        RefusedToStartError: no broker lets us in; the message says why, and holds no password.
    """
    try:
        await start(bus, client)
        yield client
    finally:
        await stop(client)


async def start(bus: Bus, client: Any) -> None:
    """Start a client; one that is refused has to be stopped all the same. Raises as `started`."""
    await reach(bus)
    from aiokafka.errors import KafkaError  # noqa: PLC0415

    try:
        await client.start()
    except KafkaError as error:
        raise RefusedToStartError(f"Kafka at {bus.servers}: {reason(error)}") from None


async def stop(client: Any) -> None:
    """Stop a client, whatever state it is in."""
    try:
        await (client.stop if hasattr(client, "stop") else client.close)()
    except asyncio.CancelledError:  # of a task of the client's own, which it ended: not of ours
        if (ours := asyncio.current_task()) is not None and ours.cancelling():
            raise


async def reach(bus: Bus) -> None:
    """Return once one of the servers has let us in. aiokafka's own clients keep to themselves why none did.

    Raises:
        RefusedToStartError: none does; the message has each server's reason.
    """
    _library()
    from aiokafka.conn import collect_hosts  # noqa: PLC0415

    told = bus.connection()
    refusals = []
    for host, port, _ in sorted(collect_hosts(told.pop("bootstrap_servers"))):
        refusal = await _refusal(host, port, told, bus.connect_seconds)
        if refusal is None:
            return
        refusals.append(f"{host}:{port}: {refusal}")
    raise RefusedToStartError(f"Kafka at {'; '.join(refusals)}")


async def _refusal(host: str, port: int, told: dict[str, Any], seconds: float) -> str | None:
    """Return why a server does not let us in; None: it does."""
    from aiokafka.conn import create_conn  # noqa: PLC0415
    from aiokafka.errors import KafkaError  # noqa: PLC0415
    from aiokafka.protocol.metadata import MetadataRequest  # noqa: PLC0415

    try:
        async with asyncio.timeout(seconds):
            connection = await create_conn(host, port, **told)
            try:
                await connection.send(MetadataRequest([]))
            finally:
                connection.close()
    except TimeoutError:
        return f"no answer within {seconds:g} s"
    except (KafkaError, OSError, ValueError) as error:  # ValueError: a server that does not know the password either
        return reason(error)
    return None


def reason(error: BaseException) -> str:
    """Return what an error of a connection means to the operator; never what the broker wrote, nor what we sent."""
    from aiokafka import errors  # noqa: PLC0415

    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message}"
    meanings: dict[type[BaseException], str] = {
        errors.SaslAuthenticationFailed: "it refuses the user or the password",
        errors.UnsupportedSaslMechanismError: "it does not take this SASL mechanism",
        errors.IllegalSaslStateError: "it asks for no user on this port: wrong security protocol",
        errors.TopicAuthorizationFailedError: "the user may not use a topic (ACL)",
        errors.GroupAuthorizationFailedError: "the user may not use the group (ACL)",
        errors.ClusterAuthorizationFailedError: "the user may write to no topic (ACL)",
        errors.UnknownTopicOrPartitionError: "a topic is not there: `sentinel topics create`",
        ssl.SSLError: "it speaks no TLS on this port, or wants a certificate of ours",
        socket.gaierror: "there is no such host",
        ConnectionRefusedError: "nobody listens",
        errors.KafkaConnectionError: CLOSED,
        ConnectionError: CLOSED,
        ValueError: "it could not prove that it knows the password",
    }
    return next((text for kind, text in meanings.items() if isinstance(error, kind)), type(error).__name__)
