"""A certificate authority of the tests' own, and what it signs: PEM files made by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

CONFIG = """
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[broker]
subjectAltName = IP:127.0.0.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[client]
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


@dataclass(frozen=True)
class Signed:
    """A certificate, its key, and both in one file as Kafka wants them."""

    certificate: Path
    key: Path

    @property
    def both(self) -> Path:
        """Key and certificate in one file."""
        both = self.certificate.with_suffix(".both.pem")
        both.write_text(self.key.read_text() + self.certificate.read_text())
        return both


class Authority:
    """An authority with its files in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        (folder / "openssl.conf").write_text(CONFIG)
        self.file = self._make("authority", "authority").certificate

    def sign(self, kind: str, name: str) -> Signed:
        """Make a key and a certificate for it: a `broker`'s, which is 127.0.0.1 and no other host, or a `client`'s."""
        return self._make(kind, name, "-CA", str(self.file), "-CAkey", str(self.folder / "authority.key"))

    def _make(self, kind: str, name: str, *by: str) -> Signed:
        made = Signed(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        files = ["-config", str(self.folder / "openssl.conf"), "-keyout", str(made.key), "-out", str(made.certificate)]
        command = ["openssl", "req", "-x509", *NEW_KEY, *files, "-extensions", kind, "-subj", f"/CN={name}", *by]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        return made
