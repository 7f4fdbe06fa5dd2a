"""Campaign Management: apply members to a list, up to a thousand per call."""

from __future__ import annotations

import re
from typing import Any

from ci_magics.emulation.advertising.checks import check_account
from ci_magics.emulation.advertising.lists import find
from ci_magics.emulation.call import Call, long_id, optional_list, required_object
from ci_magics.emulation.replies import Reply, api_fault_detail, batch_error
from ci_magics.emulation.state import Audience, World

LIMIT = 1000
ACTIONS = ("Add", "Remove", "Replace")
HASH = re.compile(r"[0-9a-f]{64}\Z")


def apply_user_data(world: World, call: Call) -> Reply:
    """Answer ApplyCustomerListUserData: valid items are applied, invalid ones reported by index."""
    check_account(world, call)
    data = required_object(call.json(), "CustomerListUserData")
    audience = find(world, call, long_id(data.get("AudienceId"), "AudienceId"))
    if audience is None:
        raise api_fault_detail(8000)
    if data.get("ActionType") not in ACTIONS:
        raise api_fault_detail(8001)
    if data.get("CustomerListItemSubType") != "Email":
        raise api_fault_detail(8002)
    items = _items(data)
    check_terms(world, data.get("AcceptCustomerMatchTerm"))
    bad = {index for index, item in enumerate(items) if not isinstance(item, str) or not HASH.match(item)}
    left_out = bad | call.refused
    members = {bytes.fromhex(item) for index, item in enumerate(items) if index not in left_out}
    _change(audience, data["ActionType"], members)
    note_change(world, audience)
    return Reply({"PartialErrors": [batch_error(8004, index) for index in sorted(bad)]})


def apply_items(world: World, call: Call) -> Reply:
    """Answer ApplyCustomerListItems, which Microsoft has deprecated and whose model has no items."""
    check_account(world, call)
    audience = required_object(call.json(), "CustomerListAudience")
    if find(world, call, long_id(audience.get("Id"), "Id")) is None:
        raise api_fault_detail(8000)
    raise api_fault_detail(204)


def accepts_terms(world: World, flag: Any) -> bool:
    """Return whether the terms are accepted: in the call, or earlier in the web UI if the call omits them.

    Parameters
    ----------
    world
        The emulator's state.
    flag
        AcceptCustomerMatchTerm of the call; None if omitted.
    """
    return flag is True or (flag is None and world.settings.terms_accepted)


def check_terms(world: World, flag: Any) -> None:
    """Require the Customer Match terms.

    Parameters
    ----------
    world
        The emulator's state.
    flag
        AcceptCustomerMatchTerm of the call; None if omitted.
    """
    if flag is not None and not isinstance(flag, bool):
        raise api_fault_detail(201, "AcceptCustomerMatchTerm must be a boolean.")
    if not accepts_terms(world, flag):
        raise api_fault_detail(8003)


def note_change(world: World, audience: Audience) -> None:
    """Invalidate the counted size; counting starts when a list is first filled.

    Parameters
    ----------
    world
        The emulator's state.
    audience
        The list.
    """
    audience.measured = None
    if audience.first_filled is None and len(audience.members):
        audience.first_filled = world.clock.now()


def _change(audience: Audience, action: str, members: set[bytes]) -> None:
    """Add, remove or replace members; adding a member twice or removing an absent one has no effect."""
    if action == "Remove":
        audience.members.remove(members)
        return
    if action == "Replace":
        audience.members.clear()
    audience.members.add(members)


def _items(data: dict[str, Any]) -> list[Any]:
    items = optional_list(data, "CustomerListItems")
    if not items:
        raise api_fault_detail(206)
    if len(items) > LIMIT:
        raise api_fault_detail(6999)  # a guess: the real service's code is not documented
    return items
