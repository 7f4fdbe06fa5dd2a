"""Schedules of the workflow. They are stored and listed, but never run."""

from __future__ import annotations

import re
import uuid
from typing import Any

from ci_magics.emulation.call import Call
from ci_magics.emulation.insights.reading import begin, body_of, shown
from ci_magics.emulation.insights.replies import api_error
from ci_magics.emulation.insights.workflows import check_workflow, operation_type_of
from ci_magics.emulation.replies import Reply
from ci_magics.emulation.state import World

_FIELDS = ("subType", "identifiers", "jobType", "isActive", "timezoneId", "cronSchedules")
_ZONES = {
    "UTC": "(UTC) Coordinated Universal Time",
    "W. Europe Standard Time": "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
    "GMT Standard Time": "(UTC+00:00) Dublin, Edinburgh, Lisbon, London",
    "Eastern Standard Time": "(UTC-05:00) Eastern Time (US & Canada)",
    "Pacific Standard Time": "(UTC-08:00) Pacific Time (US & Canada)",
}
_CRON = re.compile(r"\S+( \S+){5}")  # seconds first


def get_schedules(world: World, call: Call) -> Reply:
    """List the schedules."""
    begin(world, call)
    check_workflow(world, call)
    return Reply(shown(world, list(world.insights.schedules.values())))


def create_schedule(world: World, call: Call) -> Reply:
    """Create or replace a schedule."""
    begin(world, call)
    check_workflow(world, call)
    return Reply(shown(world, _kept(world, body_of(call))))


def create_schedules(world: World, call: Call) -> Reply:
    """Create or replace several schedules."""
    begin(world, call)
    check_workflow(world, call)
    body = body_of(call)
    if not isinstance(body, list):
        raise api_error(400, "The body is not a JSON array.")
    return Reply(shown(world, [_kept(world, each) for each in body]))


def get_timezones(world: World, call: Call) -> Reply:
    """List the time zones by their Windows names."""
    begin(world, call)
    check_workflow(world, call)
    return Reply([{"id": identity, "name": name} for identity, name in _ZONES.items()])


def _kept(world: World, body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise api_error(400, "A schedule is not a JSON object.")
    if body.get("timezoneId", "UTC") not in _ZONES:
        raise api_error(400, "timezoneId is not supported.")
    crons = body.get("cronSchedules") or []
    if not isinstance(crons, list) or not all(isinstance(each, str) and _CRON.fullmatch(each) for each in crons):
        raise api_error(400, "cronSchedules must have six fields each.")
    identity = body.get("scheduleId") or str(uuid.uuid4())
    schedule = {
        "operationType": operation_type_of(body.get("operationType")),
        **{name: body.get(name) for name in _FIELDS},
        "scheduleId": identity,
        "instanceId": world.insights.home,
    }
    world.insights.schedules[identity] = schedule
    return schedule
