"""Files through the core: replay into a folder, backfill into the store of a live service."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from sentinel.assembly.core import configuration, pipeline
from sentinel.assembly.distributed import bus, topics
from sentinel.assembly.formats import must_be_there, source
from sentinel.assembly.house_rules import house_rules
from sentinel.assembly.storage import store_writer
from sentinel.core.errors import RefusedToStartError

if TYPE_CHECKING:
    from sentinel.core.alert import Alert
    from sentinel.settings import Settings
    from streams.backfill import BackfillSummary, Manners
    from streams.replay import Progress, Summary


def replay(
    settings: Settings,
    format_name: str,
    files: Sequence[str],
    context: Path | None,
    out: Path,
    on_progress: Progress,
    *,
    suppressed: bool = False,
) -> Summary:
    """Replay files through the core into `out` (docs/replay.md); into the store as well when settings name one.

    `suppressed`: write what rules keep back too.

    Raises:
        RefusedToStartError: the format, the context or a file is not there.
    """
    from streams.replay import Replay
    from streams.replay import replay as run_replay

    must_be_there([file for file in files if file != "-"], context)
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as closing, (out / "rejected.ndjson").open("w", encoding="utf-8") as rejected:
        keeper = closing.enter_context(store_writer(settings)) if settings.store else None
        if keeper is not None:
            keeper.merge_late()
        under, told = house_rules(settings), configuration(settings.configuration)
        job = Replay(
            pipeline(settings, house_rules=under, told=told), source(format_name, settings), rejected, keeper, on_progress
        )
        job.suppressed, beside = suppressed, configuration(settings.shadow)
        job.shadow = None if beside is None else pipeline(settings, house_rules=under, told=beside)
        return run_replay(job, context, files, out)


def backfill(
    settings: Settings,
    format_name: str,
    files: Sequence[str],
    context: Path | None,
    rejected: Path | None,
    period: tuple[int | None, int | None],
    manners: Manners,
    on_progress: Progress,
) -> BackfillSummary:
    """Take history into the store of a live service (docs/backfill.md). `period`: since, until, in µs.

    What is younger than an hour is the live service's: of what comes to it within that time it does not ask the store.

    Raises:
        RefusedToStartError: the format, the context, a file or the store is not there, or not to be had.
    """
    from streams.backfill import LANE, LateKeeper
    from streams.backfill import backfill as run_backfill
    from streams.embedded import SystemClock, alone
    from streams.parts import WorkerLimits
    from streams.replay import Replay

    must_be_there([file for file in files if file != "-"], context)
    _must_be_kept(settings)
    now = SystemClock().now_us()
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as closing:
        closing.enter_context(alone(settings.data, "backfill.lock", "another backfill"))
        tell = _alert_teller(settings)
        keeper = LateKeeper(closing.enter_context(store_writer(settings, LANE)), tell, manners)
        refused = closing.enter_context((rejected or Path(os.devnull)).open("w", encoding="utf-8"))
        read = source(format_name, settings)
        under = pipeline(settings, house_rules=house_rules(settings), told=configuration(settings.configuration))
        job = Replay(under, read, refused, keeper, on_progress, keep_rows=manners.rows, received_at=now)
        since, until = period
        job.since = job.since if since is None else since
        job.until = min(job.until if until is None else until, now - WorkerLimits().late_seconds * 1_000_000)
        return run_backfill(job, keeper, context, files)


def _must_be_kept(settings: Settings) -> None:
    """Refuse a store that the service will not find again: a wrong setting must not hide months of history."""
    if settings.store is None and not (settings.data / "store").is_dir():
        raise RefusedToStartError(f"store: there is none in {settings.data}; name it with --store")
    if settings.store is not None and settings.store.get_secret_value().startswith("chdb://memory"):
        raise RefusedToStartError("store: chdb://memory is gone with the process")


def _alert_teller(settings: Settings) -> Callable[[Sequence[Alert]], None]:
    """Return who tells alerts on the bus, where the settings name its servers."""
    if "kafka_servers" not in settings.model_fields_set:
        return lambda _alerts: None
    from streams.alert_topic import AlertTopic

    topic = AlertTopic(bus(settings), topics(settings).alerts)
    topic.reach()
    return topic.tell
