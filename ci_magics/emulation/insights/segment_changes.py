"""Create, change and delete segments."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from ci_magics.emulation.call import Call
from ci_magics.emulation.insights import jobs
from ci_magics.emulation.insights.instances import segment_body
from ci_magics.emulation.insights.reading import at_home, begin, object_of, shown
from ci_magics.emulation.insights.replies import api_error
from ci_magics.emulation.insights_state import Segment
from ci_magics.emulation.replies import Reply
from ci_magics.emulation.state import World

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TYPES = ("structured", "manual")


def create_segment(world: World, call: Call) -> Reply:
    """Create a segment. It is only saved: activating it starts the job that finds its members."""
    begin(world, call)
    if not at_home(world, call):
        raise api_error(400, "The instance has no customers.")
    body = object_of(call)
    name = body.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise api_error(400, "name must begin with a letter and have letters, digits and underscores only.")
    if name in world.insights.segments:
        raise api_error(400, f"The following name already exists: {name}")
    now = world.clock.now()
    segment = Segment(name, str(body.get("friendlyName") or name), _query(body), now, state="inactive", updated=now)
    segment.description, segment.end_date = body.get("description"), _end_date(body)
    world.insights.segments[name] = segment
    return Reply(shown(world, segment_body(world, segment)), 201)


def update_segment(world: World, call: Call) -> Reply:
    """Change a segment; its members stay until the next evaluation."""
    begin(world, call)
    segment, body = _named(world, call), object_of(call)
    if body.get("name", segment.name) != segment.name:
        raise api_error(400, "name cannot be changed.")
    if "segmentQueryExpression" in body:
        segment.query = _query(body)
    segment.friendly_name = str(body.get("friendlyName") or segment.friendly_name)
    segment.description = body.get("description", segment.description)
    segment.end_date = _end_date(body) if "endDate" in body else segment.end_date
    _touched(world, segment)
    return Reply(shown(world, segment_body(world, segment)))


def delete_segment(world: World, call: Call) -> Reply:
    """Delete a segment."""
    begin(world, call)
    del world.insights.segments[_named(world, call).name]
    world.insights.changed()
    return Reply({"statusCode": 200})


def activate_segment(world: World, call: Call) -> Reply:
    """Activate a segment: evaluate it now and in every refresh."""
    begin(world, call)
    segment = _named(world, call)
    if segment.state == "inactive":
        segment.state = "active"
        _touched(world, segment)
        jobs.submit(world, "segmentation", [segment.name], forced=True, outcome="successful")
    return Reply(body=True)


def deactivate_segment(world: World, call: Call) -> Reply:
    """Deactivate a segment: its definition stays, its members are removed."""
    begin(world, call)
    segment = _named(world, call)
    segment.state, segment.status, segment.evaluated = "inactive", "NotQualified", None
    _touched(world, segment)
    return Reply(body=True)


def _named(world: World, call: Call) -> Segment:
    jobs.settle(world)
    segment = world.insights.segments.get(call.arguments["segment"]) if at_home(world, call) else None
    if segment is None:
        raise api_error(404, f"There is no segment {call.arguments['segment']}.")
    return segment


def _touched(world: World, segment: Segment) -> None:
    segment.version += 1
    segment.updated = world.clock.now()
    world.insights.changed()


def _end_date(body: dict[str, Any]) -> str | None:
    value = body.get("endDate")
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise api_error(400, "endDate must be a date and time, as in 2030-01-31T12:00:00Z.") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _query(body: dict[str, Any]) -> dict[str, Any]:
    query = body.get("segmentQueryExpression")
    if not isinstance(query, dict) or str(query.get("type", "structured")).lower() not in _TYPES:
        raise api_error(400, "segmentQueryExpression must be structured or manual.")
    rowsets = query.get("rowsets") or []
    if not isinstance(rowsets, list) or not all(isinstance(each, dict) for each in rowsets):
        raise api_error(400, "rowsets must be an array of objects.")
    return query
