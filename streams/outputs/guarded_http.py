"""HTTP to addresses that settings may go to, and to no others, wherever a name leads (SSRF, OWASP)."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, Any, Final

import httpx
from pydantic import AfterValidator, Field, model_validator

from streams.outputs.contract import NotTakenError, Section, Trouble, causes
from streams.outputs.trust import Trust

BODY_BYTES_MAX: Final = 1 << 20
PORT_MAX: Final = 65_535
METADATA: Final = frozenset({ip_address("168.63.129.16")})  # of a cloud's machines, and yet a public address; others are not
NAT64: Final = IPv6Network("64:ff9b::/96")
REFUSING: Final = frozenset({400, 413, 415, 422})  # this very message
UNAUTHORISED: Final = frozenset({401, 403, 407})
BUSY: Final = frozenset({408, 425, 429, 503})


def _http_url(url: str) -> str:
    """Return it as it is gone to: what judges it is what reads it then, so that no way of writing passes as another."""
    try:
        told = httpx.URL(url)
    except httpx.InvalidURL:
        told = httpx.URL()
    if told.scheme not in {"http", "https"} or not told.host or told.userinfo or told.fragment or (told.port or 0) > PORT_MAX:
        raise ValueError("an address is https://host/path, without user, password or fragment")
    return str(told)


def _network(text: str) -> str:
    return str(ip_network(text))


class HttpSection(Section, Trust):
    """What every output over HTTP can be told."""

    url: Annotated[str, AfterValidator(_http_url)] = Field(description="where to")
    allow_plain: bool = Field(default=False, description="whether `http://` will do: what is told can be read on the way")
    allow_networks: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(
        (), description="networks that are not public and may be told, such as `10.1.2.0/24`; `127.0.0.0/8`: this machine"
    )

    @model_validator(mode="after")
    def _is_secret(self) -> HttpSection:
        if self.url.startswith("http://") and not self.allow_plain:
            raise ValueError("http:// needs allow_plain: true")
        return self


@dataclass(frozen=True, slots=True)
class Guard:
    """Which addresses may be gone to: those on the internet, and the networks named."""

    networks: tuple[IPv4Network | IPv6Network, ...]

    def allows(self, address: str) -> bool:
        """Tell whether `address` may be connected to; an IPv4 address within an IPv6 one is judged as itself."""
        met = _inner(ip_address(address.partition("%")[0]))
        if any(met in network for network in self.networks if network.version == met.version):
            return True
        return met.is_global and not (met.is_multicast or met.is_reserved or met.is_unspecified or met in METADATA)


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


class GuardedHttp:
    """Posts to one address: its name is looked up once a try, and what was looked up is what is connected to.

    No redirect is followed, no proxy taken from the environment, and nothing read of the answer but its head.
    """

    def __init__(self, section: HttpSection) -> None:
        self._url = httpx.URL(section.url)
        self._name = self._url.raw_host.decode()  # as it is written: `host` of `xn--…` would be looked up as another name
        self._guard = Guard(tuple(ip_network(text) for text in section.allow_networks))
        limits = httpx.Limits(max_connections=4, max_keepalive_connections=0)
        self._client = httpx.AsyncClient(
            verify=section.context(), follow_redirects=False, trust_env=False, timeout=section.timeout_seconds, limits=limits
        )

    async def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Return once the answer is 2xx.

        Raises:
            NotTakenError: it is not.
        """
        if len(body) > BODY_BYTES_MAX:
            raise NotTakenError(Trouble.REFUSED, is_final=True)
        addresses = await self._resolved()
        for last, address in enumerate(addresses, 1 - len(addresses)):
            try:
                return await self._try(address, body, headers)
            except httpx.ConnectError as error:
                if last == 0:
                    raise NotTakenError(_connect_trouble(error)) from None
            except httpx.TimeoutException:
                raise NotTakenError(Trouble.TIMEOUT) from None
            except httpx.HTTPError:
                raise NotTakenError(Trouble.UNREACHABLE) from None
        raise NotTakenError(Trouble.UNREACHABLE)

    async def close(self) -> None:
        """Close what is open."""
        await self._client.aclose()

    async def _resolved(self) -> list[str]:
        """Return the addresses of the name; one that may not be gone to spoils them all."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(self._name, self._url.port or 443, type=socket.SOCK_STREAM)
        except OSError:
            raise NotTakenError(Trouble.UNREACHABLE) from None
        addresses = list(dict.fromkeys(str(place[0]) for *_, place in found))
        if not all(self._guard.allows(address) for address in addresses):
            raise NotTakenError(Trouble.ADDRESS_REFUSED)
        return addresses

    async def _try(self, address: str, body: bytes, headers: Mapping[str, str]) -> None:
        url = self._url.copy_with(host=address)
        told = {"Host": self._url.netloc.decode(), "User-Agent": "Sentinel", **headers}
        name: dict[str, Any] = {"sni_hostname": self._name}  # the certificate is checked against the name, not the address
        async with self._client.stream("POST", url, content=body, headers=told, extensions=name) as answer:
            _judge(answer.status_code, answer.headers.get("Retry-After", ""))


def _judge(status: int, retry_after: str) -> None:
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise NotTakenError(Trouble.REDIRECTED)
    if status in REFUSING:
        raise NotTakenError(Trouble.REFUSED, is_final=True)
    if status in UNAUTHORISED:
        raise NotTakenError(Trouble.UNAUTHORISED)
    seconds = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0
    raise NotTakenError(Trouble.BUSY if status in BUSY else Trouble.OTHERWISE, retry_after_seconds=seconds)


def _connect_trouble(error: BaseException) -> Trouble:
    """Tell a certificate that is not trusted from all else: httpx says both as one."""
    is_certificate = any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes(error))
    return Trouble.CERTIFICATE if is_certificate else Trouble.UNREACHABLE
