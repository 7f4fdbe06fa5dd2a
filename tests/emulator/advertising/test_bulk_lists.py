"""What Customer List records of bulk files change, and what they leave alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import RunningEmulator

HASH = "f25ad364d33972379a7a4f4df33db142205f5c40eb19cfdb2fc5aaf117e10101"
OTHER = "ec81f3ac7b2b19675bab9d54cf416f9f18cff87c97da5cca82c0f0891bc40602"
THIRD = "5a95f052958dac8ed1d66d74eb481b3ccdbbc953b583c5ff0325be6b091d6281"


def test_record_changes_the_given_fields_of_an_existing_list(bulk: Any) -> None:
    identity = bulk.new_list(HASH)
    changes = {"Audience": "Renamed", "Description": "new", "Membership Duration": "90"}
    assert bulk.rows(bulk.list_row(identity, **changes))["RequestStatus"] == "Completed"
    audience = bulk.audience(identity)
    assert (audience["Name"], audience["Description"], audience["MembershipDuration"]) == ("Renamed", "new", 90)
    assert bulk.emulator.members("Renamed") == {HASH}


def test_empty_fields_change_nothing(bulk: Any) -> None:
    identity = bulk.new_list(HASH)
    bulk.rows(bulk.list_row(identity, Description="kept", Membership_Duration="-1"))
    bulk.rows(bulk.list_row(identity))
    audience = bulk.audience(identity)
    assert (audience["Name"], audience["Description"], audience["MembershipDuration"]) == ("A list", "kept", -1)


def test_delete_value_clears_a_field(bulk: Any) -> None:
    identity = bulk.new_list(HASH)
    bulk.rows(bulk.list_row(identity, Description="old", Membership_Duration="90"))
    bulk.rows(bulk.list_row(identity, Description="delete_value", Membership_Duration="delete_value"))
    audience = bulk.audience(identity)
    assert (audience["Description"], audience["MembershipDuration"]) == ("", 30)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Membership Duration": "soon"}, "4842"),
        ({"Membership Duration": "30.0"}, "4842"),
        ({"Membership Duration": "--5"}, "4842"),
        ({"Membership Duration": "0"}, "4842"),
        ({"Membership Duration": "391"}, "4842"),
        ({"Audience": "taken"}, "4853"),
        ({"Audience": "x" * 129}, "4838"),
        ({"Audience": "delete_value"}, "4838"),
        ({"Description": "x" * 1025}, "4841"),
        ({"Scope": "Planet"}, "4849"),
        ({"Status": "Paused"}, "201"),
        ({"Accept Customer Match Term": "yes"}, "201"),
        ({"Accept Customer Match Term": ""}, "8003"),
    ],
)
def test_invalid_record_changes_neither_list_nor_members(bulk: Any, changes: dict[str, str], code: str) -> None:
    identity = bulk.new_list(HASH)
    bulk.new_list(name="taken")
    status = bulk.rows(bulk.list_row(identity, **changes), bulk.item_row(OTHER, identity))
    assert status["RequestStatus"] == "CompletedWithErrors"
    assert bulk.errors(status) == [("Customer List Error", code, "list")]
    assert bulk.emulator.members("A list") == {HASH}
    assert bulk.audience(identity)["MembershipDuration"] == 30


@pytest.mark.parametrize("duration", ["soon", "0", "1e2"])
def test_invalid_duration_creates_no_list(bulk: Any, duration: str) -> None:
    status = bulk.rows(bulk.list_row(Audience="New", Membership_Duration=duration), bulk.item_row(HASH))
    assert bulk.errors(status) == [("Customer List Error", "4842", "list")]
    assert bulk.emulator.audiences() == {}


def test_customer_wide_list_cannot_become_an_account_list(bulk: Any) -> None:
    identity = bulk.new_list()
    assert bulk.rows(bulk.list_row(identity, Scope="Customer"))["RequestStatus"] == "Completed"
    assert (bulk.audience(identity)["Scope"], bulk.audience(identity)["ParentId"]) == ("Customer", "222")
    assert bulk.errors(bulk.rows(bulk.list_row(identity, Scope="Account"))) == [("Customer List Error", "4855", "list")]


@pytest.mark.parametrize("accept", ["True", ""])
def test_replace_without_items_empties_the_list(bulk: Any, accept: str) -> None:
    identity = bulk.new_list(HASH, OTHER)
    row = bulk.list_row(identity, Action_Type="Replace", Accept_Customer_Match_Term=accept)
    assert bulk.rows(row)["RequestStatus"] == "Completed"
    assert bulk.emulator.members("A list") == set()


@pytest.mark.parametrize("action", ["Add", "Remove", ""])
def test_other_actions_without_items_change_no_members(bulk: Any, action: str) -> None:
    identity = bulk.new_list(HASH, OTHER)
    assert bulk.rows(bulk.list_row(identity, Action_Type=action))["RequestStatus"] == "Completed"
    assert bulk.emulator.members("A list") == {HASH, OTHER}


def test_each_list_in_a_file_gets_its_items(bulk: Any) -> None:
    existing = bulk.new_list(HASH)
    status = bulk.rows(
        bulk.list_row("-1", Audience="One"),
        bulk.list_row("-2", Audience="Two"),
        bulk.list_row(existing, Action_Type="Replace"),
        bulk.item_row(HASH, "-1"),
        bulk.item_row(OTHER, existing),
        bulk.item_row(THIRD, "-2"),
        bulk.item_row(OTHER, "-1"),
        bulk.item_row(THIRD, "", Audience="One"),
    )
    assert status["RequestStatus"] == "Completed"
    assert bulk.emulator.members("One") == {HASH, OTHER, THIRD}
    assert bulk.emulator.members("Two") == {THIRD}
    assert bulk.emulator.members("A list") == {OTHER}


def test_invalid_list_does_not_stop_the_others(bulk: Any) -> None:
    status = bulk.rows(
        bulk.list_row("-1", Audience="", **{"Client Id": "bad"}),
        bulk.list_row("-2", Audience="Two"),
        bulk.item_row(HASH, "-1"),
        bulk.item_row(OTHER, "-2"),
    )
    assert bulk.errors(status) == [("Customer List Error", "4838", "bad")]
    assert bulk.emulator.members("Two") == {OTHER}


def test_id_can_be_used_for_one_list_only(bulk: Any) -> None:
    status = bulk.rows(bulk.list_row(Audience="One"), bulk.list_row(Audience="Two"), bulk.item_row(HASH))
    assert bulk.errors(status) == [("Customer List Error", "4837", "list")]
    assert set(bulk.emulator.audiences()) == {"One"}


def test_items_without_a_parent_id_are_refused(bulk: Any) -> None:
    identity = bulk.new_list(HASH)
    status = bulk.rows(bulk.list_row(identity, Audience=""), bulk.item_row(OTHER, "", client="3"))
    assert bulk.errors(status) == [("Customer List Item Error", "8000", "3")]
    assert bulk.emulator.members("A list") == {HASH}


def test_record_can_delete_its_list(emulator: RunningEmulator, bulk: Any) -> None:
    identity = bulk.new_list(HASH)
    assert bulk.rows(bulk.list_row(identity, Status="Deleted"))["RequestStatus"] == "Completed"
    assert bulk.audience(identity) is None
    (left,) = emulator.control("GET", "/audiences")
    assert (left["deleted"], left["members"]) == (True, 0)
    again = bulk.rows(bulk.list_row(identity), bulk.item_row(OTHER, identity))
    assert bulk.errors(again) == [("Customer List Error", "8000", "list")]


def test_list_of_another_account_is_not_found(emulator: RunningEmulator, bulk: Any) -> None:
    item = {"Type": "CustomerList", "Name": "Theirs", "Scope": "Account", "ParentId": "112"}
    path = "/CampaignManagement/v13/Audiences"
    identity = emulator.call("POST", path, {"Audiences": [item]}, CustomerAccountId="112").json()["AudienceIds"][0]
    status = bulk.rows(bulk.list_row(identity), bulk.item_row(HASH, identity))
    assert bulk.errors(status) == [("Customer List Error", "8000", "list")]


def test_assigned_ids_are_returned_with_the_keys_of_the_file(bulk: Any) -> None:
    rows = bulk.result(
        bulk.rows(
            bulk.list_row("-7", Audience="One"),
            bulk.item_row(HASH, "-7"),
            bulk.item_row("a@contoso.com", "-7", client="2"),
            mode="ErrorsAndResults",
        )
    )
    assert [(row["Type"], row["Client Id"], row["Error Number"]) for row in rows] == [
        ("Customer List", "list", ""),
        ("Customer List Item Error", "2", "8004"),
    ]
    assert rows[0]["Id"] == bulk.emulator.audiences()["One"]["Id"]
    assert "contoso" not in str(rows)
