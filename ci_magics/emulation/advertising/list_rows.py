"""The Customer List record of a bulk file, which creates, changes or deletes a list (page "Customer List Record")."""

from __future__ import annotations

import re

from ci_magics.emulation.advertising import lists
from ci_magics.emulation.advertising.lists import ItemError
from ci_magics.emulation.advertising.user_data import ACTIONS, accepts_terms
from ci_magics.emulation.call import Call
from ci_magics.emulation.state import Audience, World

_CLEAR = "delete_value"
_DEFAULT_DAYS = 30
_ACCEPTED = {"true": True, "false": False, "": None}


def is_new(row: dict[str, str]) -> bool:
    """Return whether a record creates a list; a negative id is only a reference key."""
    identity = row.get("Id", "")
    return not identity or identity.startswith("-")


def action_of(row: dict[str, str]) -> str:
    """Return the action on the members; it is ignored for new lists."""
    return "Add" if is_new(row) else row.get("Action Type", "")


def check_items(world: World, row: dict[str, str], *, has_items: bool) -> None:
    """Validate the fields that items need: an action for an existing list, and accepted terms.

    A Replace without items empties the list and adds no customer data, so it needs no terms.

    Parameters
    ----------
    world
        The emulator's state.
    row
        The record.
    has_items
        Whether the file has items for the list.

    Raises
    ------
    ItemError
        A field is wrong.
    """
    action, flag = action_of(row), row.get("Accept Customer Match Term", "").lower()
    if has_items and row.get("Status") == "Deleted":
        raise ItemError(8000)
    if flag not in _ACCEPTED:
        raise ItemError(201)
    if action not in ACTIONS and (action or has_items):
        raise ItemError(8001)
    if has_items and not accepts_terms(world, _ACCEPTED[flag]):
        raise ItemError(8003)


def apply(world: World, call: Call, row: dict[str, str]) -> Audience:
    """Create, change or delete the list of a record; an empty field keeps the current value.

    Parameters
    ----------
    world
        The emulator's state.
    call
        The request.
    row
        The record.

    Raises
    ------
    ItemError
        A field is wrong; nothing was changed.
    """
    if row.get("Status", "") not in ("", "Active", "Deleted"):
        raise ItemError(201)
    item = {
        "Type": "CustomerList",
        "Name": _text(row, "Audience"),
        "Description": _text(row, "Description"),
        "MembershipDuration": _days(row.get("Membership Duration", "")),
    }
    if is_new(row):
        if row.get("Status") == "Deleted":
            raise ItemError(4835)
        return lists.create(
            world, call, item | {"Scope": row.get("Scope") or "Account", "ParentId": row.get("Parent Id") or None}
        )
    audience = lists.find(world, call, row["Id"])
    if audience is None:
        raise ItemError(8000)
    if row.get("Status") == "Deleted":
        lists.delete(audience)
        return audience
    return lists.update(world, call, item | {"Id": audience.id, "Scope": row.get("Scope") or None})


def _text(row: dict[str, str], column: str) -> str | None:
    """Return a field, None if empty; ``delete_value`` clears it."""
    value = row.get(column, "")
    return "" if value == _CLEAR else value or None


def _days(text: str) -> int | None:
    if text == _CLEAR:
        return _DEFAULT_DAYS
    if text and not re.fullmatch("-?[0-9]{1,6}", text):
        raise ItemError(4842)
    return int(text) if text else None
