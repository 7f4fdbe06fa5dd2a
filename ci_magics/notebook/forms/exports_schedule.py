"""The fields of an export's schedule."""

from __future__ import annotations

from typing import Any

from ci_magics.activation.exports.time_zones import local_time_zone
from ci_magics.errors import ArgumentError
from ci_magics.notebook.forms.fields import column, dropdown, entry, show
from ci_magics.notebook.forms.picker import Picker

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_OWN, _SYSTEM, _OFF, _ON = "own", "system", "off", "on"
_WAYS = [
    ("at its own times", _OWN),
    ("with the system refresh", _SYSTEM),
    ("not scheduled: turn it off", _OFF),
    ("as before: turn it on again", _ON),
]


class ScheduleFields:
    """When an export runs."""

    def __init__(self) -> None:
        self.when = dropdown("Runs", _WAYS, "when")
        self.at = entry("At", "at", hint="up to four times, as 06:30, 18:00")
        self.weekly = Picker("Only on these days", "weekly", most=7)
        self.weekly.options = [(day, day) for day in _DAYS]
        self.time_zone = entry("Time zone", "time-zone", hint=_hint())
        self.box = column(self.when, self.at, self.weekly, self.time_zone, name="schedule")
        self.when.observe(lambda _change: self._show_times(), names="value")

    def fields(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {"when": self.when, "at": self.at, "weekly": self.weekly, "time_zone": self.time_zone}

    def arguments(self) -> dict[str, Any]:
        """Return the arguments for the public function, without those not given."""
        match self.when.value:
            case "system":
                return {"follow_system": True}
            case "off":
                return {"active": False}
            case "on":
                return {"active": True}
            case _:
                times = {
                    "at": [each.strip() for each in self.at.value.split(",") if each.strip()],
                    "weekly": list(self.weekly.value),
                    "time_zone": self.time_zone.value.strip(),
                }
                return {name: value for name, value in times.items() if value}

    def _show_times(self) -> None:
        for each in (self.at, self.weekly, self.time_zone):
            show(each, self.when.value == _OWN)


def _hint() -> str:
    """Return the default time zone; an example if the machine's time zone is unknown."""
    try:
        return local_time_zone()
    except ArgumentError:
        return "such as Europe/Amsterdam"
