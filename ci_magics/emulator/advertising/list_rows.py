"""The Customer List record of a bulk file: a list made, changed or deleted (page "Customer List Record")."""

from __future__ import annotations

import re

from ci_magics.emulator.advertising import lists
from ci_magics.emulator.advertising.lists import ItemError
from ci_magics.emulator.advertising.user_data import ACTIONS, accepts_terms
from ci_magics.emulator.call import Call
from ci_magics.emulator.state import Audience, World

_CLEAR = "delete_value"
_DEFAULT_DAYS = 30
_ACCEPTED = {"true": True, "false": False, "": None}


def is_new(row: dict[str, str]) -> bool:
    """Tell whether a record makes a list; a negative id is only a reference key."""
    identity = row.get("Id", "")
    return not identity or identity.startswith("-")


def action_of(row: dict[str, str]) -> str:
    """Return what happens to the members: the action is ignored for new lists."""
    return "Add" if is_new(row) else row.get("Action Type", "")


def check_items(world: World, row: dict[str, str], *, has_items: bool) -> None:
    """Require what members need: an action where the list exists, and the terms where there are items.

    A Replace without items empties the list and adds no customer data, so it needs no terms.
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
    """Make, change or delete the list of a record; an empty field leaves what is there.

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
    """Return a field, None where it is empty; ``delete_value`` clears it."""
    value = row.get(column, "")
    return "" if value == _CLEAR else value or None


def _days(text: str) -> int | None:
    if text == _CLEAR:
        return _DEFAULT_DAYS
    if text and not re.fullmatch("-?[0-9]{1,6}", text):
        raise ItemError(4842)
    return int(text) if text else None
