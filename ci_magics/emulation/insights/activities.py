"""Activities that are sent to Customer Insights in real time (a preview feature): store, change and show them."""

from __future__ import annotations

import json
import uuid
from typing import Any

from ci_magics.emulation.call import Call
from ci_magics.emulation.insights.checks import check_insights
from ci_magics.emulation.insights.replies import odata_error
from ci_magics.emulation.invented import population
from ci_magics.emulation.invented.entities import FIXED
from ci_magics.emulation.replies import Reply
from ci_magics.emulation.state import World

_ENTITY = "UnifiedActivity"
_OPTIONS = ("validUntil", "caller")


def create_row(world: World, call: Call) -> Reply:
    """Add an activity of an existing customer."""
    row = _row(world, call)
    if population.row_of(str(row.get("CustomerId")), world.settings.customers) is None:
        raise odata_error(400, "There is no such customer.", "CustomerId")
    identity = str(row.setdefault("ActivityId", uuid.uuid4().hex))
    if identity in world.insights.activities:
        raise odata_error(409, "There is such an activity already.", "ActivityId")
    world.insights.activities[identity] = row
    location = f"{call.origin}{call.path}/{identity}"
    body = {"location": location, "value": row, "formatters": [], "contentTypes": [], "statusCode": 201}
    return Reply(body, 201, {"Location": location})


def update_row(world: World, call: Call) -> Reply:
    """Change an added activity."""
    row = _row(world, call)
    known = world.insights.activities.get(call.arguments["row"])
    if known is None:
        raise odata_error(404, "There is no such activity.", call.arguments["row"])
    for name in ("ActivityId", "CustomerId"):
        if row.get(name, known[name]) != known[name]:
            raise odata_error(400, f"{name} cannot be changed.", name)
    known.update(row)
    return Reply(b"", 204)


def taken_in(world: World, customer_id: str) -> list[dict[str, Any]]:
    """Return the activities that were sent for a customer.

    Parameters
    ----------
    world
        The emulator's state.
    customer_id
        The customer's id.
    """
    return [each for each in world.insights.activities.values() if each["CustomerId"] == customer_id]


def _row(world: World, call: Call) -> dict[str, Any]:
    check_insights(world, call)
    unknown = sorted(set(call.query) - set(_OPTIONS))
    if unknown:
        raise odata_error(400, f"The query option {unknown[0]} is not supported.")
    if call.arguments["entity"] != _ENTITY or call.arguments["instance"] != world.insights.home:
        raise odata_error(400, f"Only {_ENTITY} takes rows.", call.arguments["entity"])
    try:
        row = json.loads(call.body)
        # The public client encodes a JSON text as JSON a second time.
        row = json.loads(row) if isinstance(row, str) else row
    except ValueError:
        raise odata_error(400, "The body is not JSON.") from None
    if not isinstance(row, dict) or set(row) - set(FIXED[_ENTITY].names()):
        raise odata_error(400, f"The body must be an object with attributes of {_ENTITY}.")
    if not all(isinstance(value, str) for value in row.values()):
        raise odata_error(400, "Values must be text.")
    return row
