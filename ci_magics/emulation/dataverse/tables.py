"""The Dataverse Web API for the tables that Customer Insights fills: read them page by page."""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import quote, unquote

from ci_magics.emulation.call import Call
from ci_magics.emulation.dataverse.sets import SETS, EntitySet, logical
from ci_magics.emulation.insights import jobs
from ci_magics.emulation.insights.checks import check_dataverse
from ci_magics.emulation.insights.replies import dataverse_error
from ci_magics.emulation.insights.throttling import admit_dataverse, charge_dataverse
from ci_magics.emulation.odata.filters import Both, Comparison, Condition, FilterError, Not
from ci_magics.emulation.odata.paging import address, altered, encoded, offset_of, token_for, without
from ci_magics.emulation.odata.query import OptionError, Options, read_options
from ci_magics.emulation.replies import Reply
from ci_magics.emulation.state import EMAIL_NAMES, World

_ALLOWED = frozenset(("$select", "$filter", "$orderby", "$top", "$skiptoken", "$count"))
_SIZE = re.compile(r"(?:^|,)\s*odata\.maxpagesize\s*=\s*(\d{1,9})\s*(?:,|$)")
_COOKIE = re.compile(r'<cookie pagenumber="\d+" pagingcookie="(?P<token>[^"]+)" istracking="False" />')
_NO_SET, _NOT_UNDERSTOOD = "0x8006088a", "0x80060888"
_COUNTED_UP_TO = 5_000
_JSON = "application/json; odata.metadata=minimal"


def get_service(world: World, call: Call) -> Reply:
    """List the tables."""
    headers = _begin(world, call)
    found = [{"name": name, "kind": "EntitySet", "url": name} for name in SETS]
    return Reply({"@odata.context": f"{_root(call)}$metadata", "value": found}, 200, headers, _JSON)


def who_am_i(world: World, call: Call) -> Reply:
    """Return the signed-in user."""
    headers = _begin(world, call)
    body = {
        "@odata.context": f"{_root(call)}$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse",
        "BusinessUnitId": world.user.tenant_id,
        "UserId": world.user.object_id,
        "OrganizationId": world.insights.home,
    }
    return Reply(body, 200, headers, _JSON)


def get_rows(world: World, call: Call) -> Reply:
    """Return a page of a table."""
    started = time.perf_counter()
    headers = _begin(world, call)
    found = SETS.get(call.arguments["set"])
    if found is None:
        raise dataverse_error(404, _NO_SET, f"There is no resource {call.arguments['set']}.")
    jobs.settle(world)
    options = _options(world, call, found)
    if call.fault == "segment_deleted":
        _delete_asked(world, options.condition)
    try:
        rows = found.rows(world, options.condition, options.order)
    except FilterError as error:
        raise dataverse_error(400, _NOT_UNDERSTOOD, f"{error}.") from None
    reply = _page(world, call, found, options, rows)
    reply.headers |= headers
    charge_dataverse(world, time.perf_counter() - started + world.settings.delay_ms / 1_000)
    return reply


def _begin(world: World, call: Call) -> dict[str, str]:
    check_dataverse(world, call)
    for name in ("OData-Version", "OData-MaxVersion"):
        if call.headers.get(name, "4.0") not in ("4.0", "4.01"):
            raise dataverse_error(400, _NOT_UNDERSTOOD, f"{name} must be 4.0.")
    return {"OData-Version": "4.0", **admit_dataverse(world)}


def _options(world: World, call: Call, found: EntitySet) -> Options:
    if "$skip" in call.query:
        raise dataverse_error(400, _NOT_UNDERSTOOD, "$skip is not supported.")
    if call.query.get("$count", "false") not in ("true", "false"):
        raise dataverse_error(400, _NOT_UNDERSTOOD, "$count must be true or false.")
    try:
        return read_options(call.query, found.names(world), _ALLOWED)
    except OptionError as error:
        raise dataverse_error(400, _NOT_UNDERSTOOD, str(error)) from None


def _page(world: World, call: Call, found: EntitySet, options: Options, rows: Any) -> Reply:
    preferred = _SIZE.search(call.headers.get("Prefer") or "")
    size, end = world.settings.dataverse_page_size, len(rows)
    if preferred:
        size = min(int(preferred[1]), size)  # and $top is ignored
    elif options.top is not None:
        end = min(end, options.top)
    if size < 1:
        raise dataverse_error(400, _NOT_UNDERSTOOD, "odata.maxpagesize must be at least 1.")
    start, number = _start(world, call, options)
    stop = start if call.fault == "empty_page" else min(start + size, end)
    frame = found.frame(world, rows[start:stop], options.select)
    before: dict[str, Any] = {"@odata.context": f"{_root(call)}$metadata#{found.name}{_selected(call)}"}
    if call.query.get("$count") == "true":
        before["@odata.count"] = min(len(rows), _COUNTED_UP_TO)
    link = altered(call, _next_link(world, call, stop, number + 1) if stop < end else None)
    body = encoded(frame, before, link, omit_nulls=world.settings.omit_nulls)
    body = without({logical(each) for each in EMAIL_NAMES}, body, call)
    applied = {"Preference-Applied": f"odata.maxpagesize={preferred[1]}"} if preferred else {}
    return Reply(body, 200, applied, _JSON)


def _start(world: World, call: Call, options: Options) -> tuple[int, int]:
    """Return the offset of the page, and its number."""
    if options.skip_token is None:
        return 0, 1
    cookie = _COOKIE.fullmatch(options.skip_token)
    start = None if cookie is None else offset_of(world.subscription_key, _scope(call), unquote(cookie["token"]))
    as_written = f"$skiptoken={quote(options.skip_token, safe='')}"
    if start is None or as_written not in call.raw_query.split("&"):
        raise dataverse_error(400, _NOT_UNDERSTOOD, "$skiptoken is not one that was handed out for this request.")
    return start, int(re.findall(r"\d+", options.skip_token)[0])


def _next_link(world: World, call: Call, offset: int, number: int) -> str:
    """Return the address of the next page.

    Like Dataverse, the emulator encodes the token twice, and accepts it only in exactly this form: a client that
    decodes and rebuilds the address gets a different one.
    """
    token = quote(token_for(world.subscription_key, _scope(call), offset), safe="")
    return address(call, "$skiptoken", f'<cookie pagenumber="{number}" pagingcookie="{token}" istracking="False" />')


def _scope(call: Call) -> str:
    kept = {name: value for name, value in call.query.items() if name != "$skiptoken"}
    return f"{call.path}{sorted(kept.items())}"


def _selected(call: Call) -> str:
    return f"({call.query['$select']})" if "$select" in call.query else ""


def _delete_asked(world: World, condition: Condition | None) -> None:
    """Delete the segments that a filter names; their remaining rows disappear without an error."""
    match condition:
        case Comparison(operator="contains", value=str() as text):
            for name in [each for each in world.insights.segments if f'"{each}"' in text.replace("\\", "")]:
                del world.insights.segments[name]
            world.insights.changed()
        case Not():
            _delete_asked(world, condition.condition)
        case Both():
            _delete_asked(world, condition.left)
            _delete_asked(world, condition.right)


def _root(call: Call) -> str:
    return f"{call.origin}/api/data/{call.arguments['version']}/"
