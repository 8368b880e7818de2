"""One reader's language: texts, numbers, dates and durations as they are written there, in the site's time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

from sentinel.core.event import microseconds
from sentinel.web.texts import COUNTED, MONTHS, MONTHS_SHORT, TEXTS, WEEKDAYS, WEEKDAYS_SHORT, Words

Code = Literal["fr", "en"]
CODES: Final[tuple[Code, ...]] = get_args(Code)
MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
CHANCE_LEAST: Final = 1e-6  # no calibration tells rarer chances apart
AGO_DAYS_MAX: Final = 60  # a date says more than "200 days ago"

Moment = int | str  # µs since 1970 UTC, or RFC 3339


@dataclass(frozen=True, slots=True)
class Language:
    """Texts and figures for one reader. Called with a key, it gives the text."""

    code: Code
    zone: ZoneInfo

    def __call__(self, key: str, **values: object) -> str:
        """Return the text of a key with its values in place."""
        return self.words(TEXTS[key]).format(colon=self.words(TEXTS["colon"]), **values) if values else self.words(TEXTS[key])

    def words(self, words: Words) -> str:
        """Return the text that is in this language."""
        return words.fr if self.code == "fr" else words.en

    def named(self, kind: str, name: str) -> str:
        """Return the word for a value of a value set, such as `action` `read`; an unknown one as it is."""
        words = TEXTS.get(f"{kind}.{name}")
        return self.words(words) if words else name

    def count(self, key: str, n: int) -> str:
        """Return `n` with what is counted, in the singular or the plural."""
        counted = COUNTED[key]
        singular = n < 2 if self.code == "fr" else n == 1
        return self.words(counted.one if singular else counted.many).format(n=self.number(n))

    def counted(self, key: str) -> tuple[str, str]:
        """Return the singular and the plural with `#` in place of the number, for the script to fill in."""
        return (self.words(COUNTED[key].one).format(n="#"), self.words(COUNTED[key].many).format(n="#"))

    def number(self, value: float) -> str:
        """Return a number with thousands apart: whole if it is or is large, else with three figures that matter."""
        text = f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:,.3g}"
        if self.code == "en":
            return text
        return text.replace(",", "\N{NARROW NO-BREAK SPACE}").replace(".", ",")

    def percent(self, share: float) -> str:
        """Return a share in [0, 1] in percent, never rounded to a 0 or a 100 that it is not."""
        percent = share * 100
        shown = min(max(round(percent, 1), 0.1 if share > 0 else 0.0), 99.9 if share < 1 else 100.0)
        return f"{self.number(shown)}\N{NO-BREAK SPACE}%" if self.code == "fr" else f"{self.number(shown)}%"

    def scalar(self, value: float | str) -> str:
        """Return what a detector observed: a number as here, a text as it is."""
        return value if isinstance(value, str) else self.number(value)

    def chance(self, p_value: float) -> str:
        """Return in words how often chance alone gives this; `p_value` in (0, 1]."""
        if p_value > 0.05:
            return self("alert.chance.often", share=self.percent(p_value))
        if p_value < CHANCE_LEAST:
            return self("alert.chance.rare")
        return self("alert.chance", n=self.number(round(_rounded(1 / p_value))))

    def local(self, moment: Moment) -> datetime:
        """Return a moment in the site's time zone."""
        return _utc(moment).astimezone(self.zone)

    def day(self, day: date) -> str:
        """Return a date in full."""
        return f"{day.day}{'er' if self.code == 'fr' and day.day == 1 else ''} {self.months(MONTHS)[day.month - 1]} {day.year}"

    def short(self, moment: Moment, now: int) -> str:
        """Return a moment to the minute, with its year only when it is not this one."""
        at = self.local(moment)
        year = "" if at.year == self.local(now).year else f" {at.year}"
        return f"{at.day} {self.months(MONTHS_SHORT)[at.month - 1]}{year}, {at:%H:%M}"

    def span(self, first: Moment, last: Moment, now: int) -> str:
        """Return from when to when, to the minute, the day only once when it is one."""
        start, end = self.short(first, now), self.short(last, now)
        if start == end:
            return start
        same_day = self.local(first).date() == self.local(last).date()
        return f"{start} – {self.local(last):%H:%M}" if same_day else f"{start} – {end}"

    def moment(self, moment: Moment) -> str:
        """Return a moment to the second, with its weekday."""
        at = self.local(moment)
        weekday = self.words(WEEKDAYS_SHORT).split()[at.weekday()]
        return f"{weekday} {at.day} {self.months(MONTHS_SHORT)[at.month - 1]} {at.year}, {at:%H:%M:%S}"

    def table(self, moment: Moment) -> str:
        """Return a moment to the second in figures of equal width, for a column."""
        return f"{self.local(moment):%d/%m/%Y %H:%M:%S}" if self.code == "fr" else f"{self.local(moment):%Y-%m-%d %H:%M:%S}"

    def utc(self, moment: Moment) -> str:
        """Return a moment as RFC 3339 in UTC to the second, for machines."""
        return f"{_utc(moment):%Y-%m-%dT%H:%M:%SZ}"

    def ago(self, moment: Moment, now: int) -> str:
        """Return how long ago (or in how long) in one unit; empty beyond `AGO_DAYS_MAX`."""
        past = now - microseconds(_utc(moment))
        way = "ago" if past >= 0 else "in"
        for unit, size in (("days", DAY_US), ("hours", HOUR_US), ("minutes", MINUTE_US)):
            n = abs(past) // size
            if n >= (2 if unit == "days" else 1):
                return "" if unit == "days" and n > AGO_DAYS_MAX else self(f"{way}.{unit}", n=n)
        return self("ago.now")

    def months(self, names: Words) -> list[str]:
        """Return twelve names."""
        return self.words(names).split()

    @property
    def weekdays(self) -> list[str]:
        """Return the seven days, Monday first."""
        return self.words(WEEKDAYS).split()

    @property
    def weekdays_short(self) -> list[str]:
        """Return the seven days in short, Monday first."""
        return self.words(WEEKDAYS_SHORT).split()


def _utc(moment: Moment) -> datetime:
    if isinstance(moment, str):
        return datetime.fromisoformat(moment).astimezone(UTC)
    return datetime.fromtimestamp(moment // 1_000_000, UTC).replace(microsecond=moment % 1_000_000)


def _rounded(n: float) -> float:
    """Return a number to one figure that matters (two under 100): the precision that a chance has."""
    return float(f"{n:.{2 if n < 100 else 1}g}")


def code_of(name: str) -> Code | None:
    """Return the language of a tag such as `fr-CA`, None when the console does not speak it."""
    prefix = name.strip().lower().partition("-")[0]
    return next((code for code in CODES if code == prefix), None)


def preferred(accept_language: str) -> Code | None:
    """Return the language wanted most (RFC 9110, 12.5.4) among those the console speaks; None: none of them."""
    wanted: list[tuple[float, Code]] = []
    for part in accept_language[:500].split(","):
        tag, _, parameter = part.partition(";")
        code = code_of(tag)
        if code:
            wanted.append((_quality(parameter), code))
    best = max(wanted, key=lambda item: item[0], default=(0.0, None))
    return best[1] if best[0] > 0 else None


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    try:
        return float(value) if name == "q" else 1.0
    except ValueError:
        return 0.0
