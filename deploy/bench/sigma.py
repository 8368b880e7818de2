"""What Sigma rules cost an event, beside the assessment: `python -m deploy.bench.sigma EVENTS CONTEXT [RULES]`."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from models.sigma.loading import SHIPPED_RULES, load
from sentinel import assembly
from sentinel.core.batch import EventBatch, Provenance, batch_of
from sentinel.core.pipeline import Pipeline
from sentinel.core.sigma import RuleSet
from sentinel.lean import look_for_garbage_rarely
from sentinel.settings import Settings
from streams.files import blocks, opened
from streams.replay import Replay

BATCH_ROWS: Final = 1_000  # as the service takes them
EVENTS_MAX: Final = 60_000
ROUNDS: Final = 3
# Rules as people write them: a kind of action, and one or two conditions on texts, addresses, hours or facts.
_CONDITIONS: Final = (
    "actor_role|contains: [role{n}, informati, prestataire]",
    "resource_id|contains: [table{n}, patient]",
    "client_address|cidr: [10.{n}.0.0/16, 192.168.{n}.0/24]",
    "application|startswith: [app{n}, dpi]",
    "occurred_at|hour: [{hour}, 3, 4]",
    "reason|re: '(?i)inc-{n}\\d+'",
    "device|endswith: ['-{n}', '{n}9']",
    "patients_24h|gte: {n}",
    "actor_unit: [unit{n}, urgences]",
    "resource_type|contains: [document, type{n}]",
)
_ACTIONS: Final = ("read", "search", "export", "print", "update", "delete", "break-glass", "login", "share", "permission-change")


def rules(count: int) -> RuleSet:
    """Return so many rules, each another; every tenth is counted by person."""
    with tempfile.TemporaryDirectory() as folder:
        for n in range(count):
            lines = [_CONDITIONS[(n + step) % len(_CONDITIONS)].format(n=n, hour=n % 24) for step in (0, 3)]
            selection = "\n    ".join((f"action: [{_ACTIONS[n % 10]}, {_ACTIONS[(n + 3) % 10]}]", *lines))
            text = f"title: Rule {n}\nname: rule_{n}\ntaxonomy: sentinel\nlogsource: {{product: sentinel}}\nlevel: low\n"
            text += f"detection:\n  selection:\n    {selection}\n  condition: selection\n"
            if n % 10 == 0:
                asked = f"{{type: event_count, rules: [rule_{n}], group-by: [actor_id], timespan: 1h, condition: {{gte: 20}}}}"
                text += f"---\ntitle: Count {n}\nname: count_{n}\nlevel: low\ncorrelation: {asked}\n"
            Path(folder, f"rule_{n}.yml").write_text(text, encoding="utf-8")
        return load([Path(folder)]).rule_set


def _batches(events: str) -> list[EventBatch]:
    source = assembly.source("sentinel_json")
    with opened(events) as stream:
        rows = (row for _, records in blocks(stream) for row in source.decode(records).rows)
        some = list(islice(rows, EVENTS_MAX))
    parts = [some[at : at + BATCH_ROWS] for at in range(0, len(some), BATCH_ROWS)]
    return [batch_of("default", part, Provenance("sentinel_json")) for part in parts]


def _microseconds(rule_set: RuleSet, batches: Sequence[EventBatch], context: Path) -> float:
    """Return what an event costs to be assessed with these rules, in µs of CPU."""
    settings = Settings()
    pipeline = Pipeline(
        "default", assembly.detectors(), assembly.online_model(), settings.budget, settings.timezone, sigma=rule_set
    )
    Replay(pipeline, assembly.source("sentinel_json"), sys.stderr).know(context)
    started = time.process_time()
    for batch in batches:
        pipeline.process(batch)
    return (time.process_time() - started) * 1e6 / sum(map(len, batches))


def main() -> None:
    """Time the assessment without rules, with those that come along, and with many, in turns."""
    events, context, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 100
    look_for_garbage_rarely()
    assembly.prepare()
    batches = _batches(events)
    sets = {"no rules": RuleSet(), "shipped": load([SHIPPED_RULES]).rule_set, f"{count} rules": rules(count)}
    took: dict[str, list[float]] = {name: [] for name in sets}
    for _ in range(ROUNDS):
        for name, rule_set in sets.items():
            took[name].append(_microseconds(rule_set, batches, context))
    for name, found in took.items():
        rounds = " ".join(f"{one:.2f}" for one in found)
        print(f"{name:>10}: {statistics.median(found):.2f} µs an event (rounds: {rounds}); {len(sets[name].rules)} rules")


if __name__ == "__main__":
    main()
