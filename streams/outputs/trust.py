"""Who is trusted over TLS, and who we are."""

from __future__ import annotations

import ssl
from pathlib import Path

from pydantic import Field

from sentinel.core.errors import RefusedToStartError
from streams.yaml_file import Strict


class Trust(Strict):
    """What every output over TLS can be told."""

    ca_file: Path | None = Field(
        None, description="file (PEM) of the authorities that the receiver's certificate comes from; none: the system's"
    )
    certificate_file: Path | None = Field(None, description="file (PEM) of our own certificate, for receivers that want one")
    key_file: Path | None = Field(None, description="file (PEM) of that certificate's key, not encrypted")

    def context(self) -> ssl.SSLContext:
        """Return what TLS connections are made with: TLS 1.2 or later, certificate and host name checked.

        Raises:
            RefusedToStartError: a file is not there, or no certificate or key.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.certificate_file is not None:
                context.load_cert_chain(self.certificate_file, self.key_file)
        except OSError:  # ssl.SSLError among them
            raise RefusedToStartError("an output's ca_file, certificate_file or key_file cannot be used") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context
