"""Schedules: compute the times at which something is due, including daylight saving time changes."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from ci_magics.activation.exports.time_zones import chosen_zone, local_time_zone, zone_of
from ci_magics.advice import Command, Opt, advise
from ci_magics.discreet import discreet_methods
from ci_magics.errors import ArgumentError
from ci_magics.naming import several

Weekday = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
WEEKDAYS: tuple[str, ...] = get_args(Weekday)
MOST_TIMES = 4  # a day, as in Customer Insights
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_DAY = dt.timedelta(days=1)
_MINUTE = dt.timedelta(minutes=1)
#: Days to search around a moment: a week, plus a day on either side that a time zone change may have skipped.
_AROUND = 9


@discreet_methods
class Schedule(BaseModel):
    """Times of day in a time zone, on all or some days of the week.

    A local time that does not exist because clocks go forward moves to the next minute that exists. A local time that
    occurs twice because clocks go back counts once, at its first occurrence.

    Parameters
    ----------
    weekdays
        Days of the week; empty for every day.
    times
        One to four times of day.
    time_zone
        IANA name such as ``Europe/Amsterdam``, or a POSIX rule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weekdays: tuple[Weekday, ...] = ()
    times: tuple[dt.time, ...]
    time_zone: str

    @property
    def zone(self) -> ZoneInfo:
        """The time zone.

        Raises
        ------
        ArgumentError
            This machine does not know the time zone.
        """
        return zone_of(self.time_zone)

    def next_after(self, moment: dt.datetime) -> dt.datetime:
        """Return the first scheduled time after a moment, in UTC."""
        today = moment.astimezone(self.zone).date()
        return next(each for each in self._between(today - _DAY, today + _AROUND * _DAY) if each > moment)

    def latest_until(self, moment: dt.datetime) -> dt.datetime:
        """Return the last scheduled time up to and including a moment, in UTC."""
        today = moment.astimezone(self.zone).date()
        return [each for each in self._between(today - _AROUND * _DAY, today + _DAY) if each <= moment][-1]

    def document(self) -> dict[str, Any]:
        """Return the schedule as JSON-compatible data for storage."""
        return self.model_dump(mode="json")

    def __str__(self) -> str:
        days = f"weekly on {_listed(self.weekdays)}" if self.weekdays else "daily"
        return f"{days} at {_listed([f'{each:%H:%M}' for each in self.times])} ({self.time_zone})"

    def _between(self, first: dt.date, last: dt.date) -> list[dt.datetime]:
        """Return the scheduled times of a range of days, sorted and without duplicates."""
        return sorted(set(self._moments(first, last)))

    def _moments(self, first: dt.date, last: dt.date) -> Iterator[dt.datetime]:
        zone = self.zone
        for number in range((last - first).days + 1):
            day = first + number * _DAY
            if not self.weekdays or WEEKDAYS[day.weekday()] in self.weekdays:
                yield from (_moment(dt.datetime.combine(day, time), zone) for time in self.times)


def make_schedule(*, at: Sequence[str | dt.time], weekly: Sequence[str] = (), time_zone: str | None = None) -> Schedule:
    """Create a schedule from user input; validates each option.

    Parameters
    ----------
    at
        One to four times of day, such as ``06:30``.
    weekly
        Days of the week, in full or abbreviated to two letters or more; empty for every day.
    time_zone
        See `chosen_zone`. None uses the time zone of this machine.

    Raises
    ------
    ArgumentError
        An option is not valid; the error names the valid ones.
    """
    times = sorted({_time(each) for each in several(at)})
    if not times:
        raise ArgumentError(
            "A schedule needs at least one time of the day.",
            advise("Give it with ", Opt("at"), ", for example ", Opt("at", "06:00"), "."),
            code="schedule_times",
        )
    if len(times) > MOST_TIMES:
        raise ArgumentError(
            f"A schedule can have {MOST_TIMES} times a day, not {len(times)}.",
            advise("Leave some out, or let a timer of the system run ", Command("refresh"), "."),
            code="schedule_times",
        )
    days = {_weekday(each) for each in several(weekly)}
    return Schedule(
        weekdays=tuple(each for each in get_args(Weekday) if each in days),
        times=tuple(times),
        time_zone=chosen_zone(time_zone) if time_zone and time_zone.strip() else local_time_zone(),
    )


def schedule_of(at: Sequence[str | dt.time], weekly: Sequence[str], time_zone: str | None) -> Schedule | None:
    """Return the schedule for these options, or None if all are empty.

    Parameters
    ----------
    at, weekly, time_zone
        See `make_schedule`.
    """
    return make_schedule(at=at, weekly=weekly, time_zone=time_zone) if at or weekly or time_zone else None


def _moment(local: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """Return the moment of a local time. A time that clocks skip moves to the next minute that exists."""
    while True:
        moment = local.replace(tzinfo=zone).astimezone(dt.UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == local:  # a skipped time does not survive the round trip
            return moment
        local += _MINUTE


def _time(value: str | dt.time) -> dt.time:
    if isinstance(value, dt.time):
        return value.replace(second=0, microsecond=0, tzinfo=None)
    found = _CLOCK.fullmatch(str(value).strip())
    if found:
        return dt.time(int(found[1]), int(found[2]))
    raise ArgumentError(
        f"'{value}' is not a time of the day.", "Write hours and minutes, such as 06:30 or 18:00.", code="schedule_time"
    )


def _weekday(text: str) -> str:
    folded = text.strip().casefold()
    found = [day for day in WEEKDAYS if len(folded) >= 2 and day.casefold().startswith(folded)]
    if len(found) != 1:
        raise ArgumentError(f"There is no day '{text}'.", f"Use {', '.join(WEEKDAYS)}.", code="schedule_day")
    return found[0]


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
