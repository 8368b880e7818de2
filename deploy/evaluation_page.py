"""docs/evaluation.md, made from what `make evaluate` found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from deploy.baselines import WAYS
from models.evaluate import Evaluation, KindResult, Rate, rate

if TYPE_CHECKING:
    from deploy.evaluate import Trial

BEHAVIOUR: Final = frozenset(
    {
        "mass_export",
        "mass_deletion",
        "public_link",
        "export_by_leaver",
        "scraping",
        "name_probing",
        "break_glass_abuse",
        "off_hours",
        "brute_force_success",
        "shared_account",
        "service_account_by_hand",
        "privilege_change_used",
        "dormant_account",
    }
)
"""Kinds of misuse that an access log shows by itself, without knowing who is who and in whose care."""

INTRO: Final = """\
# Evaluation

<!-- made by `make evaluate` from what it found: change deploy/evaluation_page.py, not this page -->

`make evaluate` simulates {count} hospitals ([simulation.md](simulation.md)), replays each within a budget of one
alert a day for 100 staff,
and holds the alerts against what was planted. `make evaluate SEED=51` takes other hospitals of the same shapes.
In brackets 95 % intervals (Wilson 1927). Tuning used the seeds {tuning};
no case or alert of the hospitals below was looked at for it.
Their figures had been seen before, twice in whole and twice in part:
that `name_probing` and `service_account_by_hand` were weak there
led to work on both, on the tuning seeds.
"""
COUNTED: Final = """\
## How it is counted

- A case is found when an alert holds one of its events, whichever detector told it.
- An alert is right when it holds a planted event. One that also lists the person's ordinary accesses is right all the same.
- *First* are the alerts of highest priority, as many as there are cases.
- *Explained* is the share of patient accesses with an ordinary reason on file, planted ones among them; *or ordinary* adds
  those on which nothing was found that fewer than one ordinary day in twenty holds (a p-value below 0.05).
- *Time to detect* runs from the case's first event to the first of its events that an alert holds. An alert gathers
  the events before it that show the same:
  0 seconds means that the alert holds the case's first event, not that it was raised at once.

## Limits

- **One simulator, written by the team that wrote the detectors.** It ranks versions of Sentinel. It does not foretell
  recall or precision in a hospital.
- The whole context is on file and right, but for what [simulation.md](simulation.md) and the shapes above take away
  on purpose. What late context costs has not been measured.
- Of the events 0.7 % are misuse: more than one expects in a hospital. With less of it the same number of alerts holds
  more false ones.
- Four to six weeks: nothing is said of a system that has learnt for a year.
- Labels are what was planted. Ordinary work of the simulator that somebody ought to look at counts as a false alert.
- Some cases are beyond reach: a relative's record opened by someone whose work reaches any patient in the house has a
  reason on file,
  and one look at a dead patient's record by a secretary is what secretaries do.

What would be worth more: alerts on a hospital's own log, read by its DPO, with every verdict counted; and a sample of
accesses without an alert, read as well.
"""


def page(trials: Sequence[Trial], tuning: Sequence[int]) -> str:
    """Return the page."""
    all_found = [trial.found for trial in trials]
    bare = [trial.bare for trial in trials if trial.bare is not None]
    parts = [
        INTRO.format(count=len(trials), tuning=", ".join(map(str, tuning))),
        "## The hospitals\n\n" + _hospitals(trials),
        "## All of them together\n\n" + _figures(all_found),
        "## By kind of misuse\n\n" + _kinds(all_found),
    ]
    parts.append("## Beside other ways\n\n" + _beside(trials))
    if bare:
        parts.append("## Without any context\n\n" + _without(trials, bare))
    return "\n".join((*parts, COUNTED))


def _hospitals(trials: Sequence[Trial]) -> str:
    rows = [
        (
            f"`{t.shape.name}`",
            t.shape.says,
            str(t.shape.settings.seed),
            f"{t.shape.settings.staff}, {t.shape.settings.days} d",
            f"{t.found.alerts_per_day or 0:.1f} of {t.shape.per_day:g}",
            told(t.found.cases),
            f"{sum(kind.cases.hits > 0 for kind in t.found.kinds)} of {len(t.found.kinds)}",
            told(t.found.precision),
            told(t.found.precision_first),
            f"{100 * t.explained:.1f} %",
            f"{100 * t.ordinary:.1f} %",
        )
        for t in trials
    ]
    heads = (
        "",
        "",
        "seed",
        "staff, period",
        "alerts a day",
        "cases found",
        "kinds found",
        "right",
        "right of the first",
        "explained",
        "explained or ordinary",
    )
    return _table(heads, rows)


def _figures(found: Sequence[Evaluation]) -> str:
    kinds = pooled(found)
    half = [name for name, cases in kinds.items() if 2 * cases.hits < cases.total]
    rows = [
        ("cases found", told(summed(e.cases for e in found))),
        ("kinds found at least half of the time", f"{len(kinds) - len(half)} of {len(kinds)}"),
        ("alerts that are right", told(summed(e.precision for e in found))),
        ("right of the first, as many as there are cases", told(summed(e.precision_first for e in found))),
    ]
    return _table(("", "all hospitals"), rows)


def _kinds(found: Sequence[Evaluation]) -> str:
    rows = [
        (f"`{name}`", f"{cases.hits} of {cases.total}", told(cases), _delay(name, found)) for name, cases in pooled(found).items()
    ]
    return _table(("kind", "found", "share", "time to detect"), rows)


BESIDE: Final = """\
The same events, the same cases, as many alerts. The other ways rank with the whole period in hand and are given the log
alone, which is all they can read; Sentinel tells each alert when it happens. An alert of theirs is a person's day, with its
events that score as high as the last alert told. None was tuned, here or on the tuning seeds: `deploy/baselines.py` is what
one would write in a day.
"""
WITH_CONTEXT: Final = "Sentinel"
NO_CONTEXT: Final = "Sentinel without any context"


def _beside(trials: Sequence[Trial]) -> str:
    ways = {WITH_CONTEXT: [trial.found for trial in trials]}
    ways |= {says: [trial.others[name] for trial in trials] for name, (says, _) in WAYS.items()}
    heads = ("", "cases found", "kinds found at least half of the time", "right", "right of the first")
    bare = [trial for trial in trials if trial.bare is not None]
    few = {NO_CONTEXT: [trial.bare for trial in bare if trial.bare is not None]}
    few |= {says: [trial.others[name] for trial in bare] for name, (says, _) in WAYS.items()}
    parts = [BESIDE, _table(heads, [_way(says, found) for says, found in ways.items()])]
    if bare:
        names = ", ".join(f"`{trial.shape.name}`" for trial in bare)
        parts += [f"Where Sentinel has no more than they have, on {names}:\n", _table(heads, [_way(*one) for one in few.items()])]
    kinds = {says: pooled(found) for says, found in ways.items()}
    rows = [(f"`{kind}`", *(f"{of[kind].hits} of {of[kind].total}" for of in kinds.values())) for kind in kinds[WITH_CONTEXT]]
    return "\n".join([*parts, _table(("kind", *kinds), rows)])


def _way(says: str, found: Sequence[Evaluation]) -> tuple[str, ...]:
    kinds = pooled(found)
    half = sum(2 * cases.hits >= cases.total for cases in kinds.values())
    shares = [told(summed(e.cases for e in found)), f"{half} of {len(kinds)}"]
    return (says, *shares, told(summed(e.precision for e in found)), told(summed(e.precision_first for e in found)))


def _delay(name: str, found: Sequence[Evaluation]) -> str:
    """Return the range of the hospitals' medians."""
    spans = sorted(k.seconds_to_detect for e in found for k in e.kinds if k.label == name and k.seconds_to_detect is not None)
    return f"{_span(spans[0])} to {_span(spans[-1])}" if spans else "–"


def _span(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def _without(trials: Sequence[Trial], bare: Sequence[Evaluation]) -> str:
    shown = [kind for e in bare for kind in e.kinds if kind.label in BEHAVIOUR]
    names = ", ".join(f"`{trial.shape.name}`" for trial in trials if trial.bare is not None)
    lines = (
        f"The same events of {names} and nothing else: no directory, no patients, no stays. What an access log shows by itself\n"
        f"are {len({kind.label for kind in shown})} of the kinds: of their cases {told(summed(kind.cases for kind in shown))} "
        f"are found;\nof all cases {told(summed(e.cases for e in bare))}, "
        f"with {told(summed(e.precision for e in bare))} of the alerts right.\n"
    )
    rows = [
        (f"`{name}`", f"{cases.hits} of {cases.total}", told(cases)) for name, cases in pooled(bare).items() if name in BEHAVIOUR
    ]
    return lines + "\n" + _table(("kind", "found", "share"), rows)


def pooled(found: Iterable[Evaluation]) -> dict[str, Rate]:
    """Return the cases found of each kind, over all hospitals."""
    kinds: dict[str, list[KindResult]] = {}
    for evaluation in found:
        for kind in evaluation.kinds:
            kinds.setdefault(kind.label, []).append(kind)
    return {name: summed(kind.cases for kind in kinds[name]) for name in sorted(kinds)}


def summed(rates: Iterable[Rate]) -> Rate:
    """Return several shares as one."""
    known = list(rates)
    return rate(sum(one.hits for one in known), sum(one.total for one in known))


def told(share: Rate) -> str:
    """Return a share in per cent with its interval."""
    if share.value is None or share.low is None or share.high is None:
        return "–"
    return f"{100 * share.value:.0f} % ({100 * share.low:.0f}–{100 * share.high:.0f})"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"
