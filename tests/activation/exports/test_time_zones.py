"""A time zone is understood or refused with an explanation; only explicit UTC becomes UTC."""

from __future__ import annotations

import contextlib
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_magics.activation.exports import time_zones
from ci_magics.activation.exports.schedule import Schedule, make_schedule
from ci_magics.activation.exports.time_zones import chosen_zone, local_time_zone, zone_of
from ci_magics.errors import ArgumentError

JANUARY, JULY = (datetime(2026, month, 15, 12, tzinfo=UTC) for month in (1, 7))
DATABASE = "/usr/share/zoneinfo"


def hours(name: str) -> tuple[float, float]:
    """Return the offset of a zone from UTC in winter and in summer."""
    zone = zone_of(name)
    offsets = [moment.astimezone(zone).utcoffset() for moment in (JANUARY, JULY)]
    return tuple(each.total_seconds() / 3600 for each in offsets if each is not None)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("value", "winter", "summer"),
    [
        ("EST5EDT", -5, -4),
        ("EST5EDT,M3.2.0,M11.1.0", -5, -4),
        ("CET-1CEST,M3.5.0,M10.5.0/3", 1, 2),
        ("<+03>-3", 3, 3),
        ("<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", -3, -2),
        ("UTC0", 0, 0),
        ("UTC+2", -2, -2),  # POSIX inverts the sign
        (":Europe/Berlin", 1, 2),
        ("europe/berlin", 1, 2),
        (f"{DATABASE}/Europe/Berlin", 1, 2),
        (f":{DATABASE}/America/New_York", -5, -4),
        (f"{DATABASE}/posix/Asia/Kolkata", 5.5, 5.5),
        ("", 0, 0),
    ],
)
def test_tz_variable_is_understood(value: str, winter: float, summer: float) -> None:
    assert hours(local_time_zone({"TZ": value})) == (winter, summer)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("Europe/Berln", "Did you mean 'Europe/Berlin'?"),
        ("AEST-10AEDT", "does not say when it begins"),
        ("garbage", "There is no time zone 'garbage'."),
        ("/etc/passwd", "holds no time zone"),
        ("/no/such/file", "There is no file /no/such/file"),
        ("/etc", "The file /etc cannot be read (IsADirectoryError)"),
        ("Factory", "There is no time zone"),
    ],
)
def test_invalid_tz_variable_is_refused(value: str, says: str) -> None:
    with pytest.raises(ArgumentError, match="time zone of this machine is not understood") as refused:
        local_time_zone({"TZ": value})
    assert says in str(refused.value)
    assert "time_zone" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "winter", "summer"),
    [
        ("CET", 1, 2),
        ("EST", -5, -5),
        ("EST5EDT", -5, -4),
        ("W. Europe Standard Time", 1, 2),
        ("eastern standard time", -5, -4),
        ("India Standard Time", 5.5, 5.5),
        (" europe/AMSTERDAM ", 1, 2),
        ("+02:00", 2, 2),
        ("-0530", -5.5, -5.5),
        ("+00:00", 0, 0),
        ("Z", 0, 0),
        ("Etc/GMT+2", -2, -2),
        ("CET-1CEST,M3.5.0,M10.5.0/3", 1, 2),
    ],
)
def test_usual_spellings_are_understood(text: str, winter: float, summer: float) -> None:
    chosen = make_schedule(at=["06:00"], time_zone=text)
    assert hours(chosen.time_zone) == (winter, summer)
    assert Schedule.model_validate(chosen.document()).next_after(JULY).astimezone(chosen.zone).hour == 6


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Berlin", "'Europe/Berlin'"),
        ("Berln", "'Europe/Berlin'"),
        ("New York", "'America/New_York'"),
        ("PST", "'America/Los_Angeles'"),
        ("CEST", "'Europe/Berlin'"),
        ("GMT+2", "+02:00"),
        ("utc-05:30", "-05:30"),
        ("CET-1CEST", "does not say when it begins"),
        ("somewhere", "Europe/Amsterdam"),
        ("\u00dcberall", "Europe/Amsterdam"),
        ("../etc/passwd", "There is no time zone"),
    ],
)
def test_invalid_time_zone_is_refused_with_a_hint(text: str, says: str) -> None:
    with pytest.raises(ArgumentError) as refused:
        chosen_zone(text)
    assert says in str(refused.value)
    assert refused.value.code == "time_zone"


def test_every_iana_name_is_its_own_zone() -> None:
    for name in available_timezones() - {"Factory", "localtime"}:
        assert chosen_zone(name.upper()) == name


@given(st.text(max_size=12))
def test_any_text_is_a_time_zone_or_refused(text: str) -> None:
    with contextlib.suppress(ArgumentError):
        assert zone_of(chosen_zone(text)).utcoffset(JULY) is not None


def test_zone_file_without_a_name_gives_its_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_zones, "_name_of_system", lambda: None)
    copy = tmp_path / "localtime"
    monkeypatch.setattr(time_zones, "LOCAL_FILE", copy)
    assert local_time_zone({}) == "UTC"  # without the file, the machine uses UTC
    assert not time_zones.names_a_zone({})
    shutil.copy(Path(DATABASE) / "Europe/Berlin", copy)
    assert hours(local_time_zone({})) == (1, 2)
    assert local_time_zone({"TZ": "localtime"}) == local_time_zone({})
    copy.write_bytes(b"damaged")
    with pytest.raises(ArgumentError, match="holds no time zone"):
        local_time_zone({})


def test_environment_is_left_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "EST5EDT")
    assert make_schedule(at=["06:00"]).time_zone == "EST5EDT"
    assert os.environ["TZ"] == "EST5EDT"


def test_machine_without_a_named_zone_leaves_the_environment_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise ValueError("the configuration names two zones")

    monkeypatch.setenv("TZ", "localtime")
    monkeypatch.setattr(time_zones, "get_localzone_name", fail)
    monkeypatch.setattr(time_zones, "LOCAL_FILE", Path(DATABASE) / "Europe/Berlin")
    assert hours(local_time_zone(os.environ)) == (1, 2)
    assert hours(chosen_zone("localtime")) == (1, 2)
    assert os.environ["TZ"] == "localtime"
