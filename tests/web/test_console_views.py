"""What the console draws: ids in paths, periods, bars, weeks, trends, timelines, raw records and CSV."""

from __future__ import annotations

import csv
import json
from datetime import date, timedelta
from io import StringIO
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.explain import EXPLANATIONS
from sentinel.web import views
from sentinel.web.language import Language

PARIS = ZoneInfo("Europe/Paris")
FR, EN = Language("fr", PARIS), Language("en", PARIS)
NUMBERS = st.none() | st.text(max_size=5) | st.integers(0, 10**9) | st.floats(0, 1e9)
IDS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40)


def a_reason(observed, actor=None, peers=None):
    """Return a reason with these figures."""
    return {"observed": observed, "usual": {"actor": actor, "peers": peers}}


@given(IDS)
def test_an_id_comes_back_from_its_segment(id_):
    """Whatever it is made of, a segment has no slash, is not one of the dots, and is the id again once decoded."""
    segment = views.segment(id_)
    assert views.id_of(unquote(segment)) == id_
    assert urlsplit(f"/patients/{segment}/report").path == f"/patients/{segment}/report"
    assert segment.isascii()
    assert segment.strip(".")
    assert "%2F" not in segment


@given(st.dates(date(1991, 1, 1), date(2098, 1, 1)), st.integers(0, 40))
def test_periods_that_follow_each_other_share_their_bound(first, days):
    """No moment is in two days or in none, also where the clock changes."""
    last = first + timedelta(days=days)
    here = views.period_of(first.isoformat(), last.isoformat(), PARIS)
    following = views.period_of((last + timedelta(days=1)).isoformat(), "", PARIS)
    assert here.until_us == following.since_us
    assert here.since_us < here.until_us
    assert following.until_us is None


@given(NUMBERS, NUMBERS, NUMBERS)
def test_bars_are_on_one_scale(observed, actor, peers):
    """The largest figure is the full width; texts and unknowns have no bar; what is not 0 is seen."""
    bars = views.bars(a_reason(observed, actor, peers), EN)
    figures = (observed, actor, peers)
    for bar, figure in zip(bars, figures, strict=True):
        assert (bar.width is None) is (
            isinstance(figure, str) or figure is None or not any(isinstance(f, int | float) and f for f in figures)
        )
        assert bar.width is None or 0 <= bar.width <= 100
        assert (bar.text == "") is (figure is None or figure == "")
        assert not (bar.width == 0 and figure)
    assert max((bar.width for bar in bars if bar.width is not None), default=100) == 100


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (a_reason(212, 7.4, 9.1), "29 times this person’s usual"),
        (a_reason(185, 0.03, 0.02), "over 100 times this person’s usual"),
        (a_reason(9, 3, 1), "3 times this person’s usual"),
        (a_reason(9, 0, 3), "3 times the role’s usual"),
        (a_reason(9, 5, 1), ""),
        (a_reason(1, 0.03, 0.002), ""),
        (a_reason("15:32", "07:00", None), ""),
        (a_reason(9, None, None), ""),
    ],
)
def test_a_comparison_is_told_when_it_says_something(reason, told):
    """From twice the usual on; something that happened once is not a multiple of a share."""
    assert views.comparison(reason, EN) == told


@pytest.mark.parametrize(
    ("text", "what", "rest"),
    [
        (
            "412 dossiers exportés en 24 h ; d'ordinaire 3.2 par jour.",
            "412 dossiers exportés en 24 h",
            "d'ordinaire 3.2 par jour.",
        ),
        ("Ouvert la nuit. Seules 3.1 % le sont.", "Ouvert la nuit", "Seules 3.1 % le sont."),
        ("Une phrase.", "Une phrase", ""),
        ("0.3 % de tout", "0.3 % de tout", ""),
    ],
)
def test_a_headline_is_what_happened(text, what, rest):
    """The first clause; what is usual comes after it."""
    alert = {"reasons": [{"text": {"fr": text, "en": ""}}], "detectors": ["mass_export"]}
    assert views.headline(alert, FR) == (what, rest)
    assert views.headline({"reasons": [], "detectors": ["mass_export"]}, FR) == ("mass export", "")


def test_each_ordinary_reason_has_words_and_its_days():
    """In both languages; a reason of another version is told by its name."""
    for explanation in EXPLANATIONS:
        assert views.reason_words(explanation.name, FR) == explanation.fr
        assert views.reason_words(explanation.name, EN) == explanation.en
    assert views.window("stay-in-unit", EN) == "from 3 days before to 30 days after"
    assert views.window("own-act", EN) == "up to 30 days after"
    assert views.window("general-practitioner", EN) == views.window("unheard-of", EN) == ""
    assert views.reason_words("unheard-of", EN) == "unheard of"


@given(st.lists(st.lists(st.integers(0, 10**6), min_size=24, max_size=24), min_size=7, max_size=7))
def test_a_week_is_coloured_by_how_busy_its_hours_are(week):
    """168 hours; none is 0, a busier hour is never paler, and the busiest is found."""
    cells = views.heat(week)
    assert len(cells) == 168
    ranked = sorted(cells, key=lambda cell: cell.count)
    assert [cell.level for cell in ranked] == sorted(cell.level for cell in cells)
    assert all((cell.level == 0) == (cell.count == 0) and cell.level <= views.HEAT_LEVELS for cell in cells)
    top = views.busiest(cells)
    assert (top.count if top else 0) == max(map(max, week))


def test_a_trend_has_each_day_also_those_without_alerts():
    """Fourteen days up to today, on the scale of the highest; today is the site's day."""
    columns = views.trend([{"day": "2026-04-17", "alerts": 3}, {"day": "2026-04-15", "alerts": 2}], date(2026, 4, 17), 4)
    assert [column.count for column in columns] == [0] * 11 + [2, 0, 4]
    assert [column.height for column in columns[-3:]] == [50, 0, 100]
    assert {column.height for column in views.trend([], date(2026, 4, 17), 0)} == {0}


@given(st.lists(st.integers(0, 2**50), max_size=300))
def test_a_timeline_spans_from_the_first_to_the_last(moments):
    """Bounded in places, in order, the ends at the ends; one moment alone is in the middle."""
    places = views.timeline(moments)
    assert places == sorted(set(places))
    assert len(places) <= views.TIMELINE_TICKS + 1
    if len(set(moments)) > 1:
        assert (places[0], places[-1]) == (0, 100)
    assert len(set(moments)) != 1 or places == [50]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_a_raw_record_is_laid_out_without_a_change(value):
    """The same JSON, character for character but for blanks between its parts."""
    raw = json.dumps(value, ensure_ascii=False)
    assert json.loads(views.pretty(raw)) == value


@pytest.mark.parametrize(
    "raw", ['{"a": 1.10, "b": 1e400, "a": 12345678901234567890}', "<xml/>", "", "{", "[" * 5_000 + "]" * 5_000]
)
def test_a_raw_record_keeps_each_figure_as_it_came(raw):
    """Figures that a parser would round, repeated names, other formats and bombs of depth."""
    kept = views.pretty(raw)
    assert "".join(kept.split()) == "".join(raw.split())


@given(
    st.lists(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")), min_size=1, max_size=6),
    st.sampled_from(",;"),
)
def test_a_csv_line_comes_back_cell_by_cell_and_is_no_formula(values, separator):
    """RFC 4180; a cell that a spreadsheet would compute is marked as text."""
    line = views.csv_line(values, separator)
    (cells,) = csv.reader(StringIO(line, newline=""), delimiter=separator)
    for cell, value in zip(cells or [""], values, strict=True):
        assert cell in {value, f"'{value}"}
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
