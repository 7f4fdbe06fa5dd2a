from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import RunningEmulator

HASH = "f25ad364d33972379a7a4f4df33db142205f5c40eb19cfdb2fc5aaf117e10101"
OTHER = "ec81f3ac7b2b19675bab9d54cf416f9f18cff87c97da5cca82c0f0891bc40602"


@pytest.fixture
def audience(emulator: RunningEmulator) -> str:
    item = {"Type": "CustomerList", "Name": "A list", "Scope": "Account", "ParentId": "111"}
    return str(
        emulator.call("POST", "/CampaignManagement/v13/Audiences", {"Audiences": [item]}).json()["AudienceIds"][0]
    )


def send(emulator: RunningEmulator, audience: str, items: Any, **changes: Any) -> Any:
    data = {
        "AudienceId": audience,
        "ActionType": "Add",
        "CustomerListItemSubType": "Email",
        "CustomerListItems": items,
        "AcceptCustomerMatchTerm": True,
        **changes,
    }
    body = {"CustomerListUserData": {name: value for name, value in data.items() if value != "absent"}}
    return emulator.call("POST", "/CampaignManagement/v13/CustomerListUserData/Apply", body).json()


def fault(body: Any) -> int:
    assert body["Type"] == "ApiFaultDetail"
    return int(body["OperationErrors"][0]["Code"])


def test_add_remove_and_replace(emulator: RunningEmulator, audience: str) -> None:
    assert send(emulator, audience, [HASH, OTHER]) == {"PartialErrors": []}
    assert emulator.members("A list") == {HASH, OTHER}
    send(emulator, audience, [HASH], ActionType="Remove")
    assert emulator.members("A list") == {OTHER}
    send(emulator, audience, [HASH], ActionType="Replace")
    assert emulator.members("A list") == {HASH}


def test_adding_existing_and_removing_missing_items_does_nothing(emulator: RunningEmulator, audience: str) -> None:
    for _ in range(2):
        assert send(emulator, audience, [HASH])["PartialErrors"] == []
    assert send(emulator, audience, [OTHER], ActionType="Remove")["PartialErrors"] == []
    assert emulator.members("A list") == {HASH}


@pytest.mark.parametrize("bad", ["someone@contoso.com", HASH.upper(), HASH[:-1], f"{HASH}0", f"{HASH}\n", "", None, 5])
def test_only_lowercase_hashes_are_accepted(emulator: RunningEmulator, audience: str, bad: Any) -> None:
    errors = send(emulator, audience, [HASH, bad])["PartialErrors"]
    assert [(each["Index"], each["Code"], each["ErrorCode"]) for each in errors] == [(1, 8004, "EmailMustBeHashed")]
    assert emulator.members("A list") == {HASH}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ActionType": "Delete"}, 8001),
        ({"CustomerListItemSubType": "Phone"}, 8002),
        ({"CustomerListItemSubType": "CRM"}, 8002),
        ({"AcceptCustomerMatchTerm": False}, 8003),
        ({"AcceptCustomerMatchTerm": "absent"}, 8003),
        ({"AcceptCustomerMatchTerm": "true"}, 201),
        ({"AudienceId": "1"}, 8000),
        ({"AudienceId": 1}, 201),
        ({"CustomerListItems": []}, 206),
        ({"CustomerListItems": None}, 206),
        ({"CustomerListItems": [HASH] * 1001}, 6999),
    ],
)
def test_invalid_call_changes_nothing(
    emulator: RunningEmulator, audience: str, changes: dict[str, Any], code: int
) -> None:
    assert fault(send(emulator, audience, [HASH], **changes)) == code
    assert emulator.members("A list") == set()


def test_terms_accepted_in_the_web_page_apply_if_the_call_omits_them(emulator: RunningEmulator, audience: str) -> None:
    emulator.control("POST", "/settings", {"terms_accepted": True})
    assert send(emulator, audience, [HASH], AcceptCustomerMatchTerm="absent") == {"PartialErrors": []}
    assert fault(send(emulator, audience, [HASH], AcceptCustomerMatchTerm=False)) == 8003


def test_a_thousand_items_are_accepted(emulator: RunningEmulator, audience: str) -> None:
    assert send(emulator, audience, [f"{number:064x}" for number in range(1000)]) == {"PartialErrors": []}
    assert emulator.audiences()["A list"]["members"] == 1000
