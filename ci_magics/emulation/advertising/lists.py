"""Customer Match lists: validation, creation and changes (page "CustomerList").

Campaign Management and the Bulk service share these rules.
"""

from __future__ import annotations

from typing import Any

from ci_magics.emulation.call import Call, long_id
from ci_magics.emulation.state import Audience, World

MAX_AUDIENCES = 1000  # Microsoft documents it for remarketing lists only; the error code exists for all lists


class ItemError(Exception):
    """One audience of a request is invalid."""

    def __init__(self, code: int | str, field_path: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.field_path = field_path


def find(world: World, call: Call, identity: str) -> Audience | None:
    """Return a list that the calling account can use, or None.

    Parameters
    ----------
    world
        The emulator's state.
    call
        The request.
    identity
        The list's id.
    """
    audience = world.audiences.get(identity)
    return audience if audience and audience.serves(call.account_id, call.customer_id) else None


def create(world: World, call: Call, item: Any) -> Audience:
    """Create a list.

    Parameters
    ----------
    world
        The emulator's state.
    call
        The request.
    item
        The list's fields.

    Raises
    ------
    ItemError
        A field is wrong; nothing was created.
    """
    _check_shape(item)
    if item.get("Id") is not None:
        raise ItemError(4847, "Id")
    scope = item.get("Scope", "Account")
    if scope not in ("Account", "Customer"):
        raise ItemError(4849, "Scope")
    name = _name(item.get("Name"))
    _require_room(world, call, name)
    audience = Audience(
        id=world.new_id(),
        name=name,
        description=_description(item.get("Description")),
        membership_days=_duration(item.get("MembershipDuration")),
        scope=scope,
        parent_id=_parent(call, scope, item.get("ParentId")),
        account_id=call.account_id,
        customer_id=call.customer_id,
    )
    world.audiences[audience.id] = audience
    return audience


def update(world: World, call: Call, item: Any) -> Audience:
    """Change the given fields of a list.

    Parameters
    ----------
    world
        The emulator's state.
    call
        The request.
    item
        The list's id and the fields to change.

    Raises
    ------
    ItemError
        A field is wrong; nothing was changed.
    """
    _check_shape(item)
    if item.get("Id") is None:
        raise ItemError(4846, "Id")
    audience = find(world, call, long_id(item["Id"], "Id"))
    if audience is None:
        raise ItemError(4835, "Id")
    scope = item.get("Scope") or audience.scope
    if scope not in ("Account", "Customer"):
        raise ItemError(4849, "Scope")
    if scope != audience.scope and (audience.scope, scope) != ("Account", "Customer"):
        raise ItemError(4855, "Scope")
    name = audience.name if item.get("Name") is None else _name(item["Name"])
    _require_room(world, call, name, audience)
    description = item.get("Description")
    duration = item.get("MembershipDuration")
    new_description = audience.description if description is None else _description(description)
    new_days = audience.membership_days if duration is None else _duration(duration)
    audience.name, audience.description, audience.membership_days = name, new_description, new_days
    if scope != audience.scope:
        audience.scope, audience.parent_id = scope, call.customer_id
    return audience


def delete(audience: Audience) -> None:
    """Delete a list and forget its members."""
    audience.deleted = True
    audience.members.clear()


def _check_shape(item: Any) -> None:
    if item is None:
        raise ItemError(4845)
    if not isinstance(item, dict) or item.get("Type") != "CustomerList":
        raise ItemError(4859, "Type")


def _require_room(world: World, call: Call, name: str, itself: Audience | None = None) -> None:
    mine = [each for each in world.live_audiences() if each.serves(call.account_id, call.customer_id)]
    if any(each.name.lower() == name.lower() and each is not itself for each in mine):
        raise ItemError(4853, "Name")
    if itself is None and len(mine) >= MAX_AUDIENCES:
        raise ItemError(4865)


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 128:
        raise ItemError(4838, "Name")
    return value


def _description(value: Any) -> str:
    if value is not None and (not isinstance(value, str) or len(value) > 1024):
        raise ItemError(4841, "Description")
    return value or ""


def _duration(value: Any) -> int:
    if value is None:
        return 30
    if type(value) is not int or not (value == -1 or 1 <= value <= 390):
        raise ItemError(4842, "MembershipDuration")
    return value


def _parent(call: Call, scope: str, value: Any) -> str:
    expected = call.account_id if scope == "Account" else call.customer_id
    if value is None:
        return expected
    if not isinstance(value, str) or not value.isdigit():
        raise ItemError(4848, "ParentId")
    if value != expected:
        raise ItemError(4843, "ParentId")
    return value
