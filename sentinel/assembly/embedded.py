"""The embedded service: intake, worker, store and pages on one machine."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sentinel.assembly.core import MODEL_NAME, configuration, context_decoder, detectors, prepare, twin
from sentinel.assembly.formats import sources
from sentinel.assembly.house_rules import house_rules
from sentinel.assembly.listeners import listeners
from sentinel.assembly.outputs import delivery
from sentinel.assembly.sigma import rule_set
from sentinel.assembly.storage import Store
from sentinel.core.errors import RefusedToStartError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from sentinel.settings import Settings
    from sentinel.web.ports import Security
    from streams.dead_letters import DeadLetters, Redriven
    from streams.embedded import Service
    from streams.parts import Parts, Work


def serve(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Run the embedded service until it is told to stop; `on_ready` is told its address.

    Raises:
        RefusedToStartError: it may not listen there, or the folder, port or store cannot be had.
    """
    run(settings, parts(settings), on_ready)


def run(settings: Settings, work: Work, on_ready: Callable[[str], None]) -> None:
    """Run the ways in and out, with a worker that does `work` with what comes in. Raises as `serve`."""
    from sentinel.web.security import check_exposure
    from streams.embedded import Edges, EmbeddedConfig, SystemClock
    from streams.embedded import serve as start
    from streams.intake_log import LogBounds

    check_exposure(settings.host, _security(settings))
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    config = EmbeddedConfig(
        folder=settings.data,
        host=settings.host,
        port=settings.port,
        checkpoint_key=_checkpoint_key(settings.data / "checkpoint.key"),
        log=LogBounds(bytes_max=settings.spool_bytes_max),
    )
    with delivery(settings) as deliver:
        edges = Edges(partial(application, settings), partial(listeners, settings), deliver)
        start(config, work, edges, SystemClock(), on_ready)


def parts(settings: Settings) -> Parts:
    """Return what the worker process is made of; each is made where it runs, from the files as they stand now.

    Raises:
        RefusedToStartError: the file of rules, or of a configuration, cannot be used.
    """
    from streams.parts import Parts

    both = configuration(settings.configuration), configuration(settings.shadow)
    if any(both):
        twin(settings, told=both)  # what cannot be made is refused here, not in the worker's process
    return Parts(
        build_pipeline=partial(twin, settings, house_rules=house_rules(settings), told=both),
        sources=partial(sources, settings),
        context_decoder=context_decoder,
        open_store=partial(Store, settings),
        prepare=prepare,
    )


def _security(settings: Settings) -> Security:
    from sentinel.web.ports import Security

    return Security(settings.intake_key, settings.console_token, settings.hosts)


def application(settings: Settings, service: Service) -> FastAPI:
    """Return what the service answers over HTTP: intake, API and console."""
    from sentinel.web.app import create_app
    from sentinel.web.console import router
    from sentinel.web.pages import Pages, Site
    from sentinel.web.ports import Limits, Ports
    from streams.context.fhir import CONTEXT_TYPES
    from streams.embedded import SystemClock
    from streams.listeners.directory import Directory
    from streams.listeners.feeding import ContextFeed
    from streams.record import guarded

    clock = SystemClock()
    feed = ContextFeed(settings.tenant, context_decoder(), service.intake, clock.now_us, service.received)
    ports = Ports(
        tenant=settings.tenant,
        intake=service.intake,
        questions=service.questions,
        changes=service.changes,
        vitals=service.vitals,
        received=service.received,
        sources={name: guarded(source) for name, source in sources(settings).items()},
        context_types=CONTEXT_TYPES,
        decode_context=context_decoder(),
        clock=clock,
        security=_security(settings),
        limits=Limits(body_bytes_max=settings.body_bytes_max),
        staff=Directory("scim", feed, service.marks),
    )
    site = Site(
        tenant=settings.tenant,
        version=version("sentinel-access"),
        zone=ZoneInfo(settings.timezone),
        clock=clock,
        detectors=[*detectors(settings.detectors), *rule_set(settings).patterns],
        model=MODEL_NAME if settings.model else None,
    )
    pages = Pages(site)
    app = create_app(ports, error_page=pages.error)
    app.include_router(router(service.questions, pages))
    return app


@contextmanager
def dead_letters(settings: Settings) -> Iterator[DeadLetters]:
    """Open the dead letters of the service's folder; safe while it runs."""
    from streams.dead_letters import DeadLetters
    from streams.parts import WorkerLimits

    if not settings.data.is_dir():
        raise RefusedToStartError(f"there is no folder {settings.data}")
    dead = DeadLetters(settings.data, WorkerLimits().dead_letter_bytes_max)
    try:
        yield dead
    finally:
        dead.close()


def redrive(settings: Settings, ids: Sequence[str], source_name: str, limit: int) -> Redriven:
    """Read dead letters again, those of `ids` or all that wait, and take in what can be read now."""
    from streams import dead_letters as box
    from streams.intake_log import IntakeLog, LogBounds
    from streams.record import guarded

    with dead_letters(settings) as dead:
        letters = [dead.show(id_) for id_ in ids] if ids else dead.list(source=source_name, limit=limit)
        log = IntakeLog(settings.data, LogBounds(bytes_max=settings.spool_bytes_max))
        try:
            known = {name: guarded(found) for name, found in sources(settings).items()}
            return box.redrive([letter for letter in letters if letter], dead, log, known, context_decoder())
        finally:
            log.close()


def _checkpoint_key(file: Path) -> bytes:
    """Return the key of the checkpoints' MAC, made at the first start and kept beside them."""
    if not file.exists():
        part = file.with_suffix(".part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(secrets.token_bytes(32))
            os.fsync(out.fileno())
        part.replace(file)
    return file.read_bytes()
