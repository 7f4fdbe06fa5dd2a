"""The operations on lists, with answers as Microsoft documents them and as it may well send them."""

from __future__ import annotations

from typing import Any

import pytest

from ci_magics.errors import OutcomeUnknownError, ServiceError
from ci_magics.microsoft.faults import Fault
from ci_magics.microsoft.http import Answer

APPLY = "ApplyCustomerListUserData"
HASHES = [f"{number:064x}" for number in range(4)]


def apply(client: Any, identity: str, action: str = "Add", hashes: list[str] | None = None) -> Any:
    return client.advertising.apply(identity, action, HASHES if hashes is None else hashes, accept_terms=True)


def test_single_items_may_be_refused(client: Any) -> None:
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
def test_a_code_may_be_text_missing_or_new(client: Any, details: dict[str, Any], fault: Fault) -> None:
    identity = client.new_list()
    client.fault(APPLY, ("partial", details))
    assert apply(client, identity).faults == (fault,)


@pytest.mark.parametrize("shape", ["null", "missing"])
def test_no_list_of_errors_is_success(client: Any, shape: str) -> None:
    identity = client.new_list()
    client.fault(APPLY, ("partial", {"shape": shape}))
    assert apply(client, identity).faults == ()


@pytest.mark.parametrize("shape", ["object", "string", "number"])
def test_errors_that_are_no_list_leave_the_outcome_unknown(client: Any, shape: str) -> None:
    identity = client.new_list()
    client.fault(APPLY, ("partial", {"shape": shape}))
    with pytest.raises(OutcomeUnknownError) as caught:
        apply(client, identity)
    assert caught.value.tracking_id
    assert client.count(APPLY) == 1


@pytest.mark.parametrize("index", [4, -1])
def test_an_index_beyond_the_items_is_handed_on(client: Any, index: int) -> None:
    identity = client.new_list()
    client.fault(APPLY, ("partial", {"indexes": [index]}))
    assert [fault.index for fault in apply(client, identity).faults] == [index]


@pytest.mark.parametrize("count", [0, 1001])
def test_a_call_of_a_wrong_size_is_not_made(client: Any, count: int) -> None:
    with pytest.raises(ValueError, match="1 to 1,000"):
        apply(client, "1", hashes=[HASHES[0]] * count)
    assert client.count(APPLY) == 0


def test_terms_are_sent_only_where_they_were_accepted(client: Any) -> None:
    identity = client.new_list()
    with pytest.raises(ServiceError) as caught:
        client.advertising.apply(identity, "Add", HASHES, accept_terms=False)
    assert caught.value.code == 8003
    assert client.count(APPLY) == 1


def test_a_taken_name_is_microsofts_error(client: Any) -> None:
    client.new_list()
    with pytest.raises(ServiceError) as caught:
        client.new_list()
    assert (caught.value.code, bool(caught.value.tracking_id)) == (4853, True)


def test_a_new_list_without_an_id_is_unknown(client: Any) -> None:
    client.fault("AddAudiences", ("partial", {"indexes": [0], "shape": "missing"}))
    assert client.new_list()  # nothing but the list of errors is missing
    client.fault("AddAudiences", ("partial", {"shape": "object"}))
    with pytest.raises(OutcomeUnknownError):
        client.new_list("Another")


def test_ids_beyond_53_bits_stay_exact(client: Any) -> None:
    identity = str(2**63 - 1)
    with pytest.raises(ServiceError) as caught:
        apply(client, identity)
    assert caught.value.code == 8000
    client.emulator.control("POST", "/settings", {"record_bodies": True})
    assert client.advertising.audiences([identity]) == []
    assert f'"{identity}"' in client.emulator.control("GET", "/requests")[-1]["body"]


def test_more_than_a_hundred_ids_are_asked_for_in_parts(client: Any) -> None:
    identity = client.new_list()
    found = client.advertising.audiences([*(str(number) for number in range(1, 250)), identity])
    assert [each.id for each in found] == [identity]
    assert client.count("GetAudiencesByIds") == 3


def test_an_update_changes_what_is_given(client: Any) -> None:
    identity = client.new_list()
    client.advertising.update_audience(identity, name="Renamed", membership_days=90)
    (audience,) = client.advertising.audiences([identity])
    assert (audience.name, audience.membership_days, audience.description) == ("Renamed", 90, "")
    client.advertising.update_audience(identity, description="told")
    assert client.advertising.audiences([identity])[0].description == "told"


def test_an_update_that_is_refused_says_why(client: Any) -> None:
    identity = client.new_list()
    client.new_list("taken")
    with pytest.raises(ServiceError) as caught:
        client.advertising.update_audience(identity, name="taken")
    assert caught.value.code == 4853


@pytest.mark.parametrize("fault", ["lost_reply", "empty_body"])
def test_a_delete_without_an_answer_is_settled_by_looking(client: Any, fault: str) -> None:
    identity = client.new_list()
    client.fault("DeleteAudiences", fault)
    client.advertising.delete_audience(identity)
    assert client.emulator.audiences() == {}


def test_a_delete_that_got_lost_is_unknown(client: Any) -> None:
    identity = client.new_list()
    client.fault("DeleteAudiences", "lost_request")
    with pytest.raises(OutcomeUnknownError):
        client.advertising.delete_audience(identity)
    assert list(client.emulator.audiences()) == ["A list"]


def test_accounts_come_from_all_pages(client: Any) -> None:
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
def test_an_answer_that_lacks_what_is_documented_is_a_service_error(
    client: Any, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client.conversation, "call", lambda *_args, **_options: Answer(body, "t-1"))
    with pytest.raises(ServiceError) as caught:
        client.advertising.get_user()
    assert (caught.value.code, caught.value.tracking_id) == ("answer_not_understood", "t-1")
