"""Makes the reference pages of docs/ from the code; with --check it changes nothing, and fails when one is stale."""

from __future__ import annotations

import ast
import io
import json
import sys
import tokenize
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final, get_args

import numpy as np
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from sentinel import assembly
from sentinel.assembly import alert_formats, detectors
from sentinel.core.batch import ACTIONS
from sentinel.core.detector import Detector, Evidence, Facts, Pattern, Scope
from sentinel.core.explain import EXPLANATIONS, Explanation
from sentinel.core.facts import declare
from sentinel.core.facts.declare import FACTS, METRICS, PER_METRIC, RATES, SESSION, Fact
from sentinel.core.plugins import discover
from sentinel.settings import Settings
from streams import configuration_file, rules_file
from streams.listeners import document as listeners
from streams.mappings import document
from streams.outputs.contract import Output, Section
from streams.outputs.guarded_http import HttpSection
from streams.outputs.trust import Trust

DOCS: Final = Path(__file__).parents[1] / "docs"
MADE: Final = "<!-- made by `make docs` from the code: change the code, not this page -->"
ABOUT: Final = {
    Scope.PATIENT: "one person and one patient",
    Scope.ACTOR: "one person, whoever the patients",
    Scope.SOURCE: "the log of an application",
}
EVIDENCE: Final = {
    Evidence.UNEXPLAINED: "records opened without an ordinary reason",
    Evidence.EXPORTED: "exports, prints and shares",
    Evidence.DELETED: "deletions",
    Evidence.SEARCHES: "searches",
    Evidence.EMERGENCIES: "break-glass",
    Evidence.LOGINS: "failed logins",
}

DETECTORS_INTRO: Final = """\
# Detectors

A detector is one pattern of misuse, in one file of `models/detectors` named as the detector. It reads [facts](facts.md), says how
often chance alone gives as much on ordinary work (its p-value), and puts what it found into a French and an English sentence.
Findings on one person within a day make one alert; of findings in one group, which show much the same, the strongest counts.

All that are found run, unless the setting `SENTINEL_DETECTORS` names some ([settings](settings.md)). A hospital adds its own
through the entry-point group `sentinel.detectors`. One that needs context is silent without it ([context](context.md)).
"""
SIGMA_RULES_INTRO: Final = """\
# Sigma rules that come along

They run where `SENTINEL_SIGMA` names `shipped`; how they work, and how to write others, is in [sigma.md](sigma.md).
"""
FACTS_INTRO: Final = """\
# Facts

One ordered pass over the events joins what is known of people and patients, and writes these columns beside each event.
[Detectors](detectors.md) and the [online model](model.md) read them and nothing else. A missing fact is no opinion: nobody
takes it for a yes or a no.
"""
METRICS_INTRO: Final = """\
## Counts of a day

What is counted for each person over 24 hours, and compared with their own days and their peers': people of the same role. What is
usual is read from closed days alone, so that no result hangs on how streams interleave.
"""
REASONS_INTRO: Final = """\
## Ordinary reasons

The declared reasons for opening a record, tried in this order; the first that holds is kept as `explained_by`. Each holds from so
many days before what it refers to, to so many days after. Without any stay, visit or link on file there is no opinion at all.
"""
MAPPING_KEYS_INTRO: Final = """\
# Keys of a mapping

What the YAML file of a mapping may say; how to write one is in [mappings.md](mappings.md). A key that is not here is refused.
Every scalar is a text, whatever YAML would make of it: `no`, `010` and `2026-03-02` are what is written. Anchors and tags are
not taken.
"""
MAPPING_PARTS: Final[dict[str, type[BaseModel]]] = {
    "The file": document.Mapping,
    "csv": document.Csv,
    "lines": document.Lines,
    "lines.kinds": document.Line,
    "key-value": document.KeyValue,
    "split": document.Split,
    "parts": document.Part,
    "skip": document.Condition,
    "fields": document.Fields,
    "A field": document.Rule,
    "A field's match": document.Like,
    "The time": document.TimeRule,
    "tests": document.Sample,
}
LISTENER_KEYS_INTRO: Final = """\
# Keys of the file of listeners

What the YAML file may say that `SENTINEL_LISTENERS` names; what for is in [listeners.md](listeners.md). A key that is not here is
refused. Anchors and tags are not taken.
"""
LISTENER_PARTS: Final[dict[str, type[BaseModel]]] = {
    "The file": listeners.Listeners,
    "syslog": listeners.Syslog,
    "syslog.rules": listeners.Rule,
    "files": listeners.Files,
    "hl7": listeners.Hl7,
    "sql": listeners.Sql,
    "buckets": listeners.Bucket,
    "ldap": listeners.Ldap,
    "ldap.attributes": listeners.Attributes,
}
RULE_KEYS_INTRO: Final = """\
# Keys of the file of rules

What the YAML file may say that `SENTINEL_RULES` names; what rules do is in [rules.md](rules.md). A key that is not here is
refused. Anchors and tags are not taken. A list without entries is any.
"""
RULE_PARTS: Final[dict[str, type[BaseModel]]] = {
    "The file": rules_file.File,
    "suppressions": rules_file.Suppression,
    "watch_lists": rules_file.WatchList,
    "maintenance": rules_file.Maintenance,
}
CONFIGURATION_KEYS_INTRO: Final = """\
# Keys of the file of a configuration

What the YAML files may say that `SENTINEL_CONFIGURATION` and `SENTINEL_SHADOW` name; what for is in [shadow.md](shadow.md). A
key that is not here is refused. Anchors and tags are not taken.
"""
CONFIGURATION_PARTS: Final[dict[str, type[BaseModel]]] = {"The file": configuration_file.Configuration}
SETTINGS_INTRO: Final = """\
# Settings

Read from the environment when a command starts. A value that cannot be used is a refusal to start, with exit code 2; the message
names the setting, never its value. Lists are JSON: `SENTINEL_DETECTORS='["vip_record", "mass_export"]'`. Secrets are never shown.
"""

OUTPUT_KEYS_INTRO: Final = """\
# Keys of the file of outputs

What the YAML file may say that `SENTINEL_OUTPUTS` names: a list for each kind, of what is below. How to connect a receiver is in
[outputs.md](outputs.md). A key that is not here is refused. Anchors and tags are not taken. A secret is told by its place,
`env:NAME` or `file:PATH`: it never stands in the file itself.
"""
OUTPUT_PARTS: Final[dict[str, type[BaseModel]]] = {"Every output": Section, "Over TLS": Trust, "Over HTTP": HttpSection}

Page = Callable[[], str]


def detectors_page() -> str:
    """Return one section a detector, from its card and its file."""
    found = detectors()
    overview = table(
        ("detector", "en français", "about", "needs"),
        [(f"[`{d.name}`](#{d.name})", d.title_fr, str(d.scope), _codes(d.card.needs) or "events alone") for d in found],
    )
    return _page(DETECTORS_INTRO, overview, *map(_detector_section, found))


def _detector_section(detector: Detector) -> str:
    card, module = detector.card, import_module(f"models.detectors.{detector.name}")
    lines = [
        f"*{detector.title_en} · {detector.title_fr}*",
        f"{card.what} {card.why}",
        f"- **False positives:** {card.false_positives}",
        f"- **Context it needs:** {_codes(card.needs) or 'none: events alone'}.",
        f"- **Facts it reads:** {_codes(facts_read(detector)) or 'none: the event alone'}.",
        f"- **Finds something about:** {ABOUT[detector.scope]}.{_told_later(detector)}",
        *_optional("Evidence it brings", EVIDENCE.get(detector.evidence, "")),
        *_optional("Weight", "" if detector.weight == 1.0 else f"{detector.weight:g}"),
        *_optional("Group", f"`{detector.group}`" if detector.group else ""),
        *_optional("References", "; ".join(card.references)),
    ]
    return f"## {detector.name}\n\n{lines[0]}\n\n{lines[1]}\n\n" + "\n".join(lines[2:]) + _parameters_of(module)


def _told_later(detector: Detector) -> str:
    hours = detector.after_hours
    if detector.unalerted:
        return f" Told {hours} h after the event, unless an alert on whom was looked up is open by then."
    return f" Told {hours} h after the event, unless the person has written in the record by then." if hours else ""


def _optional(title: str, text: str) -> list[str]:
    return [f"- **{title}:** {text}."] if text else []


def _parameters_of(module: ModuleType) -> str:
    rows = [(f"`{name}`", f"{value:g}", meaning) for name, value, meaning in parameters(module)]
    return "\n\n" + table(("parameter", "value", "meaning"), rows) if rows else ""


def parameters(module: ModuleType) -> list[tuple[str, float, str]]:
    """Return the numbers that a module declares at its top, with the comments beside them."""
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    declared = [(node.target, node.lineno) for node in ast.parse(source).body if isinstance(node, ast.AnnAssign)]
    named = [(target.id, line) for target, line in declared if isinstance(target, ast.Name)]
    return [
        (name, float(value), comments.get(line, ""))
        for name, line in named
        if isinstance(value := getattr(module, name), int | float)
    ]


def facts_read(detector: Detector) -> list[str]:
    """Return the names of the facts that a detector looks at to find something and to weigh it, each once."""
    read: dict[str, None] = {}

    class Watched(Facts):
        """Facts that tell which of them were asked for."""

        def __getitem__(self, name: str) -> Any:
            read[name] = None
            return Facts.__getitem__(self, name)

    nothing, no = np.zeros(1, np.int8), np.zeros(1, np.bool_)
    facts = Watched(
        values=np.full((len(FACTS), 1), np.nan, np.float32),
        action=nothing + len(ACTIONS) - 1,
        actor_type=nothing,
        destination=nothing,
        emergency=no,
        has_reason=no,
        has_ticket=no,
        has_patient=no,
        role=np.zeros(1, np.int64),
        rates=np.full((1, len(RATES)), 0.01),
    )
    detector.match(facts)
    detector.p_value(facts)
    return list(read)


def facts_page() -> str:
    """Return every fact with its unit, what it means, what missing means, and the context it needs."""
    daily, others = FACTS[: PER_METRIC * len(METRICS)], FACTS[PER_METRIC * len(METRICS) :]
    return _page(
        FACTS_INTRO,
        METRICS_INTRO,
        table(("count", "what is counted"), [(f"`{name}`", meaning) for name, meaning in _metrics()]),
        _facts_table(daily),
        "## Of the event, the person and the patient",
        _facts_table(others),
        REASONS_INTRO,
        table(("reason", "days before", "days after", "in words", "en français"), [_reason(reason) for reason in EXPLANATIONS]),
        "## Shares of ordinary openings",
        "How often chance gives a trait to an opening without an ordinary reason (`own_record`: to any), learnt from closed days "
        f"for each role; the p-value of a finding on it: {_codes(RATES)}.",
        "## An hour of one person",
        f"What the online model learns, one vector a person and active hour: {_codes(SESSION)}.",
    )


def _metrics() -> list[tuple[str, str]]:
    """Return what each count counts, from the text under `METRICS`: `name: meaning. name: meaning.`."""
    body = ast.parse(Path(str(declare.__file__)).read_text(encoding="utf-8")).body
    at = next(i for i, node in enumerate(body) if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "METRICS")
    text = " ".join(ast.literal_eval(body[at + 1].value).split())  # type: ignore[attr-defined]
    starts = [(name, text.index(f"{name}: ")) for name in METRICS]
    ends = [*(start for _, start in starts[1:]), len(text)]
    return [(name, text[start + len(name) + 2 : end].strip(" .")) for (name, start), end in zip(starts, ends, strict=True)]


def _facts_table(facts: Iterable[Fact]) -> str:
    rows = [(f"`{f.name}`", f.unit, f.meaning, f.missing, _codes(filter(None, f.needs.split(", ")))) for f in facts]
    return table(("fact", "unit", "meaning", "missing", "needs"), rows)


def _reason(reason: Explanation) -> tuple[str, ...]:
    return f"`{reason.name}`", f"{reason.before_days:g}", f"{reason.after_days:g}", reason.en, reason.fr


def settings_page() -> str:
    """Return every setting with its type, default, bounds and meaning."""
    rows = [_setting(name, field) for name, field in Settings.model_fields.items()]
    return _page(SETTINGS_INTRO, table(("setting", "type", "default", "bounds", "meaning"), rows))


def _setting(name: str, field: FieldInfo) -> tuple[str, ...]:
    bounds = [f"{sign} {value}" for sign, kind in (("≥", "ge"), ("≤", "le")) for value in _bound(field, kind)]
    return f"`SENTINEL_{name.upper()}`", _type(field.annotation), _default(field), ", ".join(bounds), field.description or ""


def _default(field: FieldInfo) -> str:
    if isinstance(field.default, bool):
        return "yes" if field.default else "no"
    return "none" if field.default in (None, ()) else f"`{field.default}`"


def _bound(field: FieldInfo, kind: str) -> list[str]:
    return [f"{value:,}" for part in field.metadata if (value := getattr(part, kind, None)) is not None]


def _type(annotation: Any) -> str:
    kinds = [kind for kind in (get_args(annotation) or (annotation,)) if isinstance(kind, type) and kind is not type(None)]
    name = "list of texts" if str(annotation).startswith("tuple") or tuple in map(_origin, get_args(annotation)) else ""
    plain = {SecretStr: "secret", Path: "folder", str: "text", int: "whole number", float: "number", bool: "yes or no"}
    return name or plain[kinds[0]]


def _origin(annotation: Any) -> Any:
    return getattr(annotation, "__origin__", None)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _page(intro: str, *parts: str) -> str:
    title, _, rest = intro.partition("\n")
    return "\n\n".join([title, MADE, rest.strip(), *(part.strip() for part in parts)]) + "\n"


def mapping_keys_page() -> str:
    """Return every key that a mapping's file may have, part by part."""
    return _keys_page(MAPPING_KEYS_INTRO, MAPPING_PARTS)


def listener_keys_page() -> str:
    """Return every key that the file of listeners may have, part by part."""
    return _keys_page(LISTENER_KEYS_INTRO, LISTENER_PARTS)


def rule_keys_page() -> str:
    """Return every key that the file of rules may have, part by part."""
    return _keys_page(RULE_KEYS_INTRO, RULE_PARTS)


def configuration_keys_page() -> str:
    """Return every key that the file of a configuration may have."""
    return _keys_page(CONFIGURATION_KEYS_INTRO, CONFIGURATION_PARTS)


def _keys_page(intro: str, parts: Mapping[str, type[BaseModel]]) -> str:
    return _page(intro, *(f"## {title}\n\n{_keys_table(model)}" for title, model in parts.items()))


def _keys_table(model: type[BaseModel]) -> str:
    rows = [
        (f"`{field.alias or name}`", _key_default(field), field.description or "") for name, field in model.model_fields.items()
    ]
    return table(("key", "when left out", "what it says"), rows)


def _key_default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and value:
        return _codes(value)
    return "" if value in (None, [], {}, "") or isinstance(value, BaseModel) else f"`{value}`"


def output_keys_page() -> str:
    """Return what can be set for each kind of output, and in which formats they write."""
    sections = [f"## {title}\n\n{_output_table(model)}" for title, model in OUTPUT_PARTS.items()]
    kinds = [_output_section(kind) for kind in discover("streams.outputs", "OUTPUT", Output).values()]
    written = table(("format", "what"), [(f"`{name}`", found.title) for name, found in alert_formats().items()])
    return _page(OUTPUT_KEYS_INTRO, *sections, *kinds, "## Formats", written)


def _output_section(kind: Output) -> str:
    over = [f"“{title}”" for title, model in OUTPUT_PARTS.items() if issubclass(kind.section, model)]
    return f"## {kind.name}\n\n{kind.title}. Beside {', '.join(over)}:\n\n{_output_table(kind.section)}"


def _output_table(model: type[BaseModel]) -> str:
    bases = [base for base in OUTPUT_PARTS.values() if issubclass(model, base) and base is not model]
    known = {name for base in bases for name in base.model_fields}
    own = {name: field for name, field in model.model_fields.items() if name not in known}
    rows = [(f"`{name}`", _written_default(field), field.description or "") for name, field in own.items()]
    return table(("key", "when left out", "what it says"), rows)


def _written_default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    return "" if value in (None, (), {}) else f"`{value if isinstance(value, str) else json.dumps(value)}`"


def sigma_rules_page() -> str:
    """Return the page of the Sigma rules that come along."""
    loaded = assembly.sigma_rules([assembly.SHIPPED_RULES])
    files = {name: one.file for name, one in loaded.rules.items()} | {name: one for name, (one, _) in loaded.correlations.items()}
    found = [_sigma_rule(pattern, files[pattern.name].name) for pattern in loaded.rule_set.patterns]
    return _page(SIGMA_RULES_INTRO, *found)


def _sigma_rule(pattern: Pattern, file: str) -> str:
    card = pattern.card
    lines = [f"## {pattern.name.removeprefix('sigma:')}", f"*{pattern.title_en} · {pattern.title_fr}*", card.what]
    lines += [f"False alarms: {card.false_positives}", f"`models/sigma/rules/{file}`; {card.why}"]
    return "\n\n".join((*lines, "References: " + ", ".join(card.references)))


PAGES: Final[dict[str, Page]] = {
    "configuration_keys.md": configuration_keys_page,
    "detectors.md": detectors_page,
    "facts.md": facts_page,
    "listener_keys.md": listener_keys_page,
    "mapping_keys.md": mapping_keys_page,
    "output_keys.md": output_keys_page,
    "rule_keys.md": rule_keys_page,
    "settings.md": settings_page,
    "sigma_rules.md": sigma_rules_page,
}


def stale() -> list[str]:
    """Return the names of the pages that do not say what the code says."""
    return [name for name, page in PAGES.items() if not (DOCS / name).is_file() or (DOCS / name).read_text("utf-8") != page()]


def main() -> int:
    """Write the stale pages; or, with --check, name them and return 1."""
    names, check = stale(), "--check" in sys.argv[1:]
    for name in names:
        print(f"{'stale, run `make docs`' if check else 'written'}: docs/{name}")
        if not check:
            (DOCS / name).write_text(PAGES[name](), encoding="utf-8")
    return int(check and bool(names))


if __name__ == "__main__":
    sys.exit(main())
