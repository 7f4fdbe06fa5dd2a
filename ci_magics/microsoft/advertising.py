"""Customer Match lists and the accounts they live in, over Microsoft Advertising's REST API v13."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ci_magics.errors import OutcomeUnknownError
from ci_magics.microsoft.faults import Fault, read_errors, service_error
from ci_magics.microsoft.http import Answer, Conversation

CAMPAIGN = "/CampaignManagement/v13"
CUSTOMER = "/CustomerManagement/v13"

#: Items in one ApplyCustomerListUserData call (page "ApplyCustomerListUserData").
MAX_ITEMS = 1000

Action = Literal["Add", "Remove", "Replace"]
Scope = Literal["Account", "Customer"]


@dataclass(frozen=True)
class Audience:
    """A Customer Match list as Microsoft describes it. Sizes are None until Microsoft has computed them."""

    id: str
    name: str
    description: str
    scope: str
    parent_id: str
    membership_days: int | None
    search_size: int | None
    audience_network_size: int | None


@dataclass(frozen=True)
class Account:
    """An advertising account that the signed-in user may see."""

    id: str
    name: str
    number: str
    customer_id: str


@dataclass(frozen=True)
class User:
    """The signed-in user and the roles held, by customer id."""

    id: str
    customer_id: str
    role_ids: tuple[int, ...]


@dataclass(frozen=True)
class Applied:
    """What became of one ApplyCustomerListUserData call."""

    faults: tuple[Fault, ...]
    tracking_id: str | None


class Advertising:
    """The operations an exporter needs, each one call."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._campaign = conversation.caller.endpoints.campaign + CAMPAIGN
        self._customer = conversation.caller.endpoints.customer + CUSTOMER

    def get_user(self) -> User:
        """Return the signed-in user (GetUser)."""
        body = self._call("GetUser", "POST", f"{self._customer}/User/Query", {"UserId": None}).body
        user = body.get("User") or {}
        roles = body.get("CustomerRoles") or []
        return User(
            id=str(user.get("Id", "")),
            customer_id=str(user.get("CustomerId", "")),
            role_ids=tuple(int(role["RoleId"]) for role in roles),
        )

    def search_accounts(self, user_id: str) -> list[Account]:
        """Return the accounts a user may see (SearchAccounts), all pages."""
        accounts: list[Account] = []
        for page in range(1000):
            request = {
                "Predicates": [{"Field": "UserId", "Operator": "Equals", "Value": user_id}],
                "PageInfo": {"Index": page, "Size": 100},
            }
            body = self._call("SearchAccounts", "POST", f"{self._customer}/Accounts/Search", request).body
            found = body.get("Accounts") or []
            accounts += [_account(item) for item in found]
            if len(found) < 100:
                break
        return accounts

    def add_audience(
        self, name: str, *, description: str, scope: Scope, parent_id: str, membership_days: int
    ) -> tuple[str, str | None]:
        """Create an empty Customer Match list (AddAudiences).

        Returns
        -------
        tuple of str and str or None
            The new list's id and the TrackingId.

        Raises
        ------
        ServiceError
            Microsoft refused, for example because the name is taken.
        OutcomeUnknownError
            The answer was lost; look the list up before creating it again.
        """
        audience = {
            "Type": "CustomerList",
            "Name": name,
            "Description": description,
            "MembershipDuration": membership_days,
            "ParentId": parent_id,
            "Scope": scope,
        }
        answer = self._call(
            "AddAudiences", "POST", f"{self._campaign}/Audiences", {"Audiences": [audience]}, repeatable=False
        )
        _raise_partial(answer, "AddAudiences")
        ids = answer.body.get("AudienceIds") or []
        if not ids or ids[0] is None:
            raise OutcomeUnknownError(
                "Microsoft Advertising answered without the new audience's id.",
                "Look at %ci_status before you run it again.",
                code="outcome_unknown",
                tracking_id=answer.tracking_id,
            )
        return str(ids[0]), answer.tracking_id

    def audiences(self, ids: Sequence[str] | None = None) -> list[Audience]:
        """Return Customer Match lists by id, or all that the account can use (GetAudiencesByIds).

        Ids that do not exist are left out.
        """
        if ids is None:
            return self._query_audiences(None)
        found: list[Audience] = []
        for start in range(0, len(ids), 100):
            found += self._query_audiences(list(ids[start : start + 100]))
        return found

    def delete_audience(self, audience_id: str) -> None:
        """Delete a list (DeleteAudiences)."""
        answer = self._call("DeleteAudiences", "DELETE", f"{self._campaign}/Audiences", {"AudienceIds": [audience_id]})
        _raise_partial(answer, "DeleteAudiences")

    def apply(self, audience_id: str, action: Action, hashes: Sequence[str], *, accept_terms: bool) -> Applied:
        """Add, remove or replace up to 1,000 members (ApplyCustomerListUserData).

        Parameters
        ----------
        audience_id
            The list.
        action
            ``Add`` and ``Remove`` may be repeated without harm.
        hashes
            1 to 1,000 lower-case hexadecimal SHA-256 values.
        accept_terms
            Whether the Customer Match terms were accepted on the connection; sent only when they were.
        """
        data: dict[str, Any] = {
            "AudienceId": audience_id,
            "ActionType": action,
            "CustomerListItemSubType": "Email",
            "CustomerListItems": list(hashes),
        }
        if accept_terms:
            data["AcceptCustomerMatchTerm"] = True
        answer = self._call(
            "ApplyCustomerListUserData",
            "POST",
            f"{self._campaign}/CustomerListUserData/Apply",
            {"CustomerListUserData": data},
            repeatable=action != "Replace",
        )
        return Applied(tuple(read_errors(answer.body.get("PartialErrors"))), answer.tracking_id)

    def _query_audiences(self, ids: list[str] | None) -> list[Audience]:
        answer = self._call(
            "GetAudiencesByIds",
            "POST",
            f"{self._campaign}/Audiences/QueryByIds",
            {"AudienceIds": ids, "Type": "CustomerList"},
        )
        return [_audience(item) for item in answer.body.get("Audiences") or [] if item is not None]

    def _call(self, operation: str, verb: str, url: str, body: Mapping[str, Any], *, repeatable: bool = True) -> Answer:
        return self._conversation.call(operation, verb, url, body, repeatable=repeatable)


def _raise_partial(answer: Answer, operation: str) -> None:
    faults = read_errors(answer.body.get("PartialErrors"))
    if faults:
        raise service_error(faults, status=200, tracking_id=answer.tracking_id, operation=operation)


def _audience(item: Mapping[str, Any]) -> Audience:
    return Audience(
        id=str(item["Id"]),
        name=str(item.get("Name") or ""),
        description=str(item.get("Description") or ""),
        scope=str(item.get("Scope") or ""),
        parent_id=str(item.get("ParentId") or ""),
        membership_days=_whole(item.get("MembershipDuration")),
        search_size=_whole(item.get("SearchSize")),
        audience_network_size=_whole(item.get("AudienceNetworkSize")),
    )


def _account(item: Mapping[str, Any]) -> Account:
    return Account(
        id=str(item["Id"]),
        name=str(item.get("Name") or ""),
        number=str(item.get("Number") or ""),
        customer_id=str(item.get("ParentCustomerId") or ""),
    )


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)
