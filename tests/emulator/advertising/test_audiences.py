from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import RunningEmulator

PATH = "/CampaignManagement/v13/Audiences"
LIST: dict[str, Any] = {"Type": "CustomerList", "Name": "A list", "Scope": "Account", "ParentId": "111"}


def add(emulator: RunningEmulator, *lists: Any) -> Any:
    return emulator.call("POST", PATH, {"Audiences": list(lists)}).json()


def query(emulator: RunningEmulator, ids: Any, **changes: str) -> Any:
    return emulator.call("POST", f"{PATH}/QueryByIds", {"AudienceIds": ids, "Type": "CustomerList"}, **changes).json()


def codes(body: Any) -> list[tuple[int, int]]:
    assert all(each["Type"] == "BatchError" for each in body["PartialErrors"])
    return [(each["Index"], each["Code"]) for each in body["PartialErrors"]]


def fault(body: Any) -> int:
    assert body["Type"] == "ApiFaultDetail"
    return int(body["OperationErrors"][0]["Code"])


def test_new_list_is_read_back(emulator: RunningEmulator) -> None:
    answer = add(emulator, LIST | {"Description": "d", "MembershipDuration": -1})
    assert answer["PartialErrors"] == []
    audience = query(emulator, answer["AudienceIds"])["Audiences"][0]
    assert (audience["Type"], audience["Name"], audience["Description"]) == ("CustomerList", "A list", "d")
    assert (audience["MembershipDuration"], audience["ParentId"], audience["Scope"]) == (-1, "111", "Account")
    assert audience["SearchSize"] is None
    assert isinstance(audience["Id"], str)
    assert int(audience["Id"]) > 2**53  # a client that reads it as a float gets a different number


def test_default_duration_is_thirty_days(emulator: RunningEmulator) -> None:
    ids = add(emulator, LIST)["AudienceIds"]
    assert query(emulator, ids)["Audiences"][0]["MembershipDuration"] == 30


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Id": "5"}, 4847),
        ({"Type": "RemarketingList"}, 4859),
        ({"Name": ""}, 4838),
        ({"Name": "x" * 129}, 4838),
        ({"Name": None}, 4838),
        ({"Description": "x" * 1025}, 4841),
        ({"MembershipDuration": 0}, 4842),
        ({"MembershipDuration": 391}, 4842),
        ({"MembershipDuration": "30"}, 4842),
        ({"Scope": "Planet"}, 4849),
        ({"ParentId": "112"}, 4843),
        ({"ParentId": "222"}, 4843),
        ({"Scope": "Customer", "ParentId": "111"}, 4843),
        ({"ParentId": 111}, 4848),
    ],
)
def test_invalid_list_is_reported_by_its_index(emulator: RunningEmulator, changes: dict[str, Any], code: int) -> None:
    answer = add(emulator, LIST | {"Name": "good"}, LIST | changes)
    assert answer["AudienceIds"][0] is not None
    assert answer["AudienceIds"][1] is None
    assert codes(answer) == [(1, code)]


def test_null_list_is_refused(emulator: RunningEmulator) -> None:
    assert codes(add(emulator, None)) == [(0, 4845)]


def test_name_is_unique_in_an_account_ignoring_case(emulator: RunningEmulator) -> None:
    add(emulator, LIST)
    assert codes(add(emulator, LIST | {"Name": "a LIST"})) == [(0, 4853)]


def test_another_account_can_use_the_same_name(emulator: RunningEmulator) -> None:
    add(emulator, LIST)
    body = {"Audiences": [LIST | {"ParentId": "112"}]}
    assert emulator.call("POST", PATH, body, CustomerAccountId="112").json()["PartialErrors"] == []


@pytest.mark.parametrize(("count", "code"), [(0, 4844), (101, 4850)])
def test_number_of_lists_in_a_request_is_limited(emulator: RunningEmulator, count: int, code: int) -> None:
    assert fault(add(emulator, *[LIST] * count)) == code


def test_query_without_ids_returns_all_lists_of_the_account(emulator: RunningEmulator) -> None:
    add(emulator, LIST, LIST | {"Name": "shared", "Scope": "Customer", "ParentId": "222"})
    assert {each["Name"] for each in query(emulator, None)["Audiences"]} == {"A list", "shared"}
    other = query(emulator, None, CustomerAccountId="112")["Audiences"]
    assert [each["Name"] for each in other] == ["shared"]


def test_unknown_id_returns_null_and_an_error(emulator: RunningEmulator) -> None:
    answer = query(emulator, ["1"])
    assert answer["Audiences"] == [None]
    assert codes(answer) == [(0, 4835)]


@pytest.mark.parametrize(
    ("ids", "code"), [([], 4851), (["1", "1"], 4837), ([str(n) for n in range(101)], 4852), ([5], 201)]
)
def test_ids_are_validated(emulator: RunningEmulator, ids: list[Any], code: int) -> None:
    assert fault(query(emulator, ids)) == code


def test_update_changes_only_the_given_fields(emulator: RunningEmulator) -> None:
    (identity,) = add(emulator, LIST)["AudienceIds"]
    change = {"Type": "CustomerList", "Id": identity, "Name": "Renamed"}
    assert emulator.call("PUT", PATH, {"Audiences": [change]}).json() == {"PartialErrors": []}
    audience = query(emulator, [identity])["Audiences"][0]
    assert (audience["Name"], audience["MembershipDuration"]) == ("Renamed", 30)


@pytest.mark.parametrize(
    ("change", "code"),
    [({"Id": None}, 4846), ({"Id": "1"}, 4835), ({"Name": "taken"}, 4853), ({"Scope": "Account"}, 4855)],
)
def test_invalid_update_changes_nothing(emulator: RunningEmulator, change: dict[str, Any], code: int) -> None:
    shared = LIST | {"Scope": "Customer", "ParentId": "222"}
    identity, _ = add(emulator, shared, LIST | {"Name": "taken"})["AudienceIds"]
    item = {"Type": "CustomerList", "Id": identity, "Description": "new"} | change
    answer = emulator.call("PUT", PATH, {"Audiences": [item]}).json()
    assert codes(answer) == [(0, code)]
    assert query(emulator, [identity])["Audiences"][0]["Description"] == ""


def test_delete_request_has_a_body(emulator: RunningEmulator) -> None:
    (identity,) = add(emulator, LIST)["AudienceIds"]
    assert emulator.call("DELETE", PATH, {"AudienceIds": [identity, "1"]}).json()["PartialErrors"][0]["Index"] == 1
    assert query(emulator, [identity])["Audiences"] == [None]


@pytest.mark.parametrize("verb", ["PUT", "DELETE"])
def test_duplicate_id_in_a_request_is_refused(emulator: RunningEmulator, verb: str) -> None:
    (identity,) = add(emulator, LIST)["AudienceIds"]
    twice = {"PUT": {"Audiences": [{"Type": "CustomerList", "Id": identity, "Name": "New"}] * 2}}
    body = twice.get(verb, {"AudienceIds": [identity] * 2})
    assert fault(emulator.call(verb, PATH, body).json()) == 4837
    assert list(emulator.audiences()) == ["A list"]


@pytest.mark.parametrize("identity", ["--5", "", "9223372036854775808", "5.0", " 5", "\u0665"])
def test_id_must_be_a_64_bit_number_as_text(emulator: RunningEmulator, identity: str) -> None:
    assert fault(query(emulator, [identity])) == 201


def test_several_types_can_be_queried(emulator: RunningEmulator) -> None:
    ids = add(emulator, LIST)["AudienceIds"]
    body = {"AudienceIds": ids, "Type": "RemarketingList, CustomerList", "ReturnAdditionalFields": None}
    assert emulator.call("POST", f"{PATH}/QueryByIds", body).json()["Audiences"][0]["Id"] == ids[0]
    answer = emulator.call("POST", f"{PATH}/QueryByIds", {"AudienceIds": ids, "Type": "RemarketingList"}).json()
    assert codes(answer) == [(0, 4861)]
    assert fault(emulator.call("POST", f"{PATH}/QueryByIds", {"AudienceIds": ids, "Type": "Nothing"}).json()) == 4859


@pytest.mark.parametrize("kind", ["CustomAudience", "InMarketAudience", "ProductAudience", "customerlist", ""])
def test_type_that_is_no_audience_type_is_refused(emulator: RunningEmulator, kind: str) -> None:
    assert fault(emulator.call("POST", f"{PATH}/QueryByIds", {"AudienceIds": ["1"], "Type": kind}).json()) == 4859


def test_deleted_list_is_gone_and_its_name_is_free(emulator: RunningEmulator) -> None:
    (identity,) = add(emulator, LIST)["AudienceIds"]
    emulator.call("DELETE", PATH, {"AudienceIds": [identity]})
    change = {"Type": "CustomerList", "Id": identity, "Name": "Back"}
    assert codes(emulator.call("PUT", PATH, {"Audiences": [change]}).json()) == [(0, 4835)]
    assert codes(emulator.call("DELETE", PATH, {"AudienceIds": [identity]}).json()) == [(0, 4835)]
    assert query(emulator, None)["Audiences"] == []
    assert add(emulator, LIST)["PartialErrors"] == []


def test_unknown_scope_is_refused_in_an_update(emulator: RunningEmulator) -> None:
    (identity,) = add(emulator, LIST)["AudienceIds"]
    item = {"Type": "CustomerList", "Id": identity, "Scope": "Planet"}
    assert codes(emulator.call("PUT", PATH, {"Audiences": [item]}).json()) == [(0, 4849)]


def test_list_can_become_customer_wide(emulator: RunningEmulator) -> None:
    (identity,) = add(emulator, LIST)["AudienceIds"]
    item = {"Type": "CustomerList", "Id": identity, "Scope": "Customer"}
    assert emulator.call("PUT", PATH, {"Audiences": [item]}).json() == {"PartialErrors": []}
    assert query(emulator, [identity], CustomerAccountId="112")["Audiences"][0]["ParentId"] == "222"


def test_sizes_are_available_after_two_days(emulator: RunningEmulator) -> None:
    (identity,) = add(emulator, LIST)["AudienceIds"]
    data = {
        "AudienceId": identity,
        "ActionType": "Add",
        "CustomerListItemSubType": "Email",
        "CustomerListItems": [f"{(2 * number + 1) * 2**256 // 2000:064x}" for number in range(1000)],
        "AcceptCustomerMatchTerm": True,
    }
    emulator.call("POST", "/CampaignManagement/v13/CustomerListUserData/Apply", {"CustomerListUserData": data})
    emulator.control("POST", "/clock", {"advance_hours": 47})
    assert query(emulator, [identity])["Audiences"][0]["SearchSize"] is None
    emulator.control("POST", "/clock", {"advance_hours": 1})
    assert query(emulator, [identity])["Audiences"][0]["SearchSize"] == "600"
    emulator.control("POST", "/settings", {"match_rate": 0.25})
    assert query(emulator, [identity])["Audiences"][0]["SearchSize"] == "250"
