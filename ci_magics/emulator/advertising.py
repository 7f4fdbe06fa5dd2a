"""Campaign Management: Customer Match lists, created, read, changed and deleted."""

from __future__ import annotations

from typing import Any

from ci_magics.emulator.call import Call, long_id, optional_list
from ci_magics.emulator.checks import check_account
from ci_magics.emulator.replies import Refusal, Reply, api_fault_detail, batch_error
from ci_magics.emulator.state import HOUR, Audience, World

LIMIT = 100
MAX_AUDIENCES = 1000  # Microsoft publishes it for remarketing lists only; the code exists for all lists
SIZE_HOURS = 48.0

_TYPES = {"CustomerList", "RemarketingList", "CustomAudience", "InMarketAudience", "ProductAudience", "CombinedList"}


class _ItemError(Exception):
    """One audience of a request is wrong."""

    def __init__(self, code: int, field_path: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.field_path = field_path


def add_audiences(world: World, call: Call) -> Reply:
    """Answer AddAudiences: ids index-aligned, null where one failed."""
    check_account(world, call)
    ids: list[str | None] = []
    errors: list[dict[str, Any]] = []
    for index, item in enumerate(_audiences_of(call)):
        try:
            audience = _new_audience(world, call, item)
        except _ItemError as error:
            ids.append(None)
            errors.append(batch_error(error.code, index, error.field_path))
        else:
            world.audiences[audience.id] = audience
            ids.append(audience.id)
    return Reply({"AudienceIds": ids, "PartialErrors": errors})


def get_audiences(world: World, call: Call) -> Reply:
    """Answer GetAudiencesByIds: null where an id does not exist; all of the account when no ids are given."""
    check_account(world, call)
    body = call.json()
    ids = optional_list(body, "AudienceIds")
    types = _types(body.get("Type"))
    if ids is None:
        found = [each for each in world.live_audiences() if each.serves(call.account_id, call.customer_id)]
        return Reply(
            {"Audiences": [show(world, each) for each in found if "CustomerList" in types], "PartialErrors": []}
        )
    if not ids:
        raise api_fault_detail(4851)  # the page says an empty array lists all; connectors report that it is refused
    if len(ids) > LIMIT:
        raise api_fault_detail(4852)
    return _by_ids(world, call, [long_id(each, "AudienceIds") for each in ids], types)


def update_audiences(world: World, call: Call) -> Reply:
    """Answer UpdateAudiences: only what is given changes."""
    check_account(world, call)
    errors: list[dict[str, Any]] = []
    for index, item in enumerate(_audiences_of(call)):
        try:
            _update(world, call, item)
        except _ItemError as error:
            errors.append(batch_error(error.code, index, error.field_path))
    return Reply({"PartialErrors": errors})


def delete_audiences(world: World, call: Call) -> Reply:
    """Answer DeleteAudiences, a DELETE with a body."""
    check_account(world, call)
    ids = optional_list(call.json(), "AudienceIds")
    if not ids:
        raise api_fault_detail(4851)
    if len(ids) > LIMIT:
        raise api_fault_detail(4852)
    errors: list[dict[str, Any]] = []
    for index, identity in enumerate(ids):
        audience = find(world, call, long_id(identity, "AudienceIds"))
        if audience is None:
            errors.append(batch_error(4835, index))
        else:
            audience.deleted = True
            audience.members = set()
    return Reply({"PartialErrors": errors})


def find(world: World, call: Call, identity: str) -> Audience | None:
    """Return a list that the calling account can use, or None."""
    audience = world.audiences.get(identity)
    return audience if audience and audience.serves(call.account_id, call.customer_id) else None


def new_list(world: World, call: Call, item: dict[str, Any]) -> Audience:
    """Make a list from an upload's record; raises `Refusal` with a batch error's code in the body's ``Code``."""
    try:
        audience = _new_audience(world, call, item)
    except _ItemError as error:
        raise Refusal(Reply({"Code": error.code})) from None
    world.audiences[audience.id] = audience
    return audience


def show(world: World, audience: Audience) -> dict[str, Any]:
    """Return a list as JSON; sizes are null while Microsoft would still be counting."""
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


def _size(world: World, audience: Audience) -> int | None:
    if audience.first_filled is None or world.clock.now() < audience.first_filled + SIZE_HOURS * HOUR:
        return None
    key = (len(audience.members), world.settings.match_rate)
    if audience.measured is None or audience.measured[:2] != key:
        threshold = int(world.settings.match_rate * 2**32)
        size = sum(int.from_bytes(member[:4]) < threshold for member in audience.members)
        audience.measured = (*key, size)
    return audience.measured[2]


def _audiences_of(call: Call) -> list[Any]:
    audiences = optional_list(call.json(), "Audiences")
    if not audiences:
        raise api_fault_detail(4844)
    if len(audiences) > LIMIT:
        raise api_fault_detail(4850)
    return audiences


def _new_audience(world: World, call: Call, item: Any) -> Audience:
    if item is None:
        raise _ItemError(4845)
    if not isinstance(item, dict) or item.get("Type") != "CustomerList":
        raise _ItemError(4859, "Type")
    if item.get("Id") is not None:
        raise _ItemError(4847, "Id")
    scope = item.get("Scope", "Account")
    if scope not in ("Account", "Customer"):
        raise _ItemError(4849, "Scope")
    name = _name(item.get("Name"))
    _require_room(world, call, name)
    return Audience(
        id=world.new_id(),
        name=name,
        description=_description(item.get("Description")),
        membership_days=_duration(item.get("MembershipDuration")),
        scope=scope,
        parent_id=_parent(call, scope, item.get("ParentId")),
        account_id=call.account_id,
        customer_id=call.customer_id,
    )


def _require_room(world: World, call: Call, name: str, itself: Audience | None = None) -> None:
    mine = [each for each in world.live_audiences() if each.serves(call.account_id, call.customer_id)]
    if any(each.name.lower() == name.lower() and each is not itself for each in mine):
        raise _ItemError(4853, "Name")
    if itself is None and len(mine) >= MAX_AUDIENCES:
        raise _ItemError(4865)


def _update(world: World, call: Call, item: Any) -> None:
    if item is None:
        raise _ItemError(4845)
    if not isinstance(item, dict) or item.get("Type") != "CustomerList":
        raise _ItemError(4859, "Type")
    if item.get("Id") is None:
        raise _ItemError(4846, "Id")
    audience = find(world, call, long_id(item["Id"], "Id"))
    if audience is None:
        raise _ItemError(4835, "Id")
    scope = item.get("Scope") or audience.scope
    if scope != audience.scope and (audience.scope, scope) != ("Account", "Customer"):
        raise _ItemError(4855, "Scope")
    name = audience.name if item.get("Name") is None else _name(item["Name"])
    _require_room(world, call, name, audience)
    description = item.get("Description")
    duration = item.get("MembershipDuration")
    new_description = audience.description if description is None else _description(description)
    new_days = audience.membership_days if duration is None else _duration(duration)
    audience.name, audience.description, audience.membership_days = name, new_description, new_days
    if scope != audience.scope:
        audience.scope, audience.parent_id = scope, call.customer_id


def _by_ids(world: World, call: Call, ids: list[str], types: set[str]) -> Reply:
    if len(set(ids)) != len(ids):
        raise api_fault_detail(4837)
    audiences: list[dict[str, Any] | None] = []
    errors: list[dict[str, Any]] = []
    for index, identity in enumerate(ids):
        audience = find(world, call, identity)
        if audience is not None and "CustomerList" in types:
            audiences.append(show(world, audience))
        else:
            audiences.append(None)
            errors.append(batch_error(4835 if audience is None else 4861, index))
    return Reply({"Audiences": audiences, "PartialErrors": errors})


def _types(value: Any) -> set[str]:
    types = {each.strip() for each in value.split(",")} if isinstance(value, str) else set()
    if not types or not types <= _TYPES:
        raise api_fault_detail(4859)
    return types


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 128:
        raise _ItemError(4838, "Name")
    return value


def _description(value: Any) -> str:
    if value is not None and (not isinstance(value, str) or len(value) > 1024):
        raise _ItemError(4841, "Description")
    return value or ""


def _duration(value: Any) -> int:
    if value is None:
        return 30
    if type(value) is not int or not (value == -1 or 1 <= value <= 390):
        raise _ItemError(4842, "MembershipDuration")
    return value


def _parent(call: Call, scope: str, value: Any) -> str:
    expected = call.account_id if scope == "Account" else call.customer_id
    if value is None:
        return expected
    if not isinstance(value, str) or not value.isdigit():
        raise _ItemError(4848, "ParentId")
    if value != expected:
        raise _ItemError(4843, "ParentId")
    return value
