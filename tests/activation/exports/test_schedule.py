from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_magics.activation.exports.schedule import WEEKDAYS, Schedule, make_schedule
from ci_magics.activation.exports.time_zones import local_time_zone
from ci_magics.errors import ArgumentError

ZONES = ("Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kolkata", "UTC")


def at(*times: str, zone: str = "Europe/Amsterdam", weekly: tuple[str, ...] = ()) -> Schedule:
    return make_schedule(at=times, weekly=weekly, time_zone=zone)


def local(schedule: Schedule, moment: datetime) -> str:
    return f"{moment.astimezone(schedule.zone):%Y-%m-%d %H:%M %Z}"


def following(schedule: Schedule, text: str, count: int = 3) -> list[str]:
    """Return the next times after a given one, in the schedule's time zone."""
    moment = datetime.fromisoformat(text).replace(tzinfo=schedule.zone)
    found = []
    for _number in range(count):
        moment = schedule.next_after(moment)
        found.append(local(schedule, moment))
    return found


def test_time_of_day_follows_the_time_zone() -> None:
    assert following(at("06:00"), "2026-03-28T05:59") == [
        "2026-03-28 06:00 CET",
        "2026-03-29 06:00 CEST",
        "2026-03-30 06:00 CEST",
    ]


def test_skipped_time_moves_to_the_next_existing_minute() -> None:
    assert following(at("02:30"), "2026-03-28T12:00", 2) == ["2026-03-29 03:00 CEST", "2026-03-30 02:30 CEST"]
    assert following(at("02:15", zone="Australia/Lord_Howe"), "2026-10-03T12:00", 2) == [
        "2026-10-04 02:30 +11",  # half an hour is skipped there
        "2026-10-05 02:15 +11",
    ]


def test_skipped_day_moves_to_the_next_existing_minute() -> None:
    assert following(at("06:00", zone="Pacific/Apia"), "2011-12-29T12:00", 2) == [
        "2011-12-31 00:00 +14",
        "2011-12-31 06:00 +14",
    ]


def test_repeated_time_counts_once() -> None:
    assert following(at("02:30"), "2026-10-24T12:00", 2) == ["2026-10-25 02:30 CEST", "2026-10-26 02:30 CET"]
    assert following(at("01:30", zone="America/New_York"), "2026-10-31T12:00", 2) == [
        "2026-11-01 01:30 EDT",
        "2026-11-02 01:30 EST",
    ]


def test_coinciding_times_are_one() -> None:
    assert following(at("02:15", "02:45", "03:00"), "2026-03-28T12:00", 2) == [
        "2026-03-29 03:00 CEST",
        "2026-03-30 02:15 CEST",
    ]


def test_weekdays_are_those_of_the_time_zone() -> None:
    schedule = at("00:30", weekly=("mon", "Friday"), zone="Pacific/Auckland")
    assert following(schedule, "2026-11-25T12:00") == [
        "2026-11-27 00:30 NZDT",
        "2026-11-30 00:30 NZDT",
        "2026-12-04 00:30 NZDT",
    ]
    assert str(schedule) == "weekly on Monday and Friday at 00:30 (Pacific/Auckland)"


def test_schedule_has_a_text_and_can_be_stored() -> None:
    schedule = at("18:00", "6:00", "18:00")
    assert str(schedule) == "daily at 06:00 and 18:00 (Europe/Amsterdam)"
    assert Schedule.model_validate(schedule.document()) == schedule
    assert schedule.times == (time(6), time(18))
    assert make_schedule(at=["06:00"]).time_zone == local_time_zone()


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"at": []}, "A schedule needs at least one time of the day"),
        ({"at": ["1:00", "2:00", "3:00", "4:00", "5:00"]}, "A schedule can have 4 times a day, not 5"),
        ({"at": ["24:00"]}, "'24:00' is not a time of the day"),
        ({"at": ["six"]}, "such as 06:30"),
        ({"at": ["6:00"], "weekly": ["Someday"]}, "There is no day 'Someday'"),
        ({"at": ["6:00"], "weekly": ["T"]}, "There is no day 'T'"),
        ({"at": ["6:00"], "time_zone": "Amsterdam"}, "Did you mean 'Europe/Amsterdam'"),
        ({"at": ["6:00"], "time_zone": "../etc/passwd"}, "There is no time zone"),
    ],
)
def test_invalid_choice_is_named(choices: dict[str, list[str]], says: str) -> None:
    with pytest.raises(ArgumentError) as refused:
        make_schedule(**choices)  # type: ignore[arg-type]
    assert says in str(refused.value)


schedules = st.builds(
    lambda times, days, zone: make_schedule(at=times, weekly=days, time_zone=zone),
    st.lists(st.times(), min_size=1, max_size=4),
    st.lists(st.sampled_from(WEEKDAYS), max_size=7),
    st.sampled_from(ZONES),
)
moments = st.datetimes(datetime(2005, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(schedules, moments)
def test_last_and_next_time_are_adjacent(schedule: Schedule, moment: datetime) -> None:
    last, coming = schedule.latest_until(moment), schedule.next_after(moment)
    assert last <= moment < coming
    assert schedule.next_after(last) == coming
    assert schedule.latest_until(coming) == coming
    assert schedule.latest_until(coming - timedelta(microseconds=1)) == last


@pytest.mark.parametrize("zone", ["Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe"])
def test_each_day_of_a_year_has_its_times_once(zone: str) -> None:
    schedule = at("02:15", "12:00", zone=zone)
    moment, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    days: Counter[date] = Counter()
    while (moment := schedule.next_after(moment)) < end:
        days[moment.astimezone(ZoneInfo(zone)).date()] += 1
    whole = {day: count for day, count in days.items() if date(2026, 1, 1) < day < date(2026, 12, 31)}
    assert len(whole) == 363
    assert set(whole.values()) == {2}
