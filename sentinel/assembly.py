"""Connects things: the only place where parts meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sentinel.core.detector import Detector
from sentinel.core.errors import RefusedToStartError
from sentinel.core.model import Model
from sentinel.core.pipeline import Pipeline
from sentinel.core.plugins import discover, enabled
from streams.replay import Progress, Replay, Summary
from streams.replay import replay as run_replay
from streams.sources.contract import Source

if TYPE_CHECKING:
    from sentinel.settings import Settings
    from sentinel.store.writer import Writer


def sources() -> dict[str, Source]:
    """Return all formats found, by name."""
    return discover("streams.sources", "SOURCE", Source)


def source(name: str) -> Source:
    """Return one format.

    Raises:
        RefusedToStartError: there is none of that name.
    """
    return enabled(sources(), [name])[0]


def detectors(names: Sequence[str] | None = None) -> list[Detector]:
    """Return the detectors called `names`; None: all found."""
    found = discover("models.detectors", "DETECTOR", Detector)
    return enabled(found, found if names is None else names)


def online_model() -> Model:
    """Return a fresh online model."""
    from models.online.session_trees import SessionTrees  # noqa: PLC0415  river takes a second to import

    return SessionTrees()


def pipeline(settings: Settings, tenant: str | None = None) -> Pipeline:
    """Return the core as these settings want it, for one tenant."""
    return Pipeline(
        tenant=tenant or settings.tenant,
        detectors=detectors(settings.detectors),
        model=online_model() if settings.model else None,
        per_day=settings.budget,
        timezone=settings.timezone,
    )


def replay(
    settings: Settings, format_name: str, files: Sequence[str], context: Path | None, out: Path, on_progress: Progress
) -> Summary:
    """Replay files through the core into `out` (docs/replay.md); into the store as well when settings name one.

    Raises:
        RefusedToStartError: the format, the context or a file is not there.
    """
    _must_be_there([file for file in files if file != "-"], context)
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as closing, (out / "rejected.ndjson").open("w", encoding="utf-8") as rejected:
        keeper = closing.enter_context(store_writer(settings)) if settings.store else None
        job = Replay(pipeline(settings), source(format_name), rejected, keeper, on_progress)
        return run_replay(job, context, files, out)


def _must_be_there(files: Sequence[str], context: Path | None) -> None:
    missing = [file for file in files if not Path(file).is_file()]
    if context is not None and not context.is_dir():
        missing.append(str(context))
    if missing:
        raise RefusedToStartError(f"not there: {', '.join(missing)}")


@contextmanager
def store_writer(settings: Settings) -> Iterator[Writer]:
    """Open the store, bring its schema up to date, and give its writer."""
    from sentinel.store.client import connect  # noqa: PLC0415  chDB takes a second to import
    from sentinel.store.migrate import migrate  # noqa: PLC0415
    from sentinel.store.writer import Writer  # noqa: PLC0415

    connections = connect(settings.store or f"chdb://{settings.data.absolute() / 'store'}")
    try:
        migrate(connections.writer)
        yield Writer(connections.writer)
    finally:
        connections.close()
