"""Who may come in: from this machine without keys, from elsewhere only with them, and never by a strange name or site."""

from __future__ import annotations

import json

import pytest
from pydantic import SecretStr

from sentinel.core.errors import RefusedToStartError
from sentinel.web.ports import Security
from sentinel.web.security import Need, check_exposure, need_of
from tests.web.api_parts import EVENT, an_app

INTAKE, CONSOLE = "intake-key-0123456789", "console-token-0123456789"
KEYS = Security(intake_key=SecretStr(INTAKE), console_token=SecretStr(CONSOLE), hosts=("sentinel.example",))
OPEN = ["/healthz", "/readyz", "/login", "/docs/style.css"]
READING = ["/v1/alerts", "/v1/alerts/x", "/v1/patients/p/accesses", "/v1/actors/a/accesses", "/metrics", "/", "/nothing"]


@pytest.fixture
def app(tmp_path):
    with an_app(tmp_path, security=KEYS) as made:
        made.questions.told |= {"alerts": {}, "alert": {}, "accesses_to_patient": {}, "accesses_by_actor": {}}
        yield made


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.53"])
def test_this_machine_alone_needs_no_keys(host):
    """Loopback addresses are open."""
    check_exposure(host, Security())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "sentinel.example", ""])
@pytest.mark.parametrize("missing", ["intake_key", "console_token"])
def test_other_machines_need_both_keys(host, missing):
    """Anything else refuses to start."""
    keys = {"intake_key": SecretStr(INTAKE), "console_token": SecretStr(CONSOLE)}
    del keys[missing]
    with pytest.raises(RefusedToStartError):
        check_exposure(host, Security(**keys, hosts=("sentinel.example",)))


def test_every_address_needs_a_name():
    """Else any name would do, which is what DNS rebinding needs."""
    check_exposure("0.0.0.0", KEYS)
    with pytest.raises(RefusedToStartError):
        check_exposure("0.0.0.0", Security(intake_key=KEYS.intake_key, console_token=KEYS.console_token))


def test_a_short_key_is_refused_and_not_shown():
    """Even on this machine."""
    with pytest.raises(RefusedToStartError) as refused:
        check_exposure("127.0.0.1", Security(intake_key=SecretStr("hunter2")))
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("path", OPEN)
def test_what_is_open_is_open(app, path):
    """Probes, the login form and its style."""
    assert app.client.get(path).status_code == 200


@pytest.mark.parametrize("path", READING)
def test_reading_needs_the_console_token(app, path):
    """As a bearer, an API key or the cookie; the intake key does not open it."""
    assert app.client.get(path).status_code == 401
    assert app.client.get(path, headers={"Authorization": f"Bearer {INTAKE}"}).status_code == 401
    assert app.client.get(path, headers={"Authorization": f"Bearer {CONSOLE}"}).status_code in {200, 404}
    assert app.client.get(path, headers={"X-Api-Key": CONSOLE}).status_code in {200, 404}


@pytest.mark.parametrize("path", ["/v1/events", "/fhir", "/fhir/AuditEvent", "/fhir/Patient"])
def test_intake_needs_the_intake_key(app, path):
    """The console token does not open it."""
    for key, admitted in ((None, False), (CONSOLE, False), (INTAKE[:-1], False), (INTAKE, True)):
        headers = {"Authorization": f"bearer {key}"} if key else {}
        answer = app.client.post(path, json=EVENT, headers=headers)
        assert (answer.status_code != 401) is admitted
    assert app.client.post(path, json=EVENT).headers["www-authenticate"].startswith("Bearer")


def test_the_reference_is_for_both(app):
    """Integrators read it too."""
    for key in (INTAKE, CONSOLE):
        assert app.client.get("/docs", headers={"X-Api-Key": key}).status_code == 200
    assert app.client.get("/docs").status_code == 401


def test_every_route_asks_for_something(app):
    """A route added later is closed unless somebody opened it."""
    paths = json.loads(app.client.get("/openapi.json", headers={"X-Api-Key": CONSOLE}).content)["paths"]
    assert {path for path in paths if need_of(path) is Need.NOTHING} == {"/healthz", "/readyz"}
    assert need_of("/whatever/comes") is Need.CONSOLE


def test_a_browser_signs_in_with_the_token(app):
    """The form leads on to where one wanted to go; the cookie is not the token and is out of scripts' reach."""
    form = app.client.get("/alerts/x", headers={"Accept": "text/html"})
    assert form.status_code == 401
    assert 'value="/alerts/x"' in form.text
    wrong = app.client.post("/login", data={"token": "no", "next": "/alerts/x"})
    assert (wrong.status_code, "set-cookie" in wrong.headers) == (401, False)
    right = app.client.post("/login", data={"token": CONSOLE, "next": "/v1/alerts"})
    assert (right.status_code, right.headers["location"]) == (303, "/v1/alerts")
    cookie = right.headers["set-cookie"]
    assert CONSOLE not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert app.client.get("/v1/alerts").status_code == 200
    app.client.post("/logout")
    assert app.client.get("/v1/alerts").status_code == 401


@pytest.mark.parametrize(
    "path", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/a\r\nb"]
)
def test_signing_in_leads_nowhere_else(app, path):
    """An address of another site is replaced by the first page."""
    answer = app.client.post("/login", data={"token": CONSOLE, "next": path})
    assert answer.headers["location"] == "/"


def test_the_form_shows_a_path_as_text(app):
    """A path that is HTML stays text."""
    page = app.client.get('/"><script>alert(1)</script>', headers={"Accept": "text/html"}).text
    assert "<script>" not in page


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "sentinel.example.evil.example:80"])
def test_a_strange_name_is_refused(app, host):
    """A page elsewhere whose name points here gets nothing (DNS rebinding)."""
    assert app.client.get("/login", headers={"Host": host}).status_code == 421
    assert app.client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["sentinel.example", "SENTINEL.example:8443", "localhost:1", "[::1]:8000"])
def test_our_names_are_ours(app, host):
    """With any port."""
    assert app.client.get("/login", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:9999", "http://["])
def test_another_site_may_not_ask(tmp_path, origin):
    """Neither read nor write, even without keys."""
    with an_app(tmp_path) as app:
        assert app.post(b"{}", Origin=origin).status_code == 403
        assert app.client.get("/v1/alerts", headers={"Origin": origin}).status_code == 403


def test_our_own_pages_may_ask(tmp_path):
    """A form of the console, and a browser that says that the site is the same."""
    with an_app(tmp_path) as app:
        assert app.post(json.dumps(EVENT).encode(), Origin="http://127.0.0.1:8000").status_code == 202
        assert app.post(json.dumps(EVENT).encode(), **{"Sec-Fetch-Site": "cross-site"}).status_code == 403


@pytest.mark.parametrize("path", ["/healthz", "/docs", "/v1/alerts", "/nothing", "/fhir/x"])
def test_every_answer_bears_the_headers(app, path):
    """Whatever its status."""
    headers = app.client.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'self';")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_keys_are_in_no_answer_and_no_repr(app):
    """Not even in a traceback's locals."""
    assert INTAKE not in repr(KEYS)
    assert CONSOLE not in app.client.get("/v1/alerts", headers={"Authorization": f"Bearer {CONSOLE}x"}).text
