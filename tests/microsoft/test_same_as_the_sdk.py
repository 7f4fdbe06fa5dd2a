"""Our requests equal those of the official SDK for the same operation."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from bingads.authorization import AuthorizationData, OAuthTokens, OAuthWebAuthCodeGrant
from bingads.service_client import ServiceClient
from bingads.v13.bulk import BulkServiceManager, FileUploadParameters
from openapi_client.models.campaign import (
    AddAudiencesRequest,
    ApplyCustomerListUserDataRequest,
    CustomerList,
    CustomerListUserData,
    DeleteAudiencesRequest,
    GetAudiencesByIdsRequest,
)
from openapi_client.models.customer import GetUserRequest, Paging, Predicate, SearchAccountsRequest

from ci_magics.activation.connect import connect
from ci_magics.activation.connections.services import Services, open_services
from ci_magics.microsoft.upload_file import write_upload_file

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

HASH = "f25ad364d33972379a7a4f4df33db142205f5c40eb19cfdb2fc5aaf117e10101"
#: Transport details that do not concern the operation; only the SDK sends `Api-Revision`, and it is not documented.
OWN_WAYS = {"User-Agent", "Accept-Encoding", "Connection", "Content-Length", "Host", "Api-Revision"}


@pytest.fixture
def ours(emulator: RunningEmulator, workspace: Workspace) -> Services:
    connection = connect(
        "Contoso EU", customer_id="222", account_id="111", agree=True, accept_terms=True, workspace=workspace
    )
    services = open_services(workspace, connection, show=print)
    emulator.control("POST", "/settings", {"record_bodies": True})
    return services


def authorization(emulator: RunningEmulator) -> AuthorizationData:
    tokens = OAuthTokens(emulator.access_token, 3600, emulator.refresh_token)
    grant = OAuthWebAuthCodeGrant("client-id", "secret", "http://localhost/cb", oauth_tokens=tokens)
    return AuthorizationData(
        account_id="111", customer_id="222", developer_token=emulator.developer_token, authentication=grant
    )


def theirs(emulator: RunningEmulator, service: str) -> Any:
    return ServiceClient(service, 13, authorization(emulator), location=emulator.base_url)


def last(emulator: RunningEmulator, operation: str) -> dict[str, Any]:
    return [each for each in emulator.control("GET", "/requests") if each["operation"] == operation][-1]


def compared(request: dict[str, Any], **unimportant: Any) -> tuple[Any, ...]:
    headers = {name: value for name, value in request["headers"].items() if name not in OWN_WAYS}
    return request["method"], request["path"], headers, _filled(json.loads(request["body"]), unimportant)


def _filled(body: Any, unimportant: dict[str, Any]) -> Any:
    """Drop optional fields that one side leaves out and the other sends as null."""
    if isinstance(body, dict):
        return {
            name: unimportant.get(name, _filled(value, unimportant))
            for name, value in body.items()
            if value is not None
        }
    return [_filled(each, unimportant) for each in body] if isinstance(body, list) else body


def test_add_audiences(emulator: RunningEmulator, ours: Services) -> None:
    ours.advertising.add_audience("One", description="d", scope="Account", parent_id="111", membership_days=-1)
    mine = compared(last(emulator, "AddAudiences"), Name="*")
    audience = CustomerList(
        name="Two", description="d", scope="Account", parent_id="111", membership_duration=-1, type="CustomerList"
    )
    theirs(emulator, "CampaignManagementService").add_audiences(AddAudiencesRequest(audiences=[audience]))
    assert mine == compared(last(emulator, "AddAudiences"), Name="*")


@pytest.mark.parametrize("ids", [["1", "2"], None])
def test_get_audiences_by_ids(emulator: RunningEmulator, ours: Services, ids: list[str] | None) -> None:
    ours.advertising.audiences(ids)
    mine = compared(last(emulator, "GetAudiencesByIds"))
    request = GetAudiencesByIdsRequest(audience_ids=ids, type="CustomerList")
    theirs(emulator, "CampaignManagementService").get_audiences_by_ids(request)
    assert mine == compared(last(emulator, "GetAudiencesByIds"))


def test_apply_user_data(emulator: RunningEmulator, ours: Services) -> None:
    audience_id, _ = ours.advertising.add_audience(
        "One", description="d", scope="Account", parent_id="111", membership_days=-1
    )
    ours.advertising.apply(audience_id, "Add", [HASH], accept_terms=True)
    mine = compared(last(emulator, "ApplyCustomerListUserData"))
    data = CustomerListUserData(
        audience_id=audience_id,
        action_type="Add",
        customer_list_item_sub_type="Email",
        customer_list_items=[HASH],
        accept_customer_match_term=True,
    )
    theirs(emulator, "CampaignManagementService").apply_customer_list_user_data(
        ApplyCustomerListUserDataRequest(customer_list_user_data=data)
    )
    assert mine == compared(last(emulator, "ApplyCustomerListUserData"))


def test_delete_audiences(emulator: RunningEmulator, ours: Services) -> None:
    ids = [
        ours.advertising.add_audience(name, description="", scope="Account", parent_id="111", membership_days=-1)[0]
        for name in ("One", "Two")
    ]
    ours.advertising.delete_audience(ids[0])
    mine = compared(last(emulator, "DeleteAudiences"), AudienceIds="*")
    theirs(emulator, "CampaignManagementService").delete_audiences(DeleteAudiencesRequest(audience_ids=[ids[1]]))
    assert mine == compared(last(emulator, "DeleteAudiences"), AudienceIds="*")


def test_get_user_and_search_accounts(emulator: RunningEmulator, ours: Services) -> None:
    user = ours.advertising.get_user()
    ours.advertising.search_accounts(user.id)
    mine = [compared(last(emulator, name)) for name in ("GetUser", "SearchAccounts")]
    service = theirs(emulator, "CustomerManagementService")
    service.get_user(GetUserRequest(user_id=None))
    predicate = Predicate(field="UserId", operator="Equals", value=user.id)
    service.search_accounts(SearchAccountsRequest(predicates=[predicate], page_info=Paging(index=0, size=100)))
    assert mine == [compared(last(emulator, name)) for name in ("GetUser", "SearchAccounts")]


def test_bulk_upload(emulator: RunningEmulator, ours: Services, tmp_path: Path) -> None:
    audience_id, _ = ours.advertising.add_audience(
        "One", description="", scope="Account", parent_id="111", membership_days=-1
    )
    hashes = np.frombuffer(bytes.fromhex(HASH), dtype=np.uint8).reshape(1, 32)
    path = tmp_path / "upload.zip"
    write_upload_file(path, hashes, audience_id=audience_id, action="Add", accept_terms=True)
    copy = tmp_path / "copy.csv"
    with zipfile.ZipFile(path) as archive:
        copy.write_bytes(archive.read("upload.csv"))
    ticket = ours.bulk.request_upload()
    ours.bulk.upload(ticket, path)
    assert ours.bulk.wait(ticket.request_id).status == "Completed"
    mine = [last(emulator, name) for name in ("GetBulkUploadUrl", "UploadFile", "GetBulkUploadStatus")]
    manager = BulkServiceManager(
        authorization(emulator),
        poll_interval_in_milliseconds=100,
        location=emulator.base_url,
        working_directory=str(tmp_path),
    )
    parameters = FileUploadParameters(
        upload_file_path=str(copy),
        result_file_directory=str(tmp_path),
        result_file_name="result.csv",
        overwrite_result_file=True,
        response_mode="ErrorsOnly",
    )
    manager.upload_file(parameters)
    other = [last(emulator, name) for name in ("GetBulkUploadUrl", "UploadFile", "GetBulkUploadStatus")]
    assert compared(mine[0]) == compared(other[0])
    assert compared(mine[2], RequestId="*") == compared(other[2], RequestId="*")
    assert _part(mine[1]) == _part(other[1])
    assert f'filename="upload_{ticket.request_id}.zip"' in mine[1]["body"]
    assert {name for name in other[1]["headers"] if name not in OWN_WAYS} <= set(mine[1]["headers"])


def _part(request: dict[str, Any]) -> str:
    """Return the heading of the only part of the multipart body, without what differs between two uploads."""
    heading = request["body"].split("\r\n\r\n")[0].split("\r\n", 1)[1]
    return re.sub(r'filename="[^"]*"', 'filename="*"', heading)
