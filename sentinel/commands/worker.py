"""`sentinel worker`: one worker of the distributed service."""

from __future__ import annotations

from sentinel.core.errors import RefusedToStartError


def worker() -> None:
    """Run one worker on Kafka: intake, assessment, verdicts. As many as there are partitions share the work.

    The same as `faust -A streams.app worker`. SIGTERM or Ctrl-C: it keeps what is in hand and hands over.
    """
    import asyncio
    import logging

    from sentinel import assembly
    from sentinel.settings import Settings
    from streams.bus import EXTRA

    try:
        from faust import Worker
    except ModuleNotFoundError:
        raise RefusedToStartError(EXTRA) from None

    settings = Settings.read()
    app = assembly.worker(settings)
    assembly.check_topics(settings)
    asyncio.set_event_loop(asyncio.new_event_loop())  # Faust's worker takes the thread's, and there is none any more
    assembly.prepare()
    for library in ("aiokafka", "clickhouse_connect"):  # what matters is raised; the rest they say a thousand times
        logging.getLogger(library).setLevel(logging.CRITICAL)
    hosting = Worker(app, quiet=True, loglevel="WARN", redirect_stdouts=False)
    hosting.spinner = None  # it writes to whatever stdout is
    hosting.execute_from_commandline()
