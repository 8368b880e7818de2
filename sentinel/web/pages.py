"""Turns a template and its values into a page in the reader's language, and knows the files a page needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from hashlib import blake2b
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from sentinel.core.detector import Pattern
from sentinel.web import views
from sentinel.web.language import CODES, Code, Language, code_of, preferred
from sentinel.web.ports import Clock
from sentinel.web.texts import TEXTS, Words

LANGUAGE_COOKIE: Final = "sentinel_lang"
YEAR_S: Final = 365 * 86_400
_MEDIA: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_STATUSES: Final = (400, 401, 403, 404, 500, 503)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages refer to. `version` changes with its content."""

    body: bytes
    media_type: str
    version: str


def read_assets() -> dict[str, Asset]:
    """Return the package's files that pages refer to, by name."""
    folder = files("sentinel.web") / "static"
    found = [file for file in folder.iterdir() if file.name[file.name.rfind(".") :] in _MEDIA]
    return {file.name: _asset(file.name, file.read_bytes()) for file in found}


def _asset(name: str, body: bytes) -> Asset:
    return Asset(body, _MEDIA[name[name.rfind(".") :]], blake2b(body, digest_size=6).hexdigest())


@dataclass(frozen=True, slots=True)
class Site:
    """What every page says of the installation. `detectors`: those enabled; `model`: the online model's name, if it runs."""

    tenant: str
    version: str
    zone: ZoneInfo
    clock: Clock
    detectors: Sequence[Pattern] = ()
    model: str | None = None


@dataclass(frozen=True)
class Pages:
    """The console's pages for one site."""

    site: Site
    language: Code = "fr"  # for readers who ask for none that we speak
    assets: Mapping[str, Asset] = field(default_factory=read_assets)

    def page(self, request: Request, template: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        """Return a page, and remember the language when the reader just chose it."""
        t = self.reads(request)
        text = self._environment.get_template(template).render({**self._common(request, t), **values})
        response = HTMLResponse(text, status, _headers(t.code))
        if code_of(request.query_params.get("lang", "")):
            response.set_cookie(LANGUAGE_COOKIE, t.code, max_age=YEAR_S, samesite="lax", httponly=True)
        return response

    def error(self, request: Request, status: int, retry_after_seconds: int | None = None) -> HTMLResponse:
        """Return the page for an HTTP status, in the same look as the others."""
        shown = status if status in _STATUSES else 500 if status >= 500 else 400
        retry = status >= 500 and request.method == "GET"
        response = self.page(request, "error.html", {"status": status, "key": f"error.{shown}", "retry": retry}, status)
        if retry_after_seconds is not None:
            response.headers["Retry-After"] = str(retry_after_seconds)
        return response

    def asset(self, name: str, version: str) -> Response | None:
        """Return a file, kept by the browser for good when asked for by its version; None: there is no such file."""
        found = self.assets.get(name)
        if found is None:
            return None
        lasting = "public, max-age=31536000, immutable" if version == found.version else "no-cache"
        return Response(found.body, media_type=found.media_type, headers={"Cache-Control": lasting, "ETag": f'"{found.version}"'})

    def reads(self, request: Request) -> Language:
        """Return the reader's language: just chosen, chosen before, or what the browser asks for."""
        code = (
            code_of(request.query_params.get("lang", ""))
            or code_of(request.cookies.get(LANGUAGE_COOKIE, ""))
            or preferred(request.headers.get("accept-language", ""))
        )
        return Language(code or self.language, self.site.zone)

    def _common(self, request: Request, t: Language) -> dict[str, Any]:
        return {
            "t": t,
            "now": self.site.clock.now_us(),
            "site": self.site,
            "path": request.scope.get("raw_path", b"/").decode("ascii", "replace").partition("?")[0],
            "languages": [(code, _same_page(request, code)) for code in CODES],
            "detector": partial(_title, {detector.name: detector for detector in self.site.detectors}, t),
        }

    @cached_property
    def _environment(self) -> Environment:
        environment = Environment(
            loader=PackageLoader("sentinel.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals["asset"] = lambda name: f"/static/{name}?v={self.assets[name].version}"
        environment.globals["query"] = query
        environment.globals["views"] = views
        environment.filters["segment"] = views.segment
        return environment


def query(**values: Any) -> str:
    """Return `?a=b&c=d` of the values that are not empty, in their order; empty for none."""
    told = {name: str(value) for name, value in values.items() if value}
    return f"?{urlencode(told)}" if told else ""


def _headers(code: Code) -> dict[str, str]:
    """Pages hold personal data: no cache keeps them."""
    return {"Cache-Control": "no-store", "Content-Language": code, "Vary": "Accept-Language, Cookie"}


def _same_page(request: Request, code: Code) -> str:
    """Return the address of the page being read, in another language, relative to it."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    return f"?{urlencode([*kept, ('lang', code)])}"


def _title(detectors: Mapping[str, Pattern], t: Language, name: str) -> str:
    """Return what a detector is called; one that is not enabled (any more), or the model, by a text of ours or its name."""
    detector = detectors.get(name)
    if detector is None:
        return t.named("detector", name) if f"detector.{name}" in TEXTS else views.spelled(name)
    return t.words(Words(detector.title_fr, detector.title_en))
