"""The hospital's local time: days of the simulation, UTC instants and their local stamps."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

DAY = 86_400
HOUR = 3_600


class Clock:
    """Days count from 0 on `start`, local midnight to local midnight; instants are UTC seconds."""

    def __init__(self, start: date, timezone: str) -> None:
        self.start = start
        self._zone = ZoneInfo(timezone)
        self._midnights: dict[int, int] = {}
        self._minutes: dict[int, tuple[str, str]] = {}

    def date(self, day: int) -> date:
        """Return the calendar date of a day."""
        return self.start + timedelta(days=day)

    def weekday(self, day: int) -> int:
        """Return 0 for Monday to 6 for Sunday."""
        return (self.start.weekday() + day) % 7

    def midnight(self, day: int) -> int:
        """Return the instant at which a day begins."""
        if day not in self._midnights:
            self._midnights[day] = self._instant(day, 0)
        return self._midnights[day]

    def at(self, day: int, second: float) -> int:
        """Return the instant of a wall-clock second of a day; may reach into the days around."""
        whole, second = divmod(int(second), DAY)
        day += whole
        start, end = self.midnight(day), self.midnight(day + 1)
        # An hour of a day with a time change is asked of the zone; other days are plain sums.
        return start + second if end - start == DAY else self._instant(day, second)

    def day_of(self, instant: float) -> int:
        """Return the day that holds an instant."""
        day = int((instant - self.midnight(0)) // DAY)
        while instant >= self.midnight(day + 1):
            day += 1
        while instant < self.midnight(day):
            day -= 1
        return day

    def hour(self, instant: float) -> int:
        """Return the local hour of day, 0 to 23."""
        prefix, _ = self._minute(int(instant) // 60)
        return int(prefix[11:13])

    def stamp(self, at_ms: int) -> str:
        """Return a FHIR instant in local time with its offset, to the millisecond."""
        minute, ms = divmod(at_ms, 60_000)
        prefix, offset = self._minute(minute)
        return f"{prefix}{ms // 1000:02d}.{ms % 1000:03d}{offset}"

    def seconds(self, instant: float) -> str:
        """Return a FHIR dateTime in local time with its offset, to the second."""
        minute, second = divmod(int(instant), 60)
        prefix, offset = self._minute(minute)
        return f"{prefix}{second:02d}{offset}"

    def _minute(self, minute: int) -> tuple[str, str]:
        found = self._minutes.get(minute)
        if found is None:
            if len(self._minutes) > 4 * DAY // 60:
                self._minutes.clear()
            text = datetime.fromtimestamp(minute * 60, self._zone).isoformat()
            found = self._minutes[minute] = text[:17], text[19:]
        return found

    def _instant(self, day: int, second: int) -> int:
        naive = datetime.combine(self.date(day), datetime.min.time()) + timedelta(seconds=second)
        return int(naive.replace(tzinfo=self._zone).astimezone(UTC).timestamp())
