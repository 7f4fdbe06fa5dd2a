"""The data of Customer Insights, page by page: ``/data/{relativePath}``."""

from __future__ import annotations

import json
import re
from typing import Any

from ci_magics.emulation.call import Call
from ci_magics.emulation.insights import activities, jobs, partitions, searching
from ci_magics.emulation.insights.checks import check_insights
from ci_magics.emulation.insights.replies import odata_error
from ci_magics.emulation.invented import entities, population, selection
from ci_magics.emulation.invented.drawing import Rows
from ci_magics.emulation.invented.entities import Entity
from ci_magics.emulation.odata.filters import FilterError, segments
from ci_magics.emulation.odata.paging import address, altered, encoded, offset_of, token_for, without
from ci_magics.emulation.odata.query import OptionError, Options, read_options
from ci_magics.emulation.replies import Reply
from ci_magics.emulation.state import EMAIL_NAMES, World

_ALLOWED = frozenset(
    ("$filter", "$select", "$top", "$skip", "$skiptoken", "$orderby", "$search", "$expand", "forceSearch", "proxy")
)
_PROFILE_ONLY = {"$orderby", "$search", "$expand"}
_FLAGS = ("true", "false", "True", "False")
_PATH = re.compile(r"(?P<entity>\w+)(?:\('(?P<key>[^']*)'\))?(?:/(?P<related>\w+))?")
_TAKEN = {"application/json", "application/*", "*/*"}


def get_data(world: World, call: Call) -> Reply:
    """Answer a data request: a page of an entity, one row, or the addresses of its partitions."""
    check_insights(world, call)
    jobs.settle(world)
    if not _TAKEN & {each.partition(";")[0].strip() for each in (call.headers.get("Accept") or "*/*").split(",")}:
        raise odata_error(406, "Only JSON is answered.")
    match = _PATH.fullmatch(call.arguments["path"])
    entity = entities.find_entity(world, match["entity"]) if match else None
    if match is None or entity is None or call.arguments["instance"] != world.insights.home:
        raise odata_error(404, "There is no such entity.", call.arguments["path"])
    options = _options(call, entity)
    if call.query.get("proxy", "false").lower() == "true":
        return partitions.listed(world, call, entity, options.select)
    if match["key"] is not None:
        return _of_one(world, call, entity, match["key"], match["related"], options)
    if match["related"]:
        raise odata_error(404, "There is no such path.", call.arguments["path"])
    if call.fault == "segment_deleted":
        _delete_asked(world, options, entity)
    return _page(world, call, entity, _rows(world, call, entity, options), options)


def _options(call: Call, entity: Entity) -> Options:
    try:
        options = read_options(call.query, entity.names(), _ALLOWED)
    except OptionError as error:
        raise odata_error(400, str(error)) from None
    for flag in ("proxy", "forceSearch"):
        if call.query.get(flag, "true") not in _FLAGS:
            raise odata_error(400, f"{flag} must be true or false.")
    if entity.name != entities.PROFILE and (options.condition or set(call.query) & _PROFILE_ONLY):
        raise odata_error(400, f"{entity.name} cannot be filtered, ordered, searched or expanded.")
    if "$expand" in call.query and ("$search" in call.query or call.query.get("$select", "*") != "*"):
        raise odata_error(400, "$expand goes neither with $search nor with a part of the attributes.")
    return options


def _delete_asked(world: World, options: Options, entity: Entity) -> None:
    for name in segments(options.condition) | {entity.name}:
        world.insights.segments.pop(name, None)
    world.insights.changed()


def _rows(world: World, call: Call, entity: Entity, options: Options) -> Rows:
    asked = segments(options.condition) | ({entity.name} if entity.kind == "segment" else set())
    missing = sorted(asked - set(world.insights.segments))
    if missing:
        raise odata_error(404, f"There is no segment {missing[0]}.", missing[0])
    if entity.name != entities.PROFILE:
        return entity.rows(world)
    try:
        rows = selection.matching(world, options.condition, options.order)
    except FilterError as error:
        raise odata_error(400, f"$filter: {error}.") from None
    return searching.found(rows, call.query["$search"]) if "$search" in call.query else rows


def _page(world: World, call: Call, entity: Entity, rows: Rows, options: Options) -> Reply:
    start = _start(world, call, options)
    size = min(world.settings.page_size if options.top is None else options.top, world.settings.page_size)
    if call.fault == "empty_page":
        size = 0
    page = rows[start : start + size]
    frame = entity.frame(page, options.select)
    before: dict[str, Any] = {"@odata.context": _context(call, entity.name, options)}
    if world.settings.odata_count:
        before["@odata.count"] = len(rows)
    more = start + size < len(rows) and (size > 0 or call.fault == "empty_page")
    link = altered(call, _next_link(world, call, start + size) if more else None)
    if "$expand" in call.query:
        frame = searching.expanded(frame, page, call.query["$expand"])
    body = encoded(frame, before, link, omit_nulls=world.settings.omit_nulls)
    return Reply(without(EMAIL_NAMES, body, call))


def _start(world: World, call: Call, options: Options) -> int:
    if options.skip_token is None:
        return options.skip
    start = offset_of(world.subscription_key, _scope(call), options.skip_token)
    if start is None:
        raise odata_error(400, "$skiptoken is not valid for this request.")
    return start


def _scope(call: Call) -> str:
    kept = {name: value for name, value in call.query.items() if name not in ("$skip", "$skiptoken")}
    return f"{call.path}{sorted(kept.items())}"


def _next_link(world: World, call: Call, offset: int) -> str | None:
    if world.settings.next_link == "none":
        return None
    if world.settings.next_link == "skip":
        return address(call, "$skip", str(offset))
    return address(call, "$skiptoken", token_for(world.subscription_key, _scope(call), offset))


def _context(call: Call, name: str, options: Options) -> str:
    chosen = f"({','.join(options.select)})" if "$select" in call.query else ""
    return f"{call.origin}/v1/instances/{call.arguments['instance']}/data/$metadata#{name}{chosen}"


def _of_one(world: World, call: Call, entity: Entity, key: str, related: str | None, options: Options) -> Reply:
    row = population.row_of(key, world.settings.customers) if entity.name == entities.PROFILE else None
    if row is None:
        raise odata_error(404, "There is no such row.", call.arguments["path"])
    if related is None:
        frame = entity.frame(population.span(row, row + 1), options.select)
        context = _context(call, f"{entity.name}/$entity", options)
        return Reply({"@odata.context": context, **frame.row(0, named=True)})
    if related != "UnifiedActivity":
        raise odata_error(404, "There is no such path.", call.arguments["path"])
    activity = entities.find_entity(world, related)
    if activity is None:
        raise odata_error(404, "There is no such path.", call.arguments["path"])
    reply = _page(world, call, activity, entities.activities_of(row), _options(call, activity))
    sent = activities.taken_in(world, key)
    return _with(reply, sent) if sent else reply


def _with(reply: Reply, sent: list[dict[str, Any]]) -> Reply:
    """Add the activities that were sent to the last page."""
    body = json.loads(reply.body)
    if "@odata.nextLink" not in body:
        body["value"] += sent
    if "@odata.count" in body:
        body["@odata.count"] += len(sent)
    return Reply(body)
