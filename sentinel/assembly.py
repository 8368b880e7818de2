"""Connects things: the only place where parts meet."""

from __future__ import annotations

import os
import pkgutil
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import streams.sources
from sentinel.core.detector import Detector
from sentinel.core.errors import RefusedToStartError, SentinelError
from sentinel.core.plugins import discover, enabled
from sentinel.lean import look_for_garbage_rarely, without
from streams.sources.contract import Source

if TYPE_CHECKING:
    import faust
    from fastapi import FastAPI

    from models.online.session_trees import SessionTrees
    from sentinel.core.alert import Alert
    from sentinel.core.pipeline import Pipeline
    from sentinel.settings import Settings
    from sentinel.store.questions import Questions
    from sentinel.store.writer import Writer
    from sentinel.web.ports import Security
    from streams.backfill import BackfillSummary, Manners
    from streams.bus import Bus
    from streams.dead_letters import DeadLetters, Redriven
    from streams.delivery import Outlet
    from streams.embedded import Deliver, Service
    from streams.mappings.suggesting import Draft
    from streams.outbox import Outbox, Standing, Status
    from streams.outputs.contract import Format
    from streams.parts import Parts
    from streams.record import ContextDecoder
    from streams.redriving import RejectedTopic
    from streams.replay import Progress, Summary
    from streams.running import Runnable
    from streams.share import AssessorParts
    from streams.topics import Topics
    from streams.trial import Trial

MODEL_NAME: Final = "session_trees"


def sources(settings: Settings | None = None) -> dict[str, Source]:
    """Return the formats that are taken, by name: those that settings name, or all found, programmed or described by mappings.

    Raises:
        RefusedToStartError: one is not there or there twice, or a mapping cannot be used.
    """
    built_in, files = discover("streams.sources", "SOURCE", Source), mapping_files(settings)
    if settings is None or settings.sources is None:
        return built_in | {name: _mapped(path, settings) for name, path in files.items()}
    missing = sorted(set(settings.sources) - built_in.keys() - files.keys())
    if missing:
        raise RefusedToStartError(f"no such format: {', '.join(missing)}")
    return {name: _mapped(files[name], settings) if name in files else built_in[name] for name in sorted(settings.sources)}


def source(name: str, settings: Settings | None = None) -> Source:
    """Return one format: no other mapping is read for it.

    Raises:
        RefusedToStartError: there is none of that name, or it is a mapping that cannot be used.
    """
    files = mapping_files(settings)
    if name in files or is_mapping_file(name):
        return _mapped(files.get(name) or Path(name), settings)
    found = discover("streams.sources", "SOURCE", Source)
    if name not in found:
        there = ", ".join(sorted({*found, *files}))
        raise RefusedToStartError(f"no such format: {name} (there are: {there})")
    return found[name]


def mapping_files(settings: Settings | None = None) -> dict[str, Path]:
    """Return the files of all mappings found, by name.

    Raises:
        RefusedToStartError: one is not there, there twice, or named as a format that is programmed.
    """
    from streams.mappings.names import files

    found = files([Path(place) for place in settings.mappings] if settings else ())
    twice = sorted(found.keys() & {module.name for module in pkgutil.iter_modules(streams.sources.__path__)})
    if twice:
        raise RefusedToStartError(f"mapping {twice[0]}: there is a format of this name")
    return found


def is_mapping_file(name: str) -> bool:
    """Tell whether what was given for a format's name is a file of a mapping."""
    return name.endswith((".yaml", ".yml")) and Path(name).is_file()


def try_source(settings: Settings, name: str, file: str, context: Path | None, records_max: int, *, show_values: bool) -> Trial:
    """Try a format, or a mapping's file whatever its tests say, on a file.

    Raises:
        RefusedToStartError: the format, the file or the context is not there, or cannot be used.
    """
    from streams.trial import Trying, known_by

    _must_be_there([] if file == "-" else [file], context)
    source, origins = _with_origins(name, settings)
    trying = Trying(source, origins, show_values=show_values)
    trying.read(file, records_max)
    known = None
    if context is not None:
        from streams.context.folder import files as context_files
        from streams.context.folder import load as load_context

        kinds = {path.name.partition(".")[0].partition("-")[0] for path in context_files(context)}
        known = known_by(kinds, load_context(context))
    return trying.conclude(detectors(settings.detectors), known)


def suggest_mapping(file: str, name: str | None) -> Draft:
    """Return the draft of a mapping for a file of an unknown format.

    Raises:
        RefusedToStartError: the file is not there, or has nothing to tell a format by.
    """
    from streams.files import opened
    from streams.mappings.suggesting import suggest

    _must_be_there([] if file == "-" else [file], None)
    with opened(file) as stream:
        draft = suggest(stream, name or Path(file).name.partition(".")[0])
    if draft is None:
        raise RefusedToStartError(f"{Path(file).name}: nothing in it")
    return draft


def _with_origins(name: str, settings: Settings) -> tuple[Source, dict[str, str] | None]:
    from streams.mappings.loading import untested
    from streams.mappings.origins import origins

    files = mapping_files(settings)
    if name not in files and not is_mapping_file(name):
        return source(name, settings), None
    mapping, found = untested(files.get(name) or Path(name), settings.timezone)
    return found, origins(mapping)


def _mapped(path: Path, settings: Settings | None) -> Source:
    from streams.mappings.loading import load

    return load(path, settings.timezone) if settings else load(path)


def detectors(names: Sequence[str] | None = None) -> list[Detector]:
    """Return the detectors called `names`; None: all found."""
    found = discover("models.detectors", "DETECTOR", Detector)
    return enabled(found, found if names is None else names)


def online_model() -> SessionTrees:
    """Return a fresh online model."""
    from models.online.session_trees import SessionTrees

    return SessionTrees()


def pipeline(settings: Settings, tenant: str | None = None) -> Pipeline:
    """Return the core as these settings want it, for one tenant."""
    from sentinel.core.pipeline import Pipeline

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
    from streams.replay import Replay
    from streams.replay import replay as run_replay

    _must_be_there([file for file in files if file != "-"], context)
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as closing, (out / "rejected.ndjson").open("w", encoding="utf-8") as rejected:
        keeper = closing.enter_context(store_writer(settings)) if settings.store else None
        if keeper is not None:
            keeper.merge_late()
        job = Replay(pipeline(settings), source(format_name, settings), rejected, keeper, on_progress)
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

    _must_be_there([file for file in files if file != "-"], context)
    _must_be_kept(settings)
    now = SystemClock().now_us()
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as closing:
        closing.enter_context(alone(settings.data, "backfill.lock", "another backfill"))
        tell = _alert_teller(settings)
        keeper = LateKeeper(closing.enter_context(store_writer(settings, LANE)), tell, manners)
        refused = closing.enter_context((rejected or Path(os.devnull)).open("w", encoding="utf-8"))
        read = source(format_name, settings)
        job = Replay(pipeline(settings), read, refused, keeper, on_progress, manners.rows, received_at=now)
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


def _must_be_there(files: Sequence[str], context: Path | None) -> None:
    missing = [file for file in files if not Path(file).is_file()]
    if context is not None and not context.is_dir():
        missing.append(str(context))
    if missing:
        raise RefusedToStartError(f"not there: {', '.join(missing)}")


@contextmanager
def store_writer(settings: Settings, lane: str = "") -> Iterator[Writer]:
    """Open the store, bring its schema up to date, and give its writer. `lane` names it among those that write at a time."""
    store = Store(settings, lane)
    try:
        yield store.writer
    finally:
        store.close()


class Store:
    """The store as its owner has it: a writer, and questions for each thread that answers."""

    def __init__(self, settings: Settings, lane: str = "") -> None:
        with without("pandas"):
            from sentinel.store.client import connect
            from sentinel.store.migrate import migrate
            from sentinel.store.writer import Writer

            self._connections = connect(settings.store or f"chdb://{settings.data.absolute() / 'store'}")
            migrate(self._connections.writer)
        self.writer = Writer(self._connections.writer, lane)

    def questions(self) -> Questions:
        """Return the named questions on a client of their own."""
        from sentinel.store.questions import Questions

        return Questions(self._connections.reader())

    def close(self) -> None:
        """Close all clients."""
        self._connections.close()


def serve(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Run the embedded service until it is told to stop; `on_ready` is told its address.

    Raises:
        RefusedToStartError: it may not listen there, or the folder, port or store cannot be had.
    """
    from sentinel.web.security import check_exposure
    from streams.embedded import EmbeddedConfig, SystemClock
    from streams.embedded import serve as run
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
    with _delivery(settings) as deliver:
        run(config, _parts(settings), partial(_application, settings), SystemClock(), on_ready, deliver)


def outlets(settings: Settings) -> dict[str, Outlet]:
    """Return the outputs that settings describe, set up; nothing connects before something is told.

    Raises:
        RefusedToStartError: one cannot be used as described.
    """
    if settings.outputs is None:
        return {}
    from streams.delivery import Outlet
    from streams.embedded import SystemClock
    from streams.outputs.contract import Output, Tools
    from streams.outputs.document import read

    kinds = discover("streams.outputs", "OUTPUT", Output)
    tools = Tools(formats(), SystemClock())
    found = read(Path(settings.outputs), kinds)
    return {section.name: Outlet(kind.name, section, kind.open(section, tools)) for kind, section in found}


def formats() -> dict[str, Format]:
    """Return the formats that alerts can be written in, by name."""
    from streams.outputs.contract import Format

    return discover("streams.outputs.formats", "FORMAT", Format)


def outputs(settings: Settings) -> list[Standing]:
    """Return how each output stands: those set up, and those that something is still kept for."""
    from streams.outbox import standing

    kinds = {name: outlet.kind for name, outlet in outlets(settings).items()}
    if not settings.data.is_dir():
        return standing({}, kinds)
    with outbox(settings) as box:
        return standing(box.counts(), kinds)


def try_output(settings: Settings, name: str) -> None:
    """Tell one output an alert about nobody, once.

    Raises:
        RefusedToStartError: there is no such output.
        SentinelError: it did not take it.
    """
    import asyncio

    from streams.delivery import attempt
    from streams.embedded import SystemClock
    from streams.outputs.contract import telling
    from streams.outputs.sample import sample

    found = outlets(settings)
    if name not in found:
        raise RefusedToStartError(f"no such output: {name} (there are: {', '.join(sorted(found)) or 'none'})")
    outlet = found[name]
    told = telling(outlet.section, sample(settings.tenant, SystemClock().now_us()), is_update=False)

    async def run() -> None:
        try:
            if (failed := await attempt(outlet, told)) is not None:
                raise SentinelError(f"{name}: not taken: {failed.code}")
        finally:
            await outlet.sender.close()

    asyncio.run(run())


def sample_alert(settings: Settings, format_name: str) -> str:
    """Return an alert about nobody in one of the formats.

    Raises:
        RefusedToStartError: there is no such format.
    """
    import json

    from streams.embedded import SystemClock
    from streams.outputs.contract import Section, Tools, format_of, telling
    from streams.outputs.sample import sample

    clock = SystemClock()
    found = format_of(format_name, Tools(formats(), clock))
    told = found.render(telling(Section(name="sample"), sample(settings.tenant, clock.now_us()), is_update=False))
    return told if isinstance(told, str) else json.dumps(told, ensure_ascii=False, indent=2)


def redrive_outputs(settings: Settings, alerts: Sequence[str], output: str) -> int:
    """Let alerts that an output did not take wait again, those of `alerts` or all; return how many."""
    from streams.embedded import SystemClock
    from streams.outbox import DEAD_MAX

    with outbox(settings) as box:
        found = [one for one in reversed(box.dead(output, DEAD_MAX)) if not alerts or one.alert_id in alerts]
        return box.redrive(found, SystemClock().now_us())


@contextmanager
def outbox(settings: Settings) -> Iterator[Outbox]:
    """Open what waits to be told, in the service's folder; safe while it runs."""
    from streams.outbox import Outbox

    if not settings.data.is_dir():
        raise RefusedToStartError(f"there is no folder {settings.data}")
    box = Outbox(settings.data)
    try:
        yield box
    finally:
        box.close()


@contextmanager
def _delivery(settings: Settings) -> Iterator[Deliver]:
    """Give what tells alerts to the outside while the service runs: nothing, where no outputs are named."""
    from streams.embedded import nowhere
    from streams.outbox import FILE

    if not (found := outlets(settings)):
        if (settings.data / FILE).exists():
            with outbox(settings) as box:
                box.pause()
        yield nowhere
        return
    from sentinel.web.ports import OutputVitals
    from streams.delivery import Delivery, delivering
    from streams.embedded import SystemClock
    from streams.outbox import standing

    kinds = {name: outlet.kind for name, outlet in found.items()}
    with outbox(settings) as box:
        if settings.store is None and not (settings.data / "store").exists():
            box.pause()  # there is no alert yet, or no more: each there will be is told
            box.begin("")

        def deliver(service: Service) -> AbstractAsyncContextManager[None]:
            def count(counts: dict[str, dict[Status, int]]) -> None:
                service.outputs = tuple(OutputVitals(x.name, x.waiting, x.told, x.dead) for x in standing(counts, kinds))

            alerts, changes = service.questions, service.changes_to_tell
            return delivering(Delivery(settings.tenant, alerts, changes, box, SystemClock(), count), found)

        yield deliver


def _parts(settings: Settings) -> Parts:
    from streams.parts import Parts

    return Parts(
        build_pipeline=partial(pipeline, settings),
        sources=partial(sources, settings),
        context_decoder=context_decoder,
        open_store=partial(Store, settings),
        prepare=prepare,
    )


def context_decoder() -> ContextDecoder:
    """Return what turns a FHIR resource into context."""
    from streams.context.fhir import decode

    return decode


def prepare() -> None:
    """Make a process ready for many events: compile, or load, what the first would wait for; look for garbage rarely."""
    from sentinel.core.batch import Provenance, batch_of
    from sentinel.core.event import EPOCH, AccessEvent, Action, row_of
    from sentinel.core.pipeline import Pipeline

    moment = 1_700_000_000_000_000
    rows = [
        row_of(
            AccessEvent(
                id=str(n), occurred_at=EPOCH + timedelta(microseconds=at), action=Action.READ, actor_id="a", patient_id="p"
            )
        )
        for n, at in enumerate((moment, moment + 7_200_000_000, moment + 90_000_000_000))
    ]
    look_for_garbage_rarely()
    model = online_model()
    model.prepare()
    Pipeline("warm-up", detectors(), model).process(batch_of("warm-up", rows, Provenance("none")))


def _security(settings: Settings) -> Security:
    from sentinel.web.ports import Security

    return Security(settings.intake_key, settings.console_token, settings.hosts)


def _application(settings: Settings, service: Service) -> FastAPI:
    from sentinel.web.app import create_app
    from sentinel.web.console import router
    from sentinel.web.pages import Pages, Site
    from sentinel.web.ports import Limits, Ports
    from streams.context.fhir import CONTEXT_TYPES
    from streams.embedded import SystemClock
    from streams.record import guarded

    clock = SystemClock()
    ports = Ports(
        tenant=settings.tenant,
        intake=service.intake,
        questions=service.questions,
        changes=service.changes,
        vitals=service.vitals,
        sources={name: guarded(source) for name, source in sources(settings).items()},
        context_types=CONTEXT_TYPES,
        decode_context=context_decoder(),
        clock=clock,
        security=_security(settings),
        limits=Limits(body_bytes_max=settings.body_bytes_max),
    )
    site = Site(
        tenant=settings.tenant,
        version=version("sentinel-access"),
        zone=ZoneInfo(settings.timezone),
        clock=clock,
        detectors=detectors(settings.detectors),
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


def rejected_topic(settings: Settings) -> RejectedTopic:
    """Return the letters that workers keep in Kafka."""
    from streams.record import guarded
    from streams.redriving import RejectedTopic

    known = {name: guarded(found) for name, found in sources().items()}
    return RejectedTopic(bus(settings), topics(settings), settings.tenant, known, context_decoder())


def bus(settings: Settings) -> Bus:
    """Return how Kafka is reached.

    Raises:
        RefusedToStartError: the settings contradict each other.
    """
    from streams.bus import Bus, Mechanism, SecurityProtocol

    def file(name: str | None) -> Path | None:
        return Path(name) if name else None

    return Bus(
        servers=settings.kafka_servers,
        protocol=SecurityProtocol(settings.kafka_protocol),
        mechanism=Mechanism(settings.kafka_mechanism),
        user=settings.kafka_user or "",
        password=settings.kafka_password.get_secret_value() if settings.kafka_password else "",
        ca_file=file(settings.kafka_ca_file),
        certificate_file=file(settings.kafka_certificate_file),
        key_file=file(settings.kafka_key_file),
    )


def topics(settings: Settings) -> Topics:
    """Return Kafka's topics as they have to be, with one of raw bytes for each format found."""
    from streams.topics import Layout, declare

    found = sorted(sources(settings))
    return declare(Layout(found, settings.kafka_prefix or "", settings.kafka_partitions, settings.kafka_replication))


def worker(settings: Settings) -> faust.App:
    """Return the Faust application that is one worker of the distributed service; nothing connects before it starts.

    Raises:
        RefusedToStartError: there is no store or key that workers could share, or settings contradict each other.
    """
    from streams.archive import Archive
    from streams.assessor import Assessor
    from streams.faust_worker import WorkerParts, create
    from streams.normaliser import IntakeParts, Normaliser
    from streams.sharing import Shared

    if settings.store is None or settings.store.get_secret_value().startswith("chdb:"):
        raise RefusedToStartError("a worker needs a store that several processes can write to: SENTINEL_STORE=clickhouse://…")
    kafka, declared = bus(settings), topics(settings)
    intake, shared = IntakeParts(kafka, declared, settings.tenant, sources(settings)), Shared()
    services: dict[str, Callable[[], Runnable]] = {
        "intake": partial(Normaliser, intake, shared),
        "archive": partial(Archive, intake, shared, partial(Store, settings)),
        "assessor": partial(Assessor, _assessor_parts(settings, kafka, declared)),
    }
    return create(WorkerParts(kafka, declared, settings.tenant, services))


def _assessor_parts(settings: Settings, kafka: Bus, declared: Topics) -> AssessorParts:
    from sentinel.core.closing import Closing
    from sentinel.core.common import Common
    from sentinel.core.shard import Shard
    from streams.share import AssessorParts

    if settings.kafka_state_key is None:
        raise RefusedToStartError("workers need one key for the state they hand each other: SENTINEL_KAFKA_STATE_KEY")
    found = detectors(settings.detectors)
    return AssessorParts(
        bus=kafka,
        topics=declared,
        tenant=settings.tenant,
        build_common=lambda: Common(online_model() if settings.model else None, settings.budget),
        build_shard=lambda common: Shard(settings.tenant, found, common, settings.timezone),
        unpack_closing=Closing.unpack,
        decode_context=context_decoder(),
        open_store=partial(Store, settings),
        key=settings.kafka_state_key.get_secret_value().encode(),
    )


async def check_topics(settings: Settings) -> None:
    """Return when all topics are there, divided as declared.

    Raises:
        RefusedToStartError: one is not, or Kafka does not let us in.
    """
    from streams.topic_admin import State, check

    wrong = [
        found.topic
        for found in await check(bus(settings), topics(settings))
        if found.state is State.MISSING or any(difference.what == "partitions" for difference in found.differences)
    ]
    if wrong:
        raise RefusedToStartError(f"not there, or not as declared: {', '.join(wrong)} (`sentinel topics create`, `check`)")


def _checkpoint_key(file: Path) -> bytes:
    """Return the key of the checkpoints' MAC, made at the first start and kept beside them."""
    if not file.exists():
        part = file.with_suffix(".part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(secrets.token_bytes(32))
            os.fsync(out.fileno())
        part.replace(file)
    return file.read_bytes()
