"""`sentinel verdict`: say what an alert was, to the running service."""

from __future__ import annotations

import getpass
from typing import Annotated
from urllib.parse import quote

import typer

from sentinel.commands.report import Url, ask
from sentinel.commands.terminal import AsJson, show
from sentinel.core.context import Judgement


def verdict(
    alert: str,
    verdict: Judgement,
    reason: Annotated[str, typer.Option(help="Why, in a sentence; kept with the verdict.")] = "",
    by: Annotated[str | None, typer.Option(help="Who says so; none: the user of this machine.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Say what an alert was: misuse, justified, error or test; unclear takes an earlier verdict back.

    It counts for what is found from then on: misuse raises what is found on the person later, justified and error lower it.
    """
    told = {"verdict": str(verdict), "reason": reason, "by": getpass.getuser() if by is None else by}
    show(ask(url, f"/v1/alerts/{quote(alert, safe='')}/verdict", told), as_json)
