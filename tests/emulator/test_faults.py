"""Faults on demand, over HTTP."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from ci_magics.emulation import fault_plan
from ci_magics.emulation.codes import NAMES

if TYPE_CHECKING:
    from conftest import RunningEmulator

HASHES = [f"{number:064x}" for number in range(6)]
AUDIENCES = "/CampaignManagement/v13/Audiences"
SCHEMA = json.loads(files("ci_magics.emulation").joinpath("control.schema.json").read_text("utf-8"))


def plan(emulator: RunningEmulator, fault: str, operation: str = "ApplyCustomerListUserData", **details: Any) -> None:
    emulator.control("POST", "/faults", [{"operation": operation, "call": 1, "fault": fault, **details}])


def a_list(name: str) -> dict[str, str]:
    return {"Type": "CustomerList", "Name": name, "Scope": "Account", "ParentId": "111"}


@pytest.fixture
def audience(emulator: RunningEmulator) -> str:
    return str(emulator.call("POST", AUDIENCES, {"Audiences": [a_list("A list")]}).json()["AudienceIds"][0])


def apply(emulator: RunningEmulator, audience: str, action: str = "Add") -> requests.Response:
    data = {
        "AudienceId": audience,
        "ActionType": action,
        "CustomerListItemSubType": "Email",
        "CustomerListItems": HASHES,
        "AcceptCustomerMatchTerm": True,
    }
    path = "/CampaignManagement/v13/CustomerListUserData/Apply"
    return emulator.call("POST", path, {"CustomerListUserData": data})


def test_schema_lists_every_fault_code_and_operation() -> None:
    properties = SCHEMA["$defs"]["faults"]["items"]["properties"]
    codes, entra_codes, names = (each["enum"] for each in properties["fault"]["anyOf"])
    assert codes == [str(each) for each in NAMES]
    assert entra_codes == list(fault_plan.ENTRA_CODES)
    assert names == [each for each in fault_plan.FAULTS if each not in entra_codes]
    assert properties["operation"]["enum"] == list(fault_plan.OPERATIONS)
    assert set(properties) == {"operation", "call", "fault", *fault_plan.DETAILS}
    assert properties["shape"]["enum"] == list(fault_plan.SHAPES)


@pytest.mark.parametrize("code", sorted(NAMES))
def test_every_code_has_the_format_of_its_operation(emulator: RunningEmulator, audience: str, code: int) -> None:
    plan(emulator, str(code))
    answer = apply(emulator, audience)
    body = answer.json()
    kind = "AdApiFaultDetail" if code < 200 or code in (1010, 1011) else "ApiFaultDetail"
    assert body["Type"] == kind
    assert body["TrackingId"] == answer.headers["TrackingId"]
    (element,) = body["Errors"] if kind == "AdApiFaultDetail" else body["OperationErrors"]
    assert (element["Code"], element["ErrorCode"]) == (code, NAMES[code][0])
    assert ("Detail" in element) is (kind == "AdApiFaultDetail")
    assert emulator.members("A list") == set()


@pytest.mark.parametrize("code", [0, 105, 109, 106, 117, 3224, 4204])
def test_upload_url_returns_flat_errors(emulator: RunningEmulator, bulk: Any, code: int) -> None:
    plan(emulator, str(code), "UploadFile")
    answer = bulk.post(bulk.ticket()["UploadUrl"], b"x")
    expected = {0: 500, 105: 401, 109: 401, 117: 429}.get(code, 400)
    assert (answer.status_code, answer.json()["Code"]) == (expected, code)
    assert set(answer.json()) == {"TrackingId", "RequestId", "Code", "ErrorCode", "Message"}


def test_code_can_be_second_as_text_and_with_another_status(emulator: RunningEmulator, audience: str) -> None:
    plan(emulator, "109", status=500, preceded_by=201, as_string=True)
    answer = apply(emulator, audience)
    assert answer.status_code == 500
    assert [each["Code"] for each in answer.json()["Errors"]] == ["201", "109"]


@pytest.mark.parametrize(
    ("fault", "status"), [("http_401", 401), ("http_403", 403), ("http_429", 429), ("117", 429), ("http_503", 503)]
)
@pytest.mark.parametrize("wait", [None, 0, 7])
def test_statuses_can_have_retry_after(
    emulator: RunningEmulator, audience: str, fault: str, status: int, wait: int | None
) -> None:
    plan(emulator, fault, **({} if wait is None else {"retry_after": wait}))
    answer = apply(emulator, audience)
    assert answer.status_code == status
    assert answer.headers.get("Retry-After") == (None if wait is None else str(wait))


@pytest.mark.parametrize(("details", "status", "size"), [({}, 502, 5_000_006), ({"status": 200, "bytes": 10}, 200, 16)])
def test_body_can_be_huge(
    emulator: RunningEmulator, audience: str, details: dict[str, int], status: int, size: int
) -> None:
    plan(emulator, "huge_body", **details)
    answer = apply(emulator, audience)
    assert (answer.status_code, len(answer.content)) == (status, size)
    assert answer.headers["Content-Type"].startswith("text/html")


def test_empty_body_is_sent_after_the_write(emulator: RunningEmulator, audience: str) -> None:
    plan(emulator, "empty_body")
    answer = apply(emulator, audience)
    assert (answer.status_code, answer.content) == (200, b"")
    assert len(emulator.members("A list")) == 6


@pytest.mark.parametrize(("fault", "members"), [("lost_reply", 6), ("lost_request", 0), ("reset_mid_upload", 0)])
def test_connection_can_break_before_or_after_the_write(
    emulator: RunningEmulator, audience: str, fault: str, members: int
) -> None:
    plan(emulator, fault)
    with pytest.raises(requests.ConnectionError):
        apply(emulator, audience)
    assert len(emulator.members("A list")) == members
    line = emulator.control("GET", "/requests")[-1]
    assert (line["status"], line["fault"]) == (0, fault)
    assert apply(emulator, audience).status_code == 200
    assert "fault" not in emulator.control("GET", "/requests")[-1]


def test_upload_can_be_reset_before_it_is_complete(emulator: RunningEmulator, bulk: Any) -> None:
    ticket = bulk.ticket()
    plan(emulator, "reset_mid_upload", "UploadFile")
    with pytest.raises(requests.ConnectionError):
        bulk.post(ticket["UploadUrl"], bytes(20_000_000))
    line = emulator.control("GET", "/requests")[-1]
    assert (line["operation"], line["status"], line["fault"]) == ("UploadFile", 0, "reset_mid_upload")
    assert 10_000_000 <= line["bytes"] < 20_000_000
    assert bulk.status(ticket["RequestId"])["RequestStatus"] == "PendingFileUpload"
    assert bulk.post(ticket["UploadUrl"], bulk.text()).status_code == 200


def test_response_can_be_slow(emulator: RunningEmulator, audience: str) -> None:
    plan(emulator, "slow", seconds=0.3)
    slow, usual = (apply(emulator, audience).elapsed.total_seconds() for _ in range(2))
    assert slow >= 0.3
    assert usual < slow


def test_redirect_leads_to_a_path_that_is_recorded(emulator: RunningEmulator, audience: str) -> None:
    plan(emulator, "redirect")
    answer = apply(emulator, audience)
    assert (answer.status_code, answer.headers["Location"]) == (307, f"{emulator.base_url}/elsewhere")
    emulator.session.get(answer.headers["Location"])
    assert emulator.control("GET", "/requests")[-1]["path"] == "/elsewhere"


@pytest.mark.parametrize("action", ["Add", "Replace"])
def test_refused_items_are_not_added(emulator: RunningEmulator, audience: str, action: str) -> None:
    plan(emulator, "partial", indexes=[1, 4], code=8004)
    errors = apply(emulator, audience, action).json()["PartialErrors"]
    assert [(each["Index"], each["Code"], each["Type"]) for each in errors] == [
        (1, 8004, "BatchError"),
        (4, 8004, "BatchError"),
    ]
    assert emulator.members("A list") == {HASHES[each] for each in (0, 2, 3, 5)}


def test_items_whose_removal_is_refused_stay(emulator: RunningEmulator, audience: str) -> None:
    apply(emulator, audience)
    plan(emulator, "partial", indexes=[2])
    apply(emulator, audience, "Remove")
    assert emulator.members("A list") == {HASHES[2]}


@pytest.mark.parametrize("indexes", [[6], [-1], [1000, -7]])
def test_indexes_beyond_the_items_refuse_none(emulator: RunningEmulator, audience: str, indexes: list[int]) -> None:
    plan(emulator, "partial", indexes=indexes)
    assert [each["Index"] for each in apply(emulator, audience).json()["PartialErrors"]] == indexes
    assert len(emulator.members("A list")) == 6


@pytest.mark.parametrize(
    ("shape", "kind"), [("object", dict), ("string", str), ("number", int), ("null", type(None)), ("missing", None)]
)
def test_partial_errors_can_have_another_type(
    emulator: RunningEmulator, audience: str, shape: str, kind: type | None
) -> None:
    plan(emulator, "partial", shape=shape)
    body = apply(emulator, audience).json()
    assert ("PartialErrors" not in body) if kind is None else isinstance(body["PartialErrors"], kind)
    assert len(emulator.members("A list")) == 6


@pytest.mark.parametrize(
    ("details", "code"), [({"code": "8004"}, "8004"), ({"code": 8004, "as_string": True}, "8004"), ({"code": 1}, 1)]
)
def test_error_code_can_be_text_or_unknown(
    emulator: RunningEmulator, audience: str, details: dict[str, Any], code: Any
) -> None:
    plan(emulator, "partial", **details)
    assert apply(emulator, audience).json()["PartialErrors"][0]["Code"] == code


@pytest.mark.parametrize("fault", ["partial", "106", "4837"])
def test_error_can_have_any_message(emulator: RunningEmulator, audience: str, fault: str) -> None:
    plan(emulator, fault, message="ada@contoso.com is bad")
    body = apply(emulator, audience).json()
    (element,) = body.get("PartialErrors") or body.get("Errors") or body["OperationErrors"]
    assert element["Message"] == (element.get("Details") or element["Detail"]) == "ada@contoso.com is bad"


def test_error_code_can_be_missing(emulator: RunningEmulator, audience: str) -> None:
    plan(emulator, "partial", code=None)
    assert "Code" not in apply(emulator, audience).json()["PartialErrors"][0]


def test_refused_lists_are_not_created_changed_or_deleted(emulator: RunningEmulator) -> None:
    plan(emulator, "partial", "AddAudiences", indexes=[1], code=4853)
    items = [a_list(name) for name in ("One", "Two", "Three")]
    answer = emulator.call("POST", AUDIENCES, {"Audiences": items}).json()
    first, refused, third = answer["AudienceIds"]
    assert refused is None
    assert set(emulator.audiences()) == {"One", "Three"}
    plan(emulator, "partial", "UpdateAudiences", indexes=[0])
    changes = [{"Type": "CustomerList", "Id": each, "Name": f"New {each}"} for each in (first, third)]
    emulator.call("PUT", AUDIENCES, {"Audiences": changes})
    assert set(emulator.audiences()) == {"One", f"New {third}"}
    plan(emulator, "partial", "DeleteAudiences", indexes=[1])
    emulator.call("DELETE", AUDIENCES, {"AudienceIds": [first, third]})
    assert set(emulator.audiences()) == {f"New {third}"}


def test_upload_url_can_be_foreign(emulator: RunningEmulator, bulk: Any) -> None:
    plan(emulator, "foreign_upload_url", "GetBulkUploadUrl")
    assert bulk.ticket()["UploadUrl"].startswith("https://uploads.example.com/")
    assert bulk.ticket()["UploadUrl"].startswith(emulator.base_url)


def test_expired_token_stays_expired_until_it_is_renewed(emulator: RunningEmulator, audience: str) -> None:
    plan(emulator, "token_expired")
    assert [apply(emulator, audience).json()["Errors"][0]["Code"] for _ in range(2)] == [109, 109]
    form = {"client_id": "app", "grant_type": "refresh_token", "refresh_token": emulator.refresh_token}
    token = emulator.session.post(f"{emulator.base_url}/common/oauth2/v2.0/token", data=form).json()["access_token"]
    path = f"{AUDIENCES}/QueryByIds"
    body = {"AudienceIds": [audience], "Type": "CustomerList"}
    assert emulator.call("POST", path, body, Authorization=f"Bearer {token}").status_code == 200


def test_token_request_can_be_refused(emulator: RunningEmulator) -> None:
    plan(emulator, "invalid_grant", "Token")
    form = {"client_id": "app", "grant_type": "refresh_token", "refresh_token": emulator.refresh_token}
    answers = [emulator.session.post(f"{emulator.base_url}/common/oauth2/v2.0/token", data=form) for _ in range(2)]
    assert [each.status_code for each in answers] == [400, 200]
    assert (answers[0].json()["error"], answers[0].json()["error_codes"]) == ("invalid_grant", [70000])
    assert "TrackingId" not in answers[0].json()


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("Token", "partial"),
        ("AddAudiences", "list_error"),
        ("GetUser", "status_Failed"),
        ("UploadFile", "result_expired"),
        ("AddAudiences", "invalid_grant"),
    ],
)
def test_fault_that_does_not_concern_an_operation_is_refused(
    emulator: RunningEmulator, operation: str, fault: str
) -> None:
    answer = emulator.session.post(
        f"{emulator.base_url}/_emulator/faults",
        json=[{"operation": operation, "call": 1, "fault": fault}],
        headers={"X-Control-Token": emulator.control_token},
    )
    assert (answer.status_code, answer.json()["error"]) == (400, f"{fault} does not happen to {operation}")


def test_several_faults_can_be_planned(emulator: RunningEmulator, audience: str) -> None:
    planned = [
        {"operation": "ApplyCustomerListUserData", "call": call, "fault": fault}
        for call, fault in ((1, "117"), (3, "http_502_html"), (4, "0"))
    ]
    emulator.control("POST", "/faults", planned)
    assert [apply(emulator, audience).status_code for _ in range(5)] == [429, 200, 502, 500, 200]
    emulator.control("POST", "/faults", planned[:1])
    assert [apply(emulator, audience).status_code for _ in range(4)] == [429, 200, 200, 200]


def outcomes(emulator: RunningEmulator, audience: str, count: int) -> list[str]:
    seen = []
    for _ in range(count):
        try:
            answer = apply(emulator, audience)
            seen.append(f"{answer.status_code} {len(answer.content) > 0}")
        except requests.ConnectionError:
            seen.append("lost")
    return seen


def test_random_faults_are_reproducible_with_a_seed(emulator: RunningEmulator, audience: str) -> None:
    emulator.control("POST", "/settings", {"fault_rate": 0.5, "fault_seed": 7})
    emulator.control("POST", "/faults", [])
    first = outcomes(emulator, audience, 30)
    emulator.control("POST", "/faults", [])
    assert outcomes(emulator, audience, 30) == first
    assert {"200 True", "200 False", "500 True", "502 True", "lost"} == set(first)
    emulator.control("POST", "/settings", {"fault_seed": 8})
    emulator.control("POST", "/faults", [])
    assert outcomes(emulator, audience, 30) != first


def test_random_faults_are_off_by_default_and_spare_the_sign_in(emulator: RunningEmulator, audience: str) -> None:
    assert set(outcomes(emulator, audience, 20)) == {"200 True"}
    emulator.control("POST", "/settings", {"fault_rate": 1})
    form = {"client_id": "app", "grant_type": "refresh_token", "refresh_token": emulator.refresh_token}
    assert emulator.session.post(f"{emulator.base_url}/common/oauth2/v2.0/token", data=form).status_code == 200
    assert emulator.call("POST", "/CustomerManagement/v13/User/Query", {"UserId": None}).status_code == 200


def test_every_documented_code_is_available() -> None:
    source = Path(fault_plan.__file__).with_name("codes.py").read_text("utf-8")
    assert len(re.findall(r"^    \d+: ", source, re.MULTILINE)) == len(NAMES)  # no duplicates
    documented = {0, 100, 105, 106, 108, 109, 116, 117, 120, *range(122, 127), *range(201, 205), 206, 207, 208, 1001}
    documented |= {1010, 1011, 1029, 1030, 1102, 1490, 6999, 3217, *range(3219, 3228), *range(4200, 4205), 4835, 4837}
    documented |= {4838, *range(4841, 4856), 4859, 4861, 4865, 4866, *range(8000, 8007), 8109, 8110, 8119}
    assert documented <= set(NAMES)
