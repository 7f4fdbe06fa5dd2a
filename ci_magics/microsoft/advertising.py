"""Client for Customer Match lists and accounts in Microsoft Advertising's REST API v13."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ci_magics.errors import OutcomeUnknownError
from ci_magics.microsoft.answers import said
from ci_magics.microsoft.faults import (
    ADVERTISING_NAME,
    Fault,
    partial_errors,
    raise_partial,
    understood,
    whole,
)
from ci_magics.microsoft.http import Conversation, Permit, always
from ci_magics.microsoft.retries import outcome_unknown

CAMPAIGN = "/CampaignManagement/v13"
CUSTOMER = "/CustomerManagement/v13"

#: Maximum number of items in one ApplyCustomerListUserData call (page "ApplyCustomerListUserData").
MAX_ITEMS = 1000

Action = Literal["Add", "Remove", "Replace"]
Scope = Literal["Account", "Customer"]


@dataclass(frozen=True)
class Audience:
    """A Customer Match list as Microsoft returns it. Sizes are None until Microsoft has computed them."""

    id: str
    name: str
    description: str
    scope: str
    membership_days: int | None
    search_size: int | None
    audience_network_size: int | None


@dataclass(frozen=True)
class Account:
    """An advertising account that the signed-in user can see."""

    id: str
    name: str
    number: str
    customer_id: str


@dataclass(frozen=True)
class User:
    """The signed-in user, with a customer id and role id for each role."""

    id: str
    customer_id: str
    roles: tuple[tuple[str, int], ...]

    def roles_in(self, customer_id: str) -> tuple[int, ...]:
        """Return the user's roles for a customer; roles without a customer apply everywhere.

        Parameters
        ----------
        customer_id
            The id of the customer.
        """
        return tuple(role for customer, role in self.roles if customer in ("", customer_id))


@dataclass(frozen=True)
class Applied:
    """The result of one ApplyCustomerListUserData call."""

    faults: tuple[Fault, ...]
    tracking_id: str | None


class Advertising:
    """The Microsoft Advertising operations that an export needs, one method per call.

    Parameters
    ----------
    conversation
        Sends the requests and identifies the account.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        endpoints = conversation.service.endpoints
        self._campaign = endpoints.campaign + CAMPAIGN
        self._customer = endpoints.customer + CUSTOMER

    def get_user(self) -> User:
        """Return the signed-in user (GetUser)."""
        answer = self._conversation.call("GetUser", "POST", f"{self._customer}/User/Query", {"UserId": None})
        with understood("GetUser", answer):
            user = answer.body["User"]
            return User(
                id=said(user["Id"]),
                customer_id=said(user.get("CustomerId")),
                roles=tuple(
                    (said(role.get("CustomerId")), int(role["RoleId"]))
                    for role in answer.body.get("CustomerRoles") or []
                ),
            )

    def search_accounts(self, user_id: str) -> list[Account]:
        """Return all accounts that a user can see (SearchAccounts), following pagination.

        Parameters
        ----------
        user_id
            Microsoft's id of the user, from `get_user`.
        """
        accounts: list[Account] = []
        for page in range(1000):
            request = {
                "Predicates": [{"Field": "UserId", "Operator": "Equals", "Value": user_id}],
                "PageInfo": {"Index": page, "Size": 100},
            }
            answer = self._conversation.call("SearchAccounts", "POST", f"{self._customer}/Accounts/Search", request)
            with understood("SearchAccounts", answer):
                found = [_account(item) for item in answer.body.get("Accounts") or []]
            accounts += found
            if len(found) < 100:
                break
        return accounts

    def add_audience(
        self, name: str, *, description: str, scope: Scope, parent_id: str, membership_days: int
    ) -> tuple[str, str | None]:
        """Create an empty Customer Match list (AddAudiences).

        Parameters
        ----------
        name
            The name of the list.
        description
            A text for the list.
        scope
            Whether the list belongs to the account or to its customer.
        parent_id
            Id of the account or customer that owns the list.
        membership_days
            How many days a member stays in the list.

        Returns
        -------
        tuple of str and str or None
            The new list's id and the TrackingId.

        Raises
        ------
        ServiceError
            Microsoft refused, for example because the name is taken.
        OutcomeUnknownError
            The response was lost. Look the list up before you create it again.
        """
        audience = {
            "Type": "CustomerList",
            "Name": name,
            "Description": description,
            "MembershipDuration": membership_days,
            "ParentId": parent_id,
            "Scope": scope,
        }
        answer = self._conversation.call(
            "AddAudiences", "POST", f"{self._campaign}/Audiences", {"Audiences": [audience]}, repeatable=False
        )
        raise_partial(answer, "AddAudiences")
        ids = answer.body.get("AudienceIds")
        if not isinstance(ids, list) or len(ids) != 1 or not str(ids[0]).isdecimal():
            raise outcome_unknown(ADVERTISING_NAME, "AddAudiences", answer.tracking_id)
        return str(ids[0]), answer.tracking_id

    def audiences(self, ids: Sequence[str] | None = None) -> list[Audience]:
        """Return Customer Match lists by id, or all that the account can use (GetAudiencesByIds).

        Ids that do not exist are skipped.

        Parameters
        ----------
        ids
            The ids of the lists; None for all lists.
        """
        if ids is None:
            return self._query_audiences(None)
        found: list[Audience] = []
        for start in range(0, len(ids), 100):
            found += self._query_audiences(list(ids[start : start + 100]))
        return found

    def update_audience(
        self,
        audience_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        membership_days: int | None = None,
    ) -> None:
        """Change the given properties of a list (UpdateAudiences); None leaves a property unchanged.

        Parameters
        ----------
        audience_id
            The id of the list.
        name
            The new name.
        description
            The new description.
        membership_days
            How many days a member stays in the list.

        Raises
        ------
        ServiceError
            Microsoft refused, for example because the name is taken.
        """
        changes = {"Name": name, "Description": description, "MembershipDuration": membership_days}
        item: dict[str, Any] = {"Type": "CustomerList", "Id": audience_id}
        item |= {field: value for field, value in changes.items() if value is not None}
        answer = self._conversation.call("UpdateAudiences", "PUT", f"{self._campaign}/Audiences", {"Audiences": [item]})
        raise_partial(answer, "UpdateAudiences")

    def delete_audience(self, audience_id: str) -> None:
        """Delete a list (DeleteAudiences); after a lost response, check whether the list still exists.

        Parameters
        ----------
        audience_id
            The id of the list.
        """
        url, body = f"{self._campaign}/Audiences", {"AudienceIds": [audience_id]}
        try:
            answer = self._conversation.call("DeleteAudiences", "DELETE", url, body, repeatable=False)
            raise_partial(answer, "DeleteAudiences")
        except OutcomeUnknownError:
            if self.audiences([audience_id]):
                raise

    def apply(
        self,
        audience_id: str,
        action: Action,
        hashes: Sequence[str],
        *,
        accept_terms: bool,
        permit: Permit = always,
    ) -> Applied:
        """Add, remove, or replace up to 1,000 members (ApplyCustomerListUserData).

        Parameters
        ----------
        audience_id
            The id of the list.
        action
            ``Add`` and ``Remove`` are idempotent; ``Replace`` is not retried after a lost response.
        hashes
            1 to 1,000 lower-case hexadecimal SHA-256 values.
        accept_terms
            Whether the Customer Match terms were accepted on the connection; sent only if true.
        permit
            Called right before each attempt; see `Permit`.

        Raises
        ------
        ValueError
            There are no hashes, or too many; nothing was sent.
        OutcomeUnknownError
            No usable response came back.
        """
        if not 1 <= len(hashes) <= MAX_ITEMS:
            raise ValueError(f"one call takes 1 to {MAX_ITEMS:,} hashes")
        data: dict[str, Any] = {
            "AudienceId": audience_id,
            "ActionType": action,
            "CustomerListItemSubType": "Email",
            "CustomerListItems": list(hashes),
        }
        if accept_terms:
            data["AcceptCustomerMatchTerm"] = True
        answer = self._conversation.call(
            "ApplyCustomerListUserData",
            "POST",
            f"{self._campaign}/CustomerListUserData/Apply",
            {"CustomerListUserData": data},
            repeatable=action != "Replace",
            permit=permit,
        )
        return Applied(tuple(partial_errors(answer, "ApplyCustomerListUserData")), answer.tracking_id)

    def _query_audiences(self, ids: list[str] | None) -> list[Audience]:
        answer = self._conversation.call(
            "GetAudiencesByIds",
            "POST",
            f"{self._campaign}/Audiences/QueryByIds",
            {"AudienceIds": ids, "Type": "CustomerList"},
        )
        with understood("GetAudiencesByIds", answer):
            return [_audience(item) for item in answer.body["Audiences"] if item is not None]


def _audience(item: Mapping[str, Any]) -> Audience:
    return Audience(
        id=said(item["Id"]),
        name=said(item.get("Name")),
        description=said(item.get("Description")),
        scope=said(item.get("Scope")),
        membership_days=whole(item.get("MembershipDuration")),
        search_size=whole(item.get("SearchSize")),
        audience_network_size=whole(item.get("AudienceNetworkSize")),
    )


def _account(item: Mapping[str, Any]) -> Account:
    return Account(
        id=said(item["Id"]),
        name=said(item.get("Name")),
        number=said(item.get("Number")),
        customer_id=said(item.get("ParentCustomerId")),
    )
