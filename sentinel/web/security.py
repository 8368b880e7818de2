"""Who may come in: keys, the host asked for, the site that asks, and the headers every answer bears."""

from __future__ import annotations

from enum import Enum, auto
from hashlib import blake2b
from hmac import compare_digest
from html import escape
from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import SecretStr

from sentinel.core.errors import RefusedToStartError
from sentinel.web.ports import Security
from sentinel.web.problem import ProblemError

COOKIE: Final = "sentinel_session"
SECRET_LENGTH_MIN: Final = 16
LOGIN_BYTES_MAX: Final = 4096
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
INTAKE: Final = frozenset({"/v1/events", "/v1/cloudevents", "/v1/logs", "/fhir", "/services/collector"})
SCHEMES: Final = frozenset({"bearer", "splunk"})  # how keys are presented; the other is Splunk's HTTP Event Collector's
PROBES: Final = frozenset({"/healthz", "/readyz"})

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Need(Enum):
    """What a path asks of who comes."""

    NOTHING = auto()
    INTAKE = auto()
    CONSOLE = auto()
    EITHER = auto()


def check_exposure(host: str, security: Security) -> None:
    """Check that what listens on `host` may do so.

    Raises:
        RefusedToStartError: it could be reached from other machines without keys, or by any name.
    """
    keys = (security.intake_key, security.console_token)
    if any(key is not None and len(key.get_secret_value()) < SECRET_LENGTH_MIN for key in keys):
        raise RefusedToStartError(f"web: the intake key and the console token have at least {SECRET_LENGTH_MIN} characters")
    if _is_loopback(host):
        return
    if None in keys:
        raise RefusedToStartError(f"web: listening on {host} asks for an intake key and a console token")
    if _is_any(host) and not security.hosts:
        raise RefusedToStartError(f"web: listening on {host} asks for the host names the service is reached by")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _is_any(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return not host


def need_of(path: str, method: str = "GET") -> Need:
    """Return what `path` asks for; under `/fhir` events are pushed with one key, and read with the other."""
    if path in PROBES | {"/login", "/docs/style.css"} or path.startswith("/static/"):
        return Need.NOTHING
    if path in {"/docs", "/openapi.json", "/fhir/metadata"}:
        return Need.EITHER
    if path.startswith("/fhir/") and (method in {"GET", "HEAD"} or path.endswith("/_search")):
        return Need.CONSOLE
    if path in INTAKE or path.startswith(("/fhir/", "/services/collector/", "/scim/v2/")):
        return Need.INTAKE
    return Need.CONSOLE


def admit(request: Request, security: Security) -> None:
    """Raise unless the request comes to a name of ours, from no other site, with the key its path asks for.

    Raises:
        ProblemError: 421, 403 or 401.
    """
    need = need_of(request.url.path, request.method)
    if request.url.path not in PROBES:
        _check_host(request, security)
    _check_origin(request)
    if not _may(request, security, need):
        raise ProblemError(401, "unauthorised", headers={"WWW-Authenticate": 'Bearer realm="sentinel"'})


def _check_host(request: Request, security: Security) -> None:
    """Refuse names that are not ours: a page elsewhere may have its name point here (DNS rebinding)."""
    if _hostname(request.headers.get("host", "")) not in LOOPBACK | {host.lower() for host in security.hosts}:
        raise ProblemError(421, "misdirected")


def _hostname(netloc: str) -> str:
    try:
        return (urlsplit(f"//{netloc}").hostname or "").lower()
    except ValueError:
        return ""


def _check_origin(request: Request) -> None:
    origin = request.headers.get("origin")
    if origin is not None and _netloc(origin) != request.headers.get("host", "").lower():
        raise ProblemError(403, "forbidden")
    if request.headers.get("sec-fetch-site") == "cross-site" and request.method not in {"GET", "HEAD"}:
        raise ProblemError(403, "forbidden")


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _may(request: Request, security: Security, need: Need) -> bool:
    intake, console = security.intake_key, security.console_token
    match need:
        case Need.NOTHING:
            return True
        case Need.INTAKE:
            return intake is None or _bears(request, intake)
        case Need.CONSOLE:
            return console is None or _bears(request, console) or _has_cookie(request, console)
        case Need.EITHER:
            return _may(request, security, Need.INTAKE) or _may(request, security, Need.CONSOLE)


def _bears(request: Request, secret: SecretStr) -> bool:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    told = bearer.strip() if scheme.lower() in SCHEMES else request.headers.get("x-api-key", "")
    return _same(told, secret.get_secret_value())


def _has_cookie(request: Request, token: SecretStr) -> bool:
    return _same(request.cookies.get(COOKIE, ""), _session(token))


def _same(told: str, right: str) -> bool:
    return compare_digest(told.encode("utf-8", "surrogatepass"), right.encode())


def _session(token: SecretStr) -> str:
    """Return what the cookie holds: proof of the token, not the token."""
    digest = blake2b(token.get_secret_value().encode(), digest_size=32, person=b"console-session")
    return digest.hexdigest()


def login_page(path: str, status: int, *, failed: bool) -> Response:
    """Return the form that asks for the console token, then leads on to `path`."""
    word = "<p role='alert'>This is not the token. · Ce n’est pas le jeton.</p>" if failed else ""
    return HTMLResponse(_LOGIN.format(word=word, path=escape(path, quote=True)), status_code=status)


_LOGIN: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sentinel</title><link rel="stylesheet" href="/docs/style.css"></head>
<body class="login"><main><h1>Sentinel</h1>{word}
<form method="post" action="/login"><input type="hidden" name="next" value="{path}">
<label for="token">Console token · <span lang="fr">Jeton de la console</span></label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Enter · <span lang="fr">Entrer</span></button></form></main></body></html>
"""


def router(security: Security) -> APIRouter:
    """Return the routes by which a browser gets its cookie."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/login")
    async def get_login() -> Response:
        return login_page("/", 200, failed=False)

    @routes.post("/login")
    async def post_login(request: Request) -> Response:
        form = await _form(request)
        path, token = _local(form.get("next", "/")), security.console_token
        if token is None:
            return RedirectResponse(path, 303)
        if not _same(form.get("token", ""), token.get_secret_value()):
            return login_page(path, 401, failed=True)
        response = RedirectResponse(path, 303)
        response.set_cookie(COOKIE, _session(token), httponly=True, samesite="lax", secure=request.url.scheme == "https")
        return response

    @routes.post("/logout")
    async def post_logout() -> Response:
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE)
        return response

    return routes


async def _form(request: Request) -> dict[str, str]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LOGIN_BYTES_MAX:
            raise ProblemError(413, "too-large", headers={"Connection": "close"})
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


def _local(path: str) -> str:
    """Return `path` when it stays on this site, else the first page."""
    is_local = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if is_local else "/"
