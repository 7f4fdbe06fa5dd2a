"""Campaign Management: create, read, update and delete Customer Match lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ci_magics.emulation.advertising import lists
from ci_magics.emulation.advertising.checks import check_account
from ci_magics.emulation.advertising.lists import ItemError, find
from ci_magics.emulation.call import Call, long_id, optional_list
from ci_magics.emulation.replies import Reply, api_fault_detail, batch_error
from ci_magics.emulation.state import HOUR, Audience, World

LIMIT = 100

#: The values of AudienceType; the emulator has only customer lists. The SDK knows the last one, the guide does not.
_TYPES = {
    "CustomerList",
    "RemarketingList",
    "Custom",
    "InMarket",
    "Product",
    "SimilarRemarketingList",
    "CombinedList",
    "ImpressionBasedRemarketingList",
    "CustomSegment",
    "AIPrompt",
}


def add_audiences(world: World, call: Call) -> Reply:
    """Answer AddAudiences: ids by index, null for a failed item."""
    check_account(world, call)
    made, errors = _each(world, call, _audiences_of(call), lists.create)
    return Reply({"AudienceIds": [None if each is None else each.id for each in made], "PartialErrors": errors})


def get_audiences(world: World, call: Call) -> Reply:
    """Answer GetAudiencesByIds: null for an unknown id; without ids, all lists of the account."""
    check_account(world, call)
    body = call.json()
    ids = optional_list(body, "AudienceIds")
    types = _types(body.get("Type"))
    if body.get("ReturnAdditionalFields") is not None and not isinstance(body["ReturnAdditionalFields"], str):
        raise api_fault_detail(201, "ReturnAdditionalFields must be a string.")
    if ids is None:
        found = [each for each in world.live_audiences() if each.serves(call.account_id, call.customer_id)]
        return Reply(
            {"Audiences": [show(world, each) for each in found if "CustomerList" in types], "PartialErrors": []}
        )
    if not ids:
        raise api_fault_detail(4851)  # documented as listing all, but connectors report a rejection
    if len(ids) > LIMIT:
        raise api_fault_detail(4852)
    return _by_ids(world, call, _distinct(ids, "AudienceIds"), types)


def update_audiences(world: World, call: Call) -> Reply:
    """Answer UpdateAudiences: only the given fields change."""
    check_account(world, call)
    items = _audiences_of(call)
    _distinct([item["Id"] for item in items if isinstance(item, dict) and item.get("Id") is not None], "Id")
    _, errors = _each(world, call, items, lists.update)
    return Reply({"PartialErrors": errors})


def delete_audiences(world: World, call: Call) -> Reply:
    """Answer DeleteAudiences, a DELETE request with a body."""
    check_account(world, call)
    ids = optional_list(call.json(), "AudienceIds")
    if not ids:
        raise api_fault_detail(4851)
    if len(ids) > LIMIT:
        raise api_fault_detail(4852)
    _, errors = _each(world, call, _distinct(ids, "AudienceIds"), _delete)
    return Reply({"PartialErrors": errors})


def show(world: World, audience: Audience) -> dict[str, Any]:
    """Return a list as JSON; sizes are null while Microsoft would still be counting.

    Parameters
    ----------
    world
        The emulator's state.
    audience
        The list.
    """
    size = _size(world, audience)
    return {
        "Type": "CustomerList",
        "Id": audience.id,
        "Name": audience.name,
        "Description": audience.description,
        "MembershipDuration": audience.membership_days,
        "Scope": audience.scope,
        "ParentId": audience.parent_id,
        "SearchSize": None if size is None else str(size),
        "AudienceNetworkSize": None if size is None else str(size * 9 // 10),
        "SupportedCampaignTypes": ["Audience", "DynamicSearchAds", "Search", "Shopping"],
        "CustomerShare": None,
        "ForwardCompatibilityMap": None,
    }


def _each(
    world: World, call: Call, items: list[Any], work: Callable[[World, Call, Any], Audience]
) -> tuple[list[Audience | None], list[dict[str, Any]]]:
    """Process each item, except those that an injected fault rejects."""
    done: list[Audience | None] = []
    errors: list[dict[str, Any]] = []
    for index, item in enumerate(items):
        try:
            done.append(None if index in call.refused else work(world, call, item))
        except ItemError as error:
            done.append(None)
            errors.append(batch_error(error.code, index, error.field_path))
    return done, errors


def _delete(world: World, call: Call, identity: str) -> Audience:
    audience = find(world, call, identity)
    if audience is None:
        raise ItemError(4835)
    lists.delete(audience)
    return audience


def _size(world: World, audience: Audience) -> int | None:
    after = world.settings.results_after_hours * HOUR
    if audience.first_filled is None or world.clock.now() < audience.first_filled + after:
        return None
    key = (world.settings.match_rule, world.settings.match_rate, world.people.mark if world.people else None)
    if audience.measured is None or audience.measured[0] != key:
        audience.measured = (key, _count(world, audience))
    return audience.measured[1]


def _count(world: World, audience: Audience) -> int:
    from ci_magics.emulation import hashes  # slow to import, and not needed at startup

    members = audience.members.sorted()
    if world.people is not None:
        return world.people.matched(members, world.settings.match_rule)
    return hashes.count_below(members, world.settings.match_rate)


def _audiences_of(call: Call) -> list[Any]:
    audiences = optional_list(call.json(), "Audiences")
    if not audiences:
        raise api_fault_detail(4844)
    if len(audiences) > LIMIT:
        raise api_fault_detail(4850)
    return audiences


def _by_ids(world: World, call: Call, ids: list[str], types: set[str]) -> Reply:
    audiences: list[dict[str, Any] | None] = []
    errors: list[dict[str, Any]] = []
    for index, identity in enumerate(ids):
        audience = None if index in call.refused else find(world, call, identity)
        if audience is not None and "CustomerList" in types:
            audiences.append(show(world, audience))
        else:
            audiences.append(None)
            errors.append(batch_error(4835 if audience is None else 4861, index))
    return Reply({"Audiences": audiences, "PartialErrors": errors})


def _distinct(ids: list[Any], name: str) -> list[str]:
    checked = [long_id(each, name) for each in ids]
    if len(set(checked)) != len(checked):
        raise api_fault_detail(4837)
    return checked


def _types(value: Any) -> set[str]:
    types = {each.strip() for each in value.split(",")} if isinstance(value, str) else set()
    if not types or not types <= _TYPES:
        raise api_fault_detail(4859)
    return types
