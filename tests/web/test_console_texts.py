"""The console's texts and figures: both languages whole, every text used, dates and numbers as each country writes them."""

from __future__ import annotations

import re
import string
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.event import Action, ActorType, Destination, Outcome, microseconds
from sentinel.web import views
from sentinel.web.language import Language, code_of, preferred
from sentinel.web.texts import COUNTED, MONTHS, MONTHS_SHORT, TEXTS, WEEKDAYS, WEEKDAYS_SHORT

WEB = Path(views.__file__).parent
PARIS = ZoneInfo("Europe/Paris")
MADE = re.compile(  # keys put together from a value set
    r"(action|outcome|actor-type|destination|severity|detector|csv|ago|in|keys)\.[\w-]+|error\.\d+\.(title|text)|"
    r"search\.(alert|patient|actor)|queue\.(severity|detector|period|actor|patient|24h|7d|30d|by\.\w+)"
)
FR, EN = Language("fr", PARIS), Language("en", PARIS)
NOW = microseconds(datetime(2026, 4, 17, 14, 32, 10, tzinfo=UTC))
MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000


def placeholders(text: str) -> set[str]:
    """Return the names that a text has values for."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_say_the_same_with_the_same_values():
    """No text is missing, and each takes the same values in both languages."""
    for words in (*TEXTS.values(), *(words for counted in COUNTED.values() for words in counted)):
        assert words.fr.strip()
        assert words.en.strip()
        assert placeholders(words.fr) == placeholders(words.en)


def test_every_text_is_used_and_every_text_used_is_there():
    """A text that no page shows is dead; a key that no text has would break a page."""
    files = (*WEB.glob("templates/*.html"), WEB / "console.py", WEB / "language.py", WEB / "pages.py", WEB / "views.py")
    source = "\n".join(file.read_text(encoding="utf-8") for file in files)
    asked = set(re.findall(r"""\b(?:t|self)(?:\.count|\.counted)?\(["']([\w.-]+)["'][,)]""", source))
    assert asked - TEXTS.keys() - COUNTED.keys() == set()
    quoted = set(re.findall(r"""["']([a-z][\w.-]*)["']""", source))
    assert {key for key in TEXTS.keys() | COUNTED.keys() if key not in quoted and not MADE.fullmatch(key)} == set()


def test_every_value_of_an_event_has_a_word():
    """Actions, outcomes, actor types and destinations read as words in both languages."""
    for kind, values in (("action", Action), ("outcome", Outcome), ("actor-type", ActorType), ("destination", Destination)):
        for value in values:
            assert not value or f"{kind}.{value}" in TEXTS


def test_names_of_days_and_months_are_complete():
    """Seven and twelve, in both languages."""
    for words in (WEEKDAYS, WEEKDAYS_SHORT):
        assert (len(words.fr.split()), len(words.en.split())) == (7, 7)
    for words in (MONTHS, MONTHS_SHORT):
        assert (len(words.fr.split()), len(words.en.split())) == (12, 12)


@pytest.mark.parametrize(
    ("value", "fr", "en"),
    [
        (0, "0", "0"),
        (7.4, "7,4", "7.4"),
        (1284302, "1\u202f284\u202f302", "1,284,302"),
        (1234.5, "1\u202f234", "1,234"),
        (0.00291, "0,00291", "0.00291"),
        (-3, "-3", "-3"),
    ],
)
def test_numbers_are_written_as_in_the_country(value, fr, en):
    """A narrow space and a comma in French, a comma and a point in English."""
    assert (FR.number(value), EN.number(value)) == (fr, en)


@given(st.floats(min_value=0, max_value=1))
def test_a_share_is_rounded_to_neither_end(share):
    """99.97 % is not all, and one in a million is not none."""
    text = EN.percent(share)
    assert (text == "0%") is (share == 0)
    assert (text == "100%") is (share == 1)


@pytest.mark.parametrize(
    ("n", "fr", "en"), [(0, "0 patient", "0 patients"), (1, "1 patient", "1 patient"), (2, "2 patients", "2 patients")]
)
def test_none_is_singular_in_french_and_plural_in_english(n, fr, en):
    """Each language has its own rule."""
    assert (FR.count("n.patients", n), EN.count("n.patients", n)) == (fr, en)


def test_moments_are_in_the_site_s_time_across_the_change_of_clock():
    """The day in March when 02:00 does not exist; µs and RFC 3339 say the same."""
    before, after = "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z"
    assert FR.table(before) == "29/03/2026 01:59:59"
    assert FR.table(after) == "29/03/2026 03:00:00"
    assert EN.moment(after) == EN.moment(microseconds(datetime(2026, 3, 29, 1, tzinfo=UTC))) == "Sun 29 Mar 2026, 03:00:00"
    assert EN.utc("2026-03-29T03:00:00.25+02:00") == "2026-03-29T01:00:00Z"


def test_the_year_is_told_only_when_it_is_another():
    """Short moments of this year have none."""
    assert FR.short("2026-04-16T08:05:00Z", NOW) == "16 avr., 10:05"
    assert EN.short("2025-12-31T23:30:00Z", NOW) == "1 Jan, 00:30"
    assert EN.short("2025-12-31T22:30:00Z", NOW) == "31 Dec 2025, 23:30"


def test_a_span_tells_its_day_once():
    """Same minute: one time; same day: two times; else two moments."""
    assert EN.span("2026-04-17T10:00:01Z", "2026-04-17T10:00:59Z", NOW) == "17 Apr, 12:00"
    assert EN.span("2026-04-17T10:00:00Z", "2026-04-17T11:00:00Z", NOW) == "17 Apr, 12:00 – 13:00"
    assert EN.span("2026-04-16T10:00:00Z", "2026-04-17T11:00:00Z", NOW) == "16 Apr, 12:00 – 17 Apr, 13:00"


@pytest.mark.parametrize(
    ("past", "fr", "en"),
    [
        (0, "à l’instant", "just now"),
        (59_000_000, "à l’instant", "just now"),
        (MINUTE, "il y a 1 min", "1 min ago"),
        (HOUR, "il y a 1 h", "1 h ago"),
        (47 * HOUR, "il y a 47 h", "47 h ago"),
        (2 * DAY, "il y a 2 j", "2 d ago"),
        (61 * DAY, "", ""),
        (-5 * MINUTE, "dans 5 min", "in 5 min"),
    ],
)
def test_how_long_ago_is_in_one_unit(past, fr, en):
    """Days from two on; a date says more beyond two months."""
    assert (FR.ago(NOW - past, NOW), EN.ago(NOW - past, NOW)) == (fr, en)


@pytest.mark.parametrize(
    ("p_value", "en"),
    [
        (0.2, "by chance, 20% of the time"),
        (0.05, "by chance, about 1 time in 20"),
        (0.00003, "by chance, about 1 time in 30,000"),
        (1e-12, "by chance, less than once in a million"),
    ],
)
def test_a_chance_is_told_to_the_precision_that_it_has(p_value, en):
    """One figure; rarer than once in a million is not told apart."""
    assert EN.chance(p_value) == en


def test_the_first_of_a_month_is_1er_in_french():
    """And a plain 1 in English."""
    first = datetime(2026, 3, 1, tzinfo=UTC).date()
    assert (FR.day(first), EN.day(first)) == ("1er mars 2026", "1 March 2026")


@given(st.text(max_size=600))
def test_no_header_upsets_the_choice_of_language(header):
    """Whatever a browser sends, the answer is one of ours or none."""
    assert preferred(header) in {"fr", "en", None}
    assert code_of(header) in {"fr", "en", None}
