from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

if TYPE_CHECKING:
    from conftest import RunningEmulator

QUERY = "/CampaignManagement/v13/Audiences/QueryByIds"
ALL = {"AudienceIds": None, "Type": "CustomerList"}


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"Authorization": None}, 400, 116),
        ({"DeveloperToken": None}, 400, 116),
        ({"Authorization": "Bearer other"}, 401, 105),
        ({"Authorization": "Basic abc"}, 401, 105),
        ({"DeveloperToken": "other"}, 401, 105),
        ({"CustomerId": "999"}, 403, 106),
        ({"CustomerAccountId": "113"}, 403, 106),
    ],
)
def test_credentials_are_checked(
    emulator: RunningEmulator, changes: dict[str, str | None], status: int, code: int
) -> None:
    answer = emulator.call("POST", QUERY, ALL, **changes)
    body = answer.json()
    assert (answer.status_code, body["Type"], body["Errors"][0]["Code"]) == (status, "AdApiFaultDetail", code)
    assert "Detail" in body["Errors"][0]
    assert body["TrackingId"] == answer.headers["TrackingId"]


@pytest.mark.parametrize(("header", "code"), [("CustomerId", 1029), ("CustomerAccountId", 1030)])
def test_customer_and_account_ids_are_required(emulator: RunningEmulator, header: str, code: int) -> None:
    body = emulator.call("POST", QUERY, ALL, **{header: None}).json()
    assert (body["Type"], body["OperationErrors"][0]["Code"]) == ("ApiFaultDetail", code)
    assert "Details" in body["OperationErrors"][0]


def test_access_token_expires_after_an_hour(emulator: RunningEmulator) -> None:
    answer = emulator.session.post(
        f"{emulator.base_url}/common/oauth2/v2.0/token",
        data={"client_id": "app", "grant_type": "refresh_token", "refresh_token": emulator.refresh_token},
    )
    bearer = f"Bearer {answer.json()['access_token']}"
    assert emulator.call("POST", QUERY, ALL, Authorization=bearer).ok
    emulator.control("POST", "/clock", {"advance_hours": 1.1})
    expired = emulator.call("POST", QUERY, ALL, Authorization=bearer)
    assert (expired.status_code, expired.json()["Errors"][0]["Code"]) == (401, 109)


def test_every_response_has_a_tracking_id(emulator: RunningEmulator) -> None:
    for method, path in (("POST", QUERY), ("PATCH", QUERY), ("GET", "/nothing/here")):
        assert UUID(emulator.call(method, path, ALL).headers["TrackingId"])


def test_other_methods_and_paths_are_not_found(emulator: RunningEmulator) -> None:
    assert emulator.call("GET", QUERY, "").status_code == 405
    assert emulator.call("POST", "/CampaignManagement/v13/Nothing", {}).status_code == 404


@pytest.mark.parametrize("body", ["{", "[]", '"text"'])
def test_body_that_is_not_a_json_object_is_refused(emulator: RunningEmulator, body: str) -> None:
    assert emulator.call("POST", QUERY, body).json()["OperationErrors"][0]["Code"] == 201


def test_user_query_returns_the_current_user_and_accounts(emulator: RunningEmulator) -> None:
    user = emulator.call("POST", "/CustomerManagement/v13/User/Query", {"UserId": None}).json()
    assert (user["User"]["CustomerId"], user["CustomerRoles"][0]["RoleId"]) == ("222", 41)
    request = {
        "Predicates": [{"Field": "UserId", "Operator": "Equals", "Value": user["User"]["Id"]}],
        "PageInfo": {"Index": 0, "Size": 100},
    }
    accounts = emulator.call("POST", "/CustomerManagement/v13/Accounts/Search", request).json()["Accounts"]
    assert [(each["Id"], each["ParentCustomerId"]) for each in accounts] == [("111", "222"), ("112", "222")]


def test_customer_management_errors_have_no_symbolic_code(emulator: RunningEmulator) -> None:
    answer = emulator.call("POST", "/CustomerManagement/v13/Accounts/Search", {"Predicates": []})
    body = answer.json()
    assert (answer.status_code, body["Type"]) == (400, "ApiFault")
    assert "ErrorCode" not in body["OperationErrors"][0]
