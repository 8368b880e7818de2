"""What is told less, or looked at more closely, as the settings' file says."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sentinel.assembly.core import MODEL_NAME, detectors, pipeline
from sentinel.assembly.formats import must_be_there, source, sources
from sentinel.assembly.sigma import rule_set
from sentinel.core.house_rules import NO_RULES, WATCH_LIST, HouseRules

if TYPE_CHECKING:
    from sentinel.core.context import Judgement
    from sentinel.settings import Settings
    from streams.rules_file import File
    from streams.rules_preview import Previewed


def house_rules(settings: Settings) -> HouseRules:
    """Return the rules that the settings name; none: there are none.

    Raises:
        RefusedToStartError: as `rule_file`.
    """
    return NO_RULES if settings.rules is None else rule_file(settings, Path(settings.rules)).rules()


def rule_file(settings: Settings, path: Path) -> File:
    """Return what a file of rules says, once all that it names is there.

    Raises:
        RefusedToStartError: it cannot be used; the message names file, line and key, and nobody.
    """
    from streams.rules_file import check_names, read

    file = read(path)
    names_sources = any(one.selector().sources for one in file.declared())
    found = [*detectors(), *rule_set(settings).patterns]
    known = [*(pattern.name for pattern in found), MODEL_NAME, WATCH_LIST]
    check_names(file, known, sorted(sources(settings)) if names_sources else ())
    return file


def last_verdicts(settings: Settings) -> dict[str, Judgement]:
    """Return the last verdict on each alert that the service's folder keeps; none: there is no such folder here."""
    from streams.intake_log import FILE, LogReader
    from streams.verdicts import read

    if not (settings.data / FILE).exists():
        return {}
    log = LogReader(settings.data)
    try:
        return {told.alert: told.verdict for told in map(read, log.verdicts(settings.tenant))}
    finally:
        log.close()


def preview_rules(
    settings: Settings,
    under: HouseRules,
    format_name: str,
    files: Sequence[str],
    context: Path | None,
    verdicts: Mapping[str, Judgement],
) -> list[Previewed]:
    """Assess files under rules, and return what these do to the alerts, the latest first.

    Raises:
        RefusedToStartError: the format, the context or a file is not there.
    """
    from streams.replay import Replay, assess
    from streams.rules_preview import of_replayed

    must_be_there([file for file in files if file != "-"], context)
    with Path(os.devnull).open("w", encoding="utf-8") as rejected:
        job = Replay(pipeline(settings, house_rules=under), source(format_name, settings), rejected)
        assess(job, context, files)
    latest = sorted(job.alerts.values(), key=lambda alert: (-alert.last_seen, alert.id))
    return [found for alert in latest if (found := of_replayed(alert, verdicts)) is not None]
