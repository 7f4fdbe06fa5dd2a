"""The official REST SDK, an independent client, against the emulator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bingads.authorization import AuthorizationData, OAuthTokens, OAuthWebAuthCodeGrant
from bingads.service_client import ServiceClient
from bingads.v13.bulk import BulkServiceManager, FileUploadParameters
from openapi_client.exceptions import BadRequestException, ForbiddenException, UnauthorizedException
from openapi_client.models.campaign import (
    AddAudiencesRequest,
    ApplyCustomerListUserDataRequest,
    CustomerList,
    CustomerListUserData,
    DeleteAudiencesRequest,
    GetAudiencesByIdsRequest,
    UpdateAudiencesRequest,
)
from openapi_client.models.campaign.audience_type import AudienceType
from openapi_client.models.customer import GetUserRequest, Paging, Predicate, SearchAccountsRequest

if TYPE_CHECKING:
    from conftest import RunningEmulator

HASH = "f25ad364d33972379a7a4f4df33db142205f5c40eb19cfdb2fc5aaf117e10101"


def authorization(emulator: RunningEmulator, token: str | None = None) -> AuthorizationData:
    tokens = OAuthTokens(token or emulator.access_token, 3600, emulator.refresh_token)
    grant = OAuthWebAuthCodeGrant("client-id", "secret", "http://localhost/cb", oauth_tokens=tokens)
    return AuthorizationData(
        account_id="111", customer_id="222", developer_token=emulator.developer_token, authentication=grant
    )


def service(emulator: RunningEmulator, name: str, **options: Any) -> Any:
    return ServiceClient(name, 13, authorization(emulator, **options), location=emulator.base_url)


@pytest.fixture
def campaigns(emulator: RunningEmulator) -> Any:
    return service(emulator, "CampaignManagementService")


@pytest.fixture
def customers(emulator: RunningEmulator) -> Any:
    return service(emulator, "CustomerManagementService")


@pytest.fixture
def audience_id(campaigns: Any) -> str:
    answer = campaigns.add_audiences(AddAudiencesRequest(audiences=[a_list("By the SDK")]))
    assert not answer.PartialErrors
    return str(answer.AudienceIds[0])


def a_list(name: str, **fields: Any) -> CustomerList:
    return CustomerList(name=name, type="CustomerList", scope="Account", parent_id="111", **fields)


def query(campaigns: Any, *ids: str) -> Any:
    request = GetAudiencesByIdsRequest(audience_ids=list(ids) or None, type="CustomerList")
    return campaigns.get_audiences_by_ids(request)


@pytest.mark.parametrize("kind", list(AudienceType), ids=str)
def test_sdk_can_query_every_type_of_audience(campaigns: Any, audience_id: str, kind: AudienceType) -> None:
    request = GetAudiencesByIdsRequest(audience_ids=[audience_id], type=kind | AudienceType.CUSTOMERLIST)
    (audience,) = campaigns.get_audiences_by_ids(request).Audiences
    assert audience.Id == audience_id


def test_sdk_creates_and_queries_a_list(campaigns: Any, audience_id: str) -> None:
    (audience,) = query(campaigns, audience_id).Audiences
    assert (audience.Id, audience.Name, audience.Type.name) == (audience_id, "By the SDK", "CUSTOMERLIST")
    assert audience.MembershipDuration == 30
    assert [each.Id for each in query(campaigns).Audiences] == [audience_id]


def test_sdk_updates_a_list(campaigns: Any, audience_id: str) -> None:
    change = CustomerList(id=audience_id, name="Renamed", type="CustomerList")
    campaigns.update_audiences(UpdateAudiencesRequest(audiences=[change]))
    assert query(campaigns, audience_id).Audiences[0].Name == "Renamed"


def test_sdk_deletes_a_list(campaigns: Any, audience_id: str) -> None:
    answer = campaigns.delete_audiences(DeleteAudiencesRequest(audience_ids=[audience_id]))
    assert not answer.PartialErrors
    assert query(campaigns).Audiences == []


def test_sdk_applies_user_data(emulator: RunningEmulator, campaigns: Any, audience_id: str) -> None:
    data = CustomerListUserData(
        audience_id=audience_id,
        action_type="Add",
        customer_list_item_sub_type="Email",
        customer_list_items=[HASH, "someone@contoso.com"],
        accept_customer_match_term=True,
    )
    answer = campaigns.apply_customer_list_user_data(ApplyCustomerListUserDataRequest(customer_list_user_data=data))
    assert [(each.Index, each.Code, each.ErrorCode) for each in answer.PartialErrors] == [
        (1, 8004, "EmailMustBeHashed")
    ]
    assert emulator.members("By the SDK") == {HASH}


def test_sdk_reads_a_partial_failure(campaigns: Any, audience_id: str) -> None:
    del audience_id
    request = AddAudiencesRequest(audiences=[a_list("by the sdk"), a_list("Another")])
    # The model of the SDK refuses the null that Microsoft documents, so the raw body is read.
    body = json.loads(campaigns.add_audiences_without_preload_content(request).data)
    assert body["AudienceIds"][0] is None
    assert body["AudienceIds"][1]
    assert [(each["Index"], each["Code"]) for each in body["PartialErrors"]] == [(0, 4853)]


def test_sdk_reads_the_user_and_accounts(customers: Any) -> None:
    user = customers.get_user(GetUserRequest(user_id=None))
    assert user.User.CustomerId == "222"
    assert [role.RoleId for role in user.CustomerRoles] == [41]
    predicate = Predicate(field="UserId", operator="Equals", value=user.User.Id)
    found = customers.search_accounts(
        SearchAccountsRequest(predicates=[predicate], page_info=Paging(index=0, size=100))
    )
    assert [(each.Id, each.Name) for each in found.Accounts] == [("111", "Contoso EU"), ("112", "Contoso US")]


def test_sdk_uploads_a_bulk_file_and_reads_the_result(
    emulator: RunningEmulator, audience_id: str, tmp_path: Path
) -> None:
    source = tmp_path / "upload.csv"
    source.write_text(
        "\ufeffType,Id,Parent Id,Client Id,Name,Action Type,Accept Customer Match Term,Sub Type,Text\r\n"
        "Format Version,,,,6.0,,,,\r\n"
        f"Customer List,{audience_id},,list,,Add,True,,\r\n"
        f"Customer List Item,,{audience_id},1,,,,Email,{HASH}\r\n"
        f"Customer List Item,,{audience_id},2,,,,Email,not-a-hash\r\n",
        encoding="utf-8",
        newline="",
    )
    manager = BulkServiceManager(
        authorization(emulator),
        poll_interval_in_milliseconds=100,
        location=emulator.base_url,
        working_directory=str(tmp_path),
    )
    result = manager.upload_file(
        FileUploadParameters(
            upload_file_path=str(source),
            result_file_directory=str(tmp_path),
            result_file_name="result.csv",
            overwrite_result_file=True,
            response_mode="ErrorsAndResults",
        )
    )
    text = Path(result).read_text(encoding="utf-8-sig")
    assert "Customer List Item Error" in text
    assert "EmailMustBeHashed" in text
    assert emulator.members("By the SDK") == {HASH}


def test_sdk_understands_faults(emulator: RunningEmulator, campaigns: Any) -> None:
    with pytest.raises(UnauthorizedException) as refused:
        query(service(emulator, "CampaignManagementService", token="other"))
    body = json.loads(refused.value.body)
    assert (body["Type"], body["Errors"][0]["Code"]) == ("AdApiFaultDetail", 105)
    assert refused.value.headers["TrackingId"] == body["TrackingId"]
    with pytest.raises(BadRequestException) as wrong:
        campaigns.get_audiences_by_ids(GetAudiencesByIdsRequest(audience_ids=["1", "1"], type="CustomerList"))
    assert json.loads(wrong.value.body)["OperationErrors"][0]["Code"] == 4837
    emulator.control("POST", "/faults", [{"operation": "*", "call": 1, "fault": "106"}])
    with pytest.raises(ForbiddenException):
        query(campaigns)
