"""Folders of Sigma rules: read by pySigma, compiled for the live stream; each that cannot run is refused alone, with a reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError, SigmaRegularExpressionError
from sigma.rule import SigmaRule, SigmaRuleBase

from models.sigma.correlating import compiled as correlation_of
from models.sigma.expressions import Expression, Field, Like, Some, expression, fields_of
from models.sigma.live import matcher
from models.sigma.records import Marker, RecordRule, key_of, met
from models.sigma.refusals import Reason, RuleRefusedError
from models.sigma.taxonomy import OWN, Format, format_of, places_of
from models.sigma.telling import pattern_of
from sentinel.core.facts.declare import INDEX
from sentinel.core.sigma import MARKS, Correlation, Rule, RuleSet

SHIPPED_RULES: Final = Path(__file__).parent / "rules"
FILE_BYTES_MAX: Final = 1 << 20
_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Refused:
    """A rule that does not run, and why."""

    file: Path
    title: str
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """A rule as it runs: what pySigma read, and the tree that history is asked by. `format` None: of our own taxonomy."""

    file: Path
    sigma: SigmaRule
    tree: Expression
    format: Format | None
    rule: Rule


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was found in folders. `rules` and `correlations` by name, in the order they run; `read`: how many were read."""

    rules: dict[str, Compiled] = field(default_factory=dict)
    correlations: dict[str, tuple[Path, Correlation]] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    records: list[RecordRule] = field(default_factory=list)
    tests: dict[Path, Any] = field(default_factory=dict)  # what is under `sentinel.tests` of a file's rules

    @property
    def read(self) -> int:
        """How many rules and correlations there are, running or not."""
        return len(self.rules) + len(self.correlations) + len(self.refused)

    @property
    def rule_set(self) -> RuleSet:
        """What runs on the live stream."""
        return RuleSet(tuple(one.rule for one in self.rules.values()), tuple(one for _, one in self.correlations.values()))

    def reasons(self) -> Counter[str]:
        """Return how many rules were refused, by reason."""
        return Counter(str(one.reason) for one in self.refused)

    def markers(self) -> dict[str, Callable[[bytes], str]]:
        """Return what marks the records of each source that rules look at."""
        by_source: dict[str, list[RecordRule]] = {}
        for one in self.records:
            by_source.setdefault(one.source, []).append(one)
        return {source: Marker(rules).marks for source, rules in by_source.items()}


def files_in(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files of rules among files and folders, sorted."""
    for path in paths:
        if path.is_dir():
            yield from sorted(found for found in path.rglob("*.y*ml") if found.suffix in (".yml", ".yaml"))
        else:
            yield path


def load(paths: Iterable[Path]) -> Loaded:
    """Return the rules of files and folders."""
    loaded = Loaded()
    later: list[tuple[Path, str, SigmaCorrelationRule]] = []
    known: dict[str, str] = {}  # a rule's name as rules call it, or its id -> its name here
    for file in files_in(paths):
        for name, rule in _read(file, loaded):
            if name in known.values():
                loaded.refused.append(Refused(file, rule.title, Reason.TWICE, name))
                continue
            known |= {key: name for key in (rule.name, str(rule.id) if rule.id else None) if key}
            known.setdefault(name, name)
            if isinstance(rule, SigmaCorrelationRule):
                later.append((file, name, rule))
            elif isinstance(rule, SigmaRule):
                _guarded(loaded, file, rule, partial(_compile, loaded, file, name, rule))
    _correlate(loaded, later, known)
    return loaded


def _read(file: Path, loaded: Loaded) -> list[tuple[str, SigmaRuleBase]]:
    """Return the rules of a file with their names; what is wrong with one is told of it alone."""
    try:
        read = SigmaCollection.from_yaml(_text(file), collect_errors=True, resolve_references=False).rules
    except (OSError, ValueError, yaml.YAMLError, SigmaError, AttributeError, TypeError) as error:
        loaded.refused.append(Refused(file, file.stem, Reason.UNREADABLE, _short(error)))
        return []
    good: list[tuple[str, SigmaRuleBase]] = []
    for at, rule in enumerate(read):
        if rule.errors:
            reason = Reason.BAD_PATTERN if isinstance(rule.errors[0], SigmaRegularExpressionError) else Reason.UNREADABLE
            loaded.refused.append(Refused(file, rule.title, reason, _short(rule.errors[0])))
        else:
            good.append((_name_of(rule, file, at), rule))
            tests = rule.custom_attributes.get(OWN, {}).get("tests", [])
            loaded.tests.setdefault(file, []).extend(tests)
    return good


def _text(file: Path) -> bytes:
    if file.stat().st_size > FILE_BYTES_MAX:
        raise ValueError(f"more than {FILE_BYTES_MAX} bytes")
    return file.read_bytes()


def _name_of(rule: SigmaRuleBase, file: Path, at: int) -> str:
    return "sigma:" + _NAME.sub("_", rule.name or (f"{file.stem}.{at + 1}" if at else file.stem))


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".replace("\n", " ")[:200]


def _guarded(loaded: Loaded, file: Path, rule: SigmaRuleBase, take: Callable[[], None]) -> None:
    try:
        take()
    except RuleRefusedError as error:
        loaded.refused.append(Refused(file, rule.title, error.reason, error.detail))
    except (SigmaError, ValueError, RecursionError) as error:
        reason = Reason.OLD_AGGREGATION if "pipe syntax" in str(error) else Reason.UNREADABLE
        loaded.refused.append(Refused(file, rule.title, reason, _short(error)))


def _compile(loaded: Loaded, file: Path, name: str, rule: SigmaRule) -> None:
    trees = [expression(condition.parsed) for condition in rule.detection.parsed_condition]
    tree = trees[0] if len(trees) == 1 else Some(tuple(trees))
    found = None if rule.taxonomy == OWN else format_of(rule.logsource)
    record = None if found is None else _record_rule(name, found, tree)
    match = matcher(tree if record is None else Field(MARKS, Like((None, f" {name} ", None), is_cased=True)))
    if record is not None:
        loaded.records.append(record)
    told = pattern_of(rule, name)
    loaded.rules[name] = Compiled(
        file, rule, tree, found, Rule(match=match, on_facts=any(name in INDEX for name in fields_of(tree)), **told)
    )


def _record_rule(name: str, found: Format, tree: Expression) -> RecordRule:
    places = partial(places_of, found)
    return RecordRule(name, found.source, met(tree, places), key_of(tree, places))


def _correlate(loaded: Loaded, later: Sequence[tuple[Path, str, SigmaCorrelationRule]], known: Mapping[str, str]) -> None:
    """Compile correlations, each after those it looks at; then rules that are only looked at find nothing themselves."""
    waiting, looked_at = list(later), set[str]()
    while waiting:
        names = {name for _, name, _ in waiting}
        ready = [one for one in waiting if names.isdisjoint(_of(one[2], known))]
        for file, name, rule in ready or waiting:
            _guarded(loaded, file, rule, partial(_compile_correlation, loaded, file, name, rule, known))
            looked_at |= set() if rule.generate else set(_of(rule, known))  # also where the correlation itself cannot run
        waiting = [one for one in waiting if one not in ready] if ready else []
    for name in looked_at:
        if name in loaded.rules:
            loaded.rules[name] = replace(loaded.rules[name], rule=replace(loaded.rules[name].rule, finds=False))
        elif name in loaded.correlations:
            file, correlation = loaded.correlations[name]
            loaded.correlations[name] = file, replace(correlation, finds=False)


def _of(rule: SigmaCorrelationRule, known: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(known.get(one.reference, "") for one in rule.rules or ())


def _compile_correlation(loaded: Loaded, file: Path, name: str, rule: SigmaCorrelationRule, known: Mapping[str, str]) -> None:
    of = _of(rule, known)
    for reference, one in zip(rule.rules or (), of, strict=True):
        if one not in loaded.rules and one not in loaded.correlations:
            raise RuleRefusedError(Reason.NO_SUCH_RULE, reference.reference)
    references = {reference.reference: one for reference, one in zip(rule.rules or (), of, strict=True)}
    formats = {one: _formats(loaded, one) for one in of}
    loaded.correlations[name] = file, correlation_of(rule, name, references, formats)


def _formats(loaded: Loaded, name: str) -> list[Format | None]:
    """Return the formats of all rules behind one."""
    if name in loaded.rules:
        return [loaded.rules[name].format]
    return [found for one in loaded.correlations[name][1].of for found in _formats(loaded, one)]
