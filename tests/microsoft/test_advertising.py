"""The operations on lists, with responses as Microsoft documents them and with unusual ones."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import FakeTokens, JumpingClock
from stub_server import Reply, stub_server

from ci_magics.errors import OutcomeUnknownError, ServiceError
from ci_magics.microsoft.advertising import Advertising
from ci_magics.microsoft.endpoints import endpoints_of
from ci_magics.microsoft.faults import Fault
from ci_magics.microsoft.http import Answer, Conversation
from ci_magics.microsoft.services import advertising_service

APPLY = "ApplyCustomerListUserData"
HASHES = [f"{number:064x}" for number in range(4)]


def advertising_at(address: str) -> Advertising:
    service = advertising_service(
        endpoints_of("emulator", address), customer_id="222", account_id="111", developer_token="token"
    )
    return Advertising(Conversation(service, FakeTokens(iter(["token"])), clock=JumpingClock()))


def apply(client: Any, identity: str, action: str = "Add", hashes: list[str] | None = None) -> Any:
    return client.advertising.apply(identity, action, HASHES if hashes is None else hashes, accept_terms=True)


def test_single_items_can_be_refused(client: Any) -> None:
    identity = client.new_list()
    client.fault(APPLY, ("partial", {"indexes": [1], "code": 8004}))
    applied = apply(client, identity)
    assert applied.faults == (Fault(8004, "EmailMustBeHashed", 1),)
    assert applied.tracking_id
    assert client.emulator.members("A list") == set(HASHES) - {HASHES[1]}
    assert client.count(APPLY) == 1


@pytest.mark.parametrize(
    ("details", "fault"),
    [
        ({"code": "8004"}, Fault(8004, "EmailMustBeHashed", 0)),
        ({"code": None}, Fault(None, "UnknownError", 0)),
        ({"code": 77}, Fault(77, "UnknownError", 0)),
    ],
)
def test_error_code_can_be_text_missing_or_unknown(client: Any, details: dict[str, Any], fault: Fault) -> None:
    identity = client.new_list()
    client.fault(APPLY, ("partial", details))
    assert apply(client, identity).faults == (fault,)


@pytest.mark.parametrize("shape", ["null", "missing"])
def test_missing_partial_errors_mean_success(client: Any, shape: str) -> None:
    identity = client.new_list()
    client.fault(APPLY, ("partial", {"shape": shape}))
    assert apply(client, identity).faults == ()


@pytest.mark.parametrize("shape", ["object", "string", "number"])
def test_partial_errors_of_another_type_leave_the_outcome_unknown(client: Any, shape: str) -> None:
    identity = client.new_list()
    client.fault(APPLY, ("partial", {"shape": shape}))
    with pytest.raises(OutcomeUnknownError) as caught:
        apply(client, identity)
    assert caught.value.tracking_id
    assert client.count(APPLY) == 1


@pytest.mark.parametrize("index", [4, -1])
def test_index_beyond_the_items_is_returned(client: Any, index: int) -> None:
    identity = client.new_list()
    client.fault(APPLY, ("partial", {"indexes": [index]}))
    assert [fault.index for fault in apply(client, identity).faults] == [index]


@pytest.mark.parametrize("count", [0, 1001])
def test_call_of_a_wrong_size_is_not_made(client: Any, count: int) -> None:
    with pytest.raises(ValueError, match="1 to 1,000"):
        apply(client, "1", hashes=[HASHES[0]] * count)
    assert client.count(APPLY) == 0


def test_terms_are_sent_only_if_accepted(client: Any) -> None:
    identity = client.new_list()
    with pytest.raises(ServiceError) as caught:
        client.advertising.apply(identity, "Add", HASHES, accept_terms=False)
    assert caught.value.code == 8003
    assert client.count(APPLY) == 1


def test_duplicate_list_name_is_refused_by_microsoft(client: Any) -> None:
    client.new_list()
    with pytest.raises(ServiceError) as caught:
        client.new_list()
    assert (caught.value.code, bool(caught.value.tracking_id)) == (4853, True)


def test_new_list_without_an_id_leaves_the_outcome_unknown(client: Any) -> None:
    client.fault("AddAudiences", ("partial", {"indexes": [0], "shape": "missing"}))
    assert client.new_list()  # only the list of errors is missing
    client.fault("AddAudiences", ("partial", {"shape": "object"}))
    with pytest.raises(OutcomeUnknownError):
        client.new_list("Another")


@pytest.mark.parametrize("ids", [None, [], ["1", "2"], [None], ["none"], "800000000001"])
def test_new_list_with_an_unusable_id_leaves_the_outcome_unknown(ids: Any) -> None:
    with stub_server(Reply({"AudienceIds": ids, "PartialErrors": []})) as stub, pytest.raises(OutcomeUnknownError):
        advertising_at(stub.address).add_audience(
            "A list", description="", scope="Account", parent_id="111", membership_days=-1
        )
    assert len(stub.paths) == 1  # a second call could create a second list


def test_more_than_a_hundred_accounts_are_requested_in_pages() -> None:
    accounts = [{"Id": str(number), "Name": f"Account {number}"} for number in range(103)]
    with stub_server(Reply({"Accounts": accounts[:100]}), Reply({"Accounts": accounts[100:]})) as stub:
        found = advertising_at(stub.address).search_accounts("1")
    assert [each.id for each in found] == [each["Id"] for each in accounts]
    assert [body["PageInfo"]["Index"] for body in stub.bodies] == [0, 1]


def test_large_ids_stay_exact(client: Any) -> None:
    identity = str(2**63 - 1)
    with pytest.raises(ServiceError) as caught:
        apply(client, identity)
    assert caught.value.code == 8000
    client.emulator.control("POST", "/settings", {"record_bodies": True})
    assert client.advertising.audiences([identity]) == []
    assert f'"{identity}"' in client.emulator.control("GET", "/requests")[-1]["body"]


def test_more_than_a_hundred_ids_are_requested_in_several_calls(client: Any) -> None:
    identity = client.new_list()
    found = client.advertising.audiences([*(str(number) for number in range(1, 250)), identity])
    assert [each.id for each in found] == [identity]
    assert client.count("GetAudiencesByIds") == 3


def test_update_changes_only_the_given_fields(client: Any) -> None:
    identity = client.new_list()
    client.advertising.update_audience(identity, name="Renamed", membership_days=90)
    (audience,) = client.advertising.audiences([identity])
    assert (audience.name, audience.membership_days, audience.description) == ("Renamed", 90, "")
    client.advertising.update_audience(identity, description="told")
    assert client.advertising.audiences([identity])[0].description == "told"


def test_refused_update_raises_its_code(client: Any) -> None:
    identity = client.new_list()
    client.new_list("taken")
    with pytest.raises(ServiceError) as caught:
        client.advertising.update_audience(identity, name="taken")
    assert caught.value.code == 4853


@pytest.mark.parametrize("fault", ["lost_reply", "empty_body"])
def test_delete_without_a_response_is_verified_by_listing(client: Any, fault: str) -> None:
    identity = client.new_list()
    client.fault("DeleteAudiences", fault)
    client.advertising.delete_audience(identity)
    assert client.emulator.audiences() == {}


def test_lost_delete_leaves_the_outcome_unknown(client: Any) -> None:
    identity = client.new_list()
    client.fault("DeleteAudiences", "lost_request")
    with pytest.raises(OutcomeUnknownError):
        client.advertising.delete_audience(identity)
    assert list(client.emulator.audiences()) == ["A list"]


def test_accounts_are_read_from_all_pages(client: Any) -> None:
    user = client.advertising.get_user()
    assert (user.customer_id, user.roles_in("222")) == ("222", (41,))
    assert user.roles_in("333") == ()
    assert [each.id for each in client.advertising.search_accounts(user.id)] == ["111", "112"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"User": None},
        {"User": {"Id": "1"}, "CustomerRoles": [{"RoleId": "x"}]},
        {"User": {"Id": "1"}, "CustomerRoles": [None]},
    ],
)
def test_undocumented_response_is_a_service_error(client: Any, body: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client.conversation, "call", lambda *_args, **_options: Answer(body, "t-1"))
    with pytest.raises(ServiceError) as caught:
        client.advertising.get_user()
    assert (caught.value.code, caught.value.tracking_id) == ("answer_not_understood", "t-1")
