"""Customer Management: the signed-in user and the accounts."""

from __future__ import annotations

from typing import Any

from ci_magics.emulation.advertising.checks import check_user
from ci_magics.emulation.call import Call
from ci_magics.emulation.replies import Reply, api_fault
from ci_magics.emulation.state import Account, World


def get_user(world: World, call: Call) -> Reply:
    """Answer GetUser."""
    check_user(world, call)
    asked = call.json().get("UserId")
    if asked not in (None, world.user.id):
        raise api_fault(1001 if isinstance(asked, str) else 201)
    user = world.user
    return Reply(
        {
            "User": {
                "Id": user.id,
                "UserName": user.name,
                "CustomerId": user.customer_id,
                "UserLifeCycleStatus": "Active",
                "Name": {"FirstName": "Ada", "LastName": "Analyst", "MiddleInitial": None},
            },
            "CustomerRoles": [
                {
                    "RoleId": user.role_id,
                    "CustomerId": user.customer_id,
                    "AccountIds": None,
                    "LinkedAccountIds": None,
                    "CustomerLinkPermission": None,
                }
            ],
        }
    )


def search_accounts(world: World, call: Call) -> Reply:
    """Answer SearchAccounts: one predicate, and optionally one more for the life cycle status."""
    check_user(world, call)
    body = call.json()
    wanted, statuses = _predicates(body.get("Predicates"))
    found = [each for each in world.accounts.values() if _fits(world, each, wanted)]
    if statuses and "Active" not in statuses:
        found = []
    start, size = _page(body.get("PageInfo"), world.settings.page_size)
    return Reply({"Accounts": [_account(each) for each in found[start : start + size]]})


def _predicates(predicates: Any) -> tuple[dict[str, Any], list[str]]:
    if not isinstance(predicates, list) or not predicates:
        raise api_fault(206)
    if any(not isinstance(each, dict) or not isinstance(each.get("Value"), str) for each in predicates):
        raise api_fault(201)
    statuses = [each["Value"] for each in predicates if each.get("Field") == "AccountLifeCycleStatus"]
    others = [each for each in predicates if each.get("Field") != "AccountLifeCycleStatus"]
    if len(others) != 1 or len(statuses) > 1:
        raise api_fault(201, "Exactly one predicate, and one more with AccountLifeCycleStatus.")
    if others[0].get("Operator") not in ("Equals", "In", "Contains"):
        raise api_fault(201, "Operator")
    return others[0], statuses


def _fits(world: World, account: Account, predicate: dict[str, Any]) -> bool:
    value = predicate["Value"]
    fields = {
        "UserId": world.user.id,
        "CustomerId": account.customer_id,
        "AccountId": account.id,
        "AccountName": account.name,
        "AccountNumber": account.number,
    }
    actual = fields.get(str(predicate.get("Field")))
    if actual is None:
        raise api_fault(201, "Field")
    if predicate["Operator"] == "Contains":
        return value.lower() in actual.lower()
    return actual in value.split(",")


def _page(info: Any, largest: int) -> tuple[int, int]:
    if info is None:
        return 0, largest
    index, size = (info.get("Index"), info.get("Size")) if isinstance(info, dict) else (None, None)
    if type(index) is not int or type(size) is not int or index < 0 or not 1 <= size <= 1000:
        raise api_fault(201, "PageInfo")
    return index * size, size


def _account(account: Account) -> dict[str, Any]:
    return {
        "Id": account.id,
        "Name": account.name,
        "Number": account.number,
        "ParentCustomerId": account.customer_id,
        "AccountLifeCycleStatus": "Active",
        "CurrencyCode": "EUR" if account.id == "111" else "USD",
        "PauseReason": None,
        "TimeZone": "BrusselsCopenhagenMadridParis",
    }
