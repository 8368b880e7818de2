"""`sentinel report`: who opened a record, what a person did, what an alert rests on. Asked of the running service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from sentinel.commands.terminal import AsJson, show, show_rows
from sentinel.core.errors import RefusedToStartError, SentinelError

app = typer.Typer(no_args_is_help=True, help="Answers for an investigation, from the running service.")
Url = Annotated[str | None, typer.Option(help="Where the service listens; none: as the settings say.")]
Limit = Annotated[int, typer.Option(min=1, max=1_000, help="How many rows at the most.")]
PAGE: Final = 1_000
_COLUMNS = (
    "occurred_at",
    "actor_id",
    "action",
    "patient_id",
    "resource_type",
    "client_address",
    "purpose",
    "explained_by",
    "detectors",
)


@app.command()
def patient(id: str, url: Url = None, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List all accesses to a patient's record: who, what, when, from where, why."""
    _accesses(ask(url, f"/v1/patients/{quote(id, safe='')}/accesses", limit=limit), as_json)


@app.command()
def actor(id: str, url: Url = None, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List all accesses by a person or service."""
    _accesses(ask(url, f"/v1/actors/{quote(id, safe='')}/accesses", limit=limit), as_json)


@app.command()
def alert(id: str, url: Url = None, as_json: AsJson = False) -> None:
    """Show an alert: its reasons in words, and the accesses that it rests on."""
    found = ask(url, f"/v1/alerts/{quote(id, safe='')}")
    evidence = ask(url, f"/v1/alerts/{quote(id, safe='')}/evidence")
    if as_json:
        show({"alert": found, "evidence": evidence}, as_json)
        return
    show({name: found[name] for name in ("id", "severity", "priority", "actor", "first_seen", "last_seen")}, as_json)
    show_rows(
        ("reason", "usual for the person", "for peers"), [(r["text"]["en"], *r["usual"].values()) for r in found["reasons"]]
    )
    show_rows(_COLUMNS, [[item["access"].get(name, "") for name in _COLUMNS] for item in evidence])


def _accesses(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show(answer, as_json)
        return
    show_rows(_COLUMNS, [[access.get(name, "") for name in _COLUMNS] for access in answer["accesses"]])


def all_alerts(url: str | None, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the alerts that answer a question to the running service, page by page, the latest first."""
    told = {"order": "time", "limit": PAGE, **asked}
    while True:
        page = ask(url, "/v1/alerts", **told)
        yield from page["alerts"]
        if page["next"] is None:
            return
        told["before"] = page["next"]


def ask(url: str | None, path: str, told: dict[str, str] | None = None, **asked: int | str) -> Any:
    """Return what the running service answers: to a question, or to what it is `told`.

    Raises:
        RefusedToStartError: there is no service, or nothing of that id.
        SentinelError: the service refused, or failed.
    """
    import httpx

    from sentinel.settings import Settings

    settings = Settings.read()
    token = settings.console_token
    headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
    try:
        where = (url or f"http://{settings.host}:{settings.port}") + path
        answer = httpx.request("POST" if told else "GET", where, params=asked, json=told, headers=headers, timeout=30)
    except httpx.TransportError:
        raise RefusedToStartError("no service answers there; start it with `sentinel serve`") from None
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise RefusedToStartError("there is nothing of that id")
    if answer.is_error:
        raise SentinelError(f"the service answered {answer.status_code}")
    return answer.json()
