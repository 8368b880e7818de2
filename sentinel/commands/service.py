"""Commands that run the service: serve, the gateway of a distributed one, and the demonstration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sentinel.commands.terminal import tell

Data = Annotated[Path | None, typer.Option(help="Folder of the intake log, checkpoints and the embedded store.")]
Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="TCP port; 0: any free one.")]


def serve(data: Data = None, host: Host = None, port: Port = None) -> None:
    """Run the service: intake, detection, API and console."""
    from sentinel import assembly
    from sentinel.settings import Settings

    settings = Settings.read(data=data, host=host, port=port)
    assembly.serve(settings, lambda address: tell(f"Sentinel is ready at {address}"))


def gateway(data: Data = None, host: Host = None, port: Port = None) -> None:
    """Run the ways in and out of a distributed service: what comes in goes to Kafka, what is shown is from the shared store."""
    from sentinel import assembly
    from sentinel.settings import Settings

    settings = Settings.read(data=data, host=host, port=port)
    assembly.gateway(settings, lambda address: tell(f"Sentinel's gateway is ready at {address}"))


def demo(
    data: Annotated[Path, typer.Option(help="Folder of the demonstration; a second start goes on from it.")] = Path("var/demo"),
    port: Annotated[int, typer.Option(help="TCP port; 0: any free one.")] = 8000,
    seed: Annotated[int, typer.Option(min=0, help="Which hospital.")] = 7,
    fast: Annotated[bool, typer.Option("--fast", help="A month in a few minutes, as fast as it goes.")] = False,
) -> None:
    """Watch a simulated hospital: its AuditEvents stream over HTTP into the running service."""
    from datetime import datetime
    from multiprocessing import get_context
    from zoneinfo import ZoneInfo

    from sentinel import assembly
    from sentinel.demo import BUDGET, feed
    from sentinel.settings import Settings

    settings = Settings.read(data=data, port=port, budget=BUDGET)
    key = settings.intake_key.get_secret_value() if settings.intake_key else None
    today = datetime.now(tz=ZoneInfo(settings.timezone)).date()
    story = data / "demo.json"

    def start(address: str) -> None:
        tell(f"Sentinel is ready: open [bold]{address}[/] (Ctrl-C stops; a second start goes on)")
        get_context("spawn").Process(target=feed, args=(address, story, today, seed, fast, key), daemon=True).start()

    assembly.serve(settings, start)
