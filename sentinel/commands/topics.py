"""`sentinel topics`: makes Kafka's topics as `streams/topics.py` declares them, and says where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from sentinel.commands.terminal import AsJson, show, show_rows

if TYPE_CHECKING:
    from streams.topic_admin import Finding

app = typer.Typer(no_args_is_help=True, help="Kafka's topics: make what is missing, say what differs.")


@app.command()
def create(as_json: AsJson = False) -> None:
    """Make the topics that are missing; what is there stays as it is. Exit code 1: something differs from what is declared."""
    import asyncio

    from sentinel import assembly
    from sentinel.settings import Settings
    from streams import topic_admin

    settings = Settings.read()
    _tell(asyncio.run(topic_admin.create(assembly.bus(settings), assembly.topics(settings))), as_json)


@app.command()
def check(as_json: AsJson = False) -> None:
    """Hold the topics against what is declared, and change nothing. Exit code 1: something differs or is missing."""
    import asyncio

    from sentinel import assembly
    from sentinel.settings import Settings
    from streams import topic_admin

    settings = Settings.read()
    _tell(asyncio.run(topic_admin.check(assembly.bus(settings), assembly.topics(settings))), as_json)


def _tell(findings: Sequence[Finding], as_json: bool) -> None:
    if as_json:
        show({"topics": [asdict(finding) for finding in findings]}, as_json)
    else:
        show_rows(("topic", "state", "what", "declared", "found"), [row for finding in findings for row in _rows(finding)])
    if not all(finding.is_well for finding in findings):
        raise typer.Exit(1)


def _rows(finding: Finding) -> list[tuple[str, ...]]:
    differences = [(d.what, d.declared, d.found) for d in finding.differences] or [("", "", "")]
    return [(finding.topic, finding.state, *difference) for difference in differences]
