"""A single Apache Kafka node (KRaft) on 127.0.0.1: fetched through Maven, started, and ended by its own process id."""

from __future__ import annotations

import fcntl
import shutil
import socket
import struct
import subprocess
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent.parent
LIBRARIES: Final = ROOT / "var" / "kafka" / "libs"
HOST: Final = "127.0.0.1"
PACKAGES: Final = ("maven", "default-jre-headless")
JVM_OPTIONS: Final = ("-Xms256m", "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
FETCH_SECONDS: Final = 600.0
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
LOG_TAIL_BYTES: Final = 2_000
PLAINTEXT: Final = "PLAINTEXT"
SCRAM: Final = "SCRAM-SHA-512"
_METADATA_KEY: Final = 3
_CORRELATION: Final = 7


class BrokerError(Exception):
    """Kafka cannot be had, or does not start; the message says why."""


def libraries(folder: Path = LIBRARIES) -> Path:
    """Return the folder of the broker's jars, fetched on first use and again whenever `pom.xml` changes.

    Raises:
        BrokerError: Java or Maven is not there and cannot be installed, or the jars cannot be fetched.
    """
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            _run([str(ROOT / "deploy/setup/apt.sh"), *PACKAGES], f"{program} is missing and cannot be installed")
    folder.mkdir(parents=True, exist_ok=True)
    pom = blake2b((HERE / "pom.xml").read_bytes(), digest_size=16).hexdigest()
    with (folder / ".fetched").open("a+") as stamp, _locked(stamp):
        stamp.seek(0)
        if stamp.read() != pom:
            _fetch(folder)
            stamp.truncate(0)
            stamp.write(pom)
    return folder


@contextmanager
def _locked(file: IO[str]) -> Iterator[None]:
    """Let one process fetch at a time; closing the file unlocks it."""
    fcntl.flock(file, fcntl.LOCK_EX)
    yield


def _fetch(folder: Path) -> None:
    for jar in folder.glob("*.jar"):
        jar.unlink()
    command = ["mvn", "-B", "-q", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    _run(command, "Maven cannot fetch Kafka")


def _run(command: list[str], refusal: str) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=FETCH_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BrokerError(f"{refusal} ({type(error).__name__})") from None
    if done.returncode:
        raise BrokerError(f"{refusal}:\n{done.stdout[-LOG_TAIL_BYTES:].decode(errors='replace')}")


@dataclass(frozen=True, slots=True)
class Listener:
    """One more way in, beside the plain one: its name, SSL, SASL_SSL or SASL_PLAINTEXT, and settings of its own.

    `settings` are named without `listener.name.NAME.` before them.
    """

    name: str
    protocol: str
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)


class Broker:
    """One node, broker and controller at once, with its data in `folder`; the ports are free ones of 127.0.0.1.

    `with Broker(folder) as broker:` fetches, formats, starts and at the end stops it. `stop` or `kill`, then `start`,
    is a restart at the same address with the same data. `settings` are more lines of `server.properties`; `users` (name
    and password) are known to SCRAM from the first start on, on the `listeners` that ask for it.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str] | None = None,
        listeners: Sequence[Listener] = (),
        users: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self._settings, self._users = dict(settings or {}), dict(users or {})
        self._listeners = (Listener(PLAINTEXT, PLAINTEXT), *listeners)
        *ports, self._controller_port = _free_ports(len(self._listeners) + 1)
        self._ports = dict(zip((listener.name for listener in self._listeners), ports, strict=True))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """The bootstrap server, `host:port`."""
        return self.address_of(PLAINTEXT)

    def address_of(self, listener: str) -> str:
        """Return the bootstrap server of the listener of that name, `host:port`."""
        return f"{HOST}:{self._ports[listener]}"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None else None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Start the node, and return once it takes requests.

        Raises:
            BrokerError: Kafka cannot be had, or is not ready in time; the message ends with its log.
        """
        java = ["java", *JVM_OPTIONS, "-cp", f"{libraries()}/*"]
        properties = self._write_properties()
        format_ = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", _cluster_id(self.folder), *self._scram()]
        _run([*java, *format_, "-c", str(properties)], "Kafka cannot format its folder")
        with self._log.open("wb") as log:
            command = [*java, "kafka.Kafka", str(properties)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait_until_ready(self._process)

    def stop(self) -> None:
        """End the node in order; one that takes too long is killed."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End the node at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None

    @property
    def _log(self) -> Path:
        return self.folder / "kafka.log"

    def _scram(self) -> list[str]:
        return [part for name, word in self._users.items() for part in ("--add-scram", f"{SCRAM}=[name={name},password={word}]")]

    def _write_properties(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        listeners = ",".join(f"{name}://{self.address_of(name)}" for name in self._ports)
        controller = f"{HOST}:{self._controller_port}"
        values = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "listeners": f"{listeners},CONTROLLER://{controller}",
            "advertised.listeners": listeners,
            "listener.security.protocol.map": self._protocols(),
            "inter.broker.listener.name": PLAINTEXT,
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(self.folder.absolute() / "data"),
            # one node holds every copy
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.num.partitions": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            **self._settings,
            **{f"listener.name.{o.name.lower()}.{name}": value for o in self._listeners for name, value in o.settings.items()},
        }
        path = self.folder / "server.properties"
        path.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")
        return path

    def _protocols(self) -> str:
        return ",".join(["CONTROLLER:PLAINTEXT", *(f"{one.name}:{one.protocol}" for one in self._listeners)])

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + START_SECONDS
        while not _is_ready(self._ports[PLAINTEXT]):
            if process.poll() is not None or time.monotonic() > until:
                tail = self._log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
                self.kill()
                raise BrokerError(f"Kafka did not start:\n{tail}")
            time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    with ExitStack() as closing:
        probes = [closing.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]


def _cluster_id(folder: Path) -> str:
    """Return a cluster id (16 bytes, base64) that depends on the folder alone."""
    digest = blake2b(str(folder.absolute()).encode(), digest_size=16).digest()
    return urlsafe_b64encode(b"k" + digest[1:]).decode().rstrip("=")  # an id must not begin with a dash


def _is_ready(port: int) -> bool:
    """Ask for the cluster's brokers (Metadata, version 1, no topics): a node that is not ready yet lists none."""
    request = struct.pack(">hhihi", _METADATA_KEY, 1, _CORRELATION, -1, 0)
    try:
        with socket.create_connection((HOST, port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(12, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(answer) == 12 and struct.unpack(">iii", answer)[1:] > (_CORRELATION, 0)
