"""The Dataverse Web API: pages of 5,000, opaque next links, request limits."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from conftest import RunningEmulator

MEMBERS = "msdynci_segmentmemberships?$filter=contains(msdynci_segments,'\"Male_under_40\"')&$select=msdynci_customerid"
PROFILES = "msdynci_customerprofiles?$select=msdynci_customerid,msdynci_email"


def get(emulator: RunningEmulator, path: str, **headers: str) -> requests.Response:
    url = path if path.startswith("http") else f"{emulator.base_url}/api/data/v9.2/{path}"
    return emulator.session.get(url, headers={"Authorization": f"Bearer {emulator.insights_token}", **headers})


def pages(emulator: RunningEmulator, path: str, size: int | None = None) -> list[list[dict[str, Any]]]:
    headers = {} if size is None else {"Prefer": f"odata.maxpagesize={size}"}
    found = []
    address: str | None = path
    while address is not None:
        answer = get(emulator, address, **headers)
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["value"])
        address = answer.json().get("@odata.nextLink")
    return found


def rows(emulator: RunningEmulator, path: str) -> list[dict[str, Any]]:
    return [row for page in pages(emulator, path) for row in page]


def test_pages_have_five_thousand_rows_or_fewer_on_request(emulator: RunningEmulator) -> None:
    emulator.control("POST", "/settings", {"customers": 12_000})
    assert [len(page) for page in pages(emulator, PROFILES)] == [5_000, 5_000, 2_000]
    assert [len(page) for page in pages(emulator, PROFILES, size=7_000)] == [5_000, 5_000, 2_000]
    assert [len(page) for page in pages(emulator, PROFILES, size=4_000)] == [4_000] * 3
    assert len(get(emulator, f"{PROFILES}&$top=3").json()["value"]) == 3
    assert len(get(emulator, f"{PROFILES}&$top=3", Prefer="odata.maxpagesize=10").json()["value"]) == 10


def test_applied_preferences_are_returned(emulator: RunningEmulator) -> None:
    answer = get(emulator, PROFILES, Prefer='odata.include-annotations="*",odata.maxpagesize=10')
    assert answer.headers["Preference-Applied"] == "odata.maxpagesize=10"
    assert answer.headers["OData-Version"] == "4.0"
    assert answer.headers["x-ms-ratelimit-burst-remaining-xrm-requests"] == "5999"
    assert "Preference-Applied" not in get(emulator, PROFILES).headers
    context = answer.json()["@odata.context"]
    assert context == (
        f"{emulator.base_url}/api/data/v9.2/$metadata#msdynci_customerprofiles(msdynci_customerid,msdynci_email)"
    )


def test_both_services_have_the_same_members(emulator: RunningEmulator) -> None:
    emulator.control("POST", "/settings", {"page_size": 10_000})
    path = "/data/Customer?$filter=IsMemberOfSegment('Male_under_40')&$select=CustomerId"
    by_rest = {row["CustomerId"] for row in emulator.insights(path).json()["value"]}
    escaped = MEMBERS.replace('"', '\\"')
    for question in (MEMBERS, escaped):
        found = rows(emulator, question)
        assert {row["msdynci_customerid"] for row in found} == by_rest
        assert len(found) == len(by_rest) > 500


def test_both_services_have_the_same_profiles(emulator: RunningEmulator) -> None:
    emulator.control("POST", "/settings", {"page_size": 10_000})
    by_rest = emulator.insights("/data/Customer?$select=CustomerId,EMail,LastName").json()["value"]
    found = rows(emulator, "msdynci_customerprofiles?$select=msdynci_customerid,msdynci_email,msdynci_lastname")
    assert [(row["msdynci_customerid"], row["msdynci_email"], row["msdynci_lastname"]) for row in found] == [
        (row["CustomerId"], row["EMail"], row["LastName"]) for row in by_rest
    ]
    assert len({row["msdynci_customerprofileid"] for row in found}) == len(found)


def test_membership_lists_all_segments_of_a_customer(emulator: RunningEmulator) -> None:
    found = {row["msdynci_customerid"]: row for row in rows(emulator, "msdynci_segmentmemberships")}
    members = {row["msdynci_customerid"] for row in rows(emulator, MEMBERS)}
    assert {
        identity for identity, row in found.items() if "Male_under_40" in json.loads(row["msdynci_segments"])
    } == members
    row = found[min(members)]
    assert row["msdynci_segmentmembershiptype"] == "Customer"
    assert row["msdynci_identifier"].split("|")[:3] == [row["msdynci_customerid"], "CustomerInsights", "Customer"]
    accounts = rows(emulator, "msdynci_segmentmemberships?$filter=msdynci_segmentmembershiptype eq 'Account'")
    assert {row["msdynci_segments"] for row in accounts} == {'["Key_accounts"]'}


def test_profiles_are_found_by_ids(emulator: RunningEmulator) -> None:
    ids = [row["msdynci_customerid"] for row in rows(emulator, MEMBERS)[:40]]
    by_or = " or ".join(f"msdynci_customerid eq '{each}'" for each in ids)
    by_in = f"msdynci_customerid in ({','.join(repr(each) for each in ids)})"
    for text in (by_or, by_in):
        found = rows(emulator, f"{PROFILES}&$filter={text}")
        assert {row["msdynci_customerid"] for row in found} == set(ids)


def test_next_link_works_only_unchanged(emulator: RunningEmulator) -> None:
    link = get(emulator, PROFILES, Prefer="odata.maxpagesize=10").json()["@odata.nextLink"]
    assert get(emulator, link).status_code == 200
    for changed in (
        link.replace("msdynci_email", "msdynci_lastname"),
        requests.utils.unquote(link),
        link.replace("pagenumber", "page"),
    ):
        assert get(emulator, changed).json()["error"]["code"] == "0x80060888"


def test_profiles_can_lag_behind_memberships(emulator: RunningEmulator) -> None:
    emulator.control("POST", "/settings", {"profiles_lag": 100})
    assert len(rows(emulator, PROFILES)) == 4_900
    everyone = "msdynci_segmentmemberships?$filter=contains(msdynci_segments,'\"All_customers\"')"
    assert len(rows(emulator, everyone)) == 5_000


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("msdynci_nothing", 404),
        ("msdynci_segmentdefinitions", 404),
        ("msdynci_customerprofiles?$skip=10", 400),
        ("msdynci_customerprofiles?$select=EMail", 400),
        ("msdynci_customerprofiles?$filter=msdynci_age eq 'old'", 400),
        ("msdynci_customerprofiles?$filter=IsMemberOfSegment('Over21')", 400),
        ("msdynci_customerprofiles?$expand=everything", 400),
        ("msdynci_customerprofiles?$count=perhaps", 400),
        ("msdynci_customerprofiles?$skiptoken=invented", 400),
        ("msdynci_segmentmemberships?$filter=msdynci_segmentprovider ne 'x'", 400),
        ("msdynci_unifiedactivities?$filter=msdynci_customerid eq 'x'", 400),
    ],
)
def test_invalid_queries_are_refused(emulator: RunningEmulator, path: str, status: int) -> None:
    answer = get(emulator, path)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message"}


def test_other_versions_and_methods_are_refused(emulator: RunningEmulator) -> None:
    assert get(emulator, PROFILES, **{"OData-MaxVersion": "3.0"}).status_code == 400
    assert get(emulator, PROFILES, **{"OData-MaxVersion": "4.0", "OData-Version": "4.0"}).status_code == 200
    answer = emulator.call("POST", "/api/data/v9.2/msdynci_customerprofiles", {})
    assert (answer.status_code, set(answer.json())) == (405, {"error"})


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("alternatekeys", 5_000),
        ("unifiedactivities", 5_000),  # there are twice as many, but counts end at 5,000
        ("customermeasures", 5_000),
        ("enrichments", 0),
        ("predictions", 0),
    ],
)
def test_other_tables_exist(emulator: RunningEmulator, name: str, count: int) -> None:
    names = {each["name"] for each in get(emulator, "").json()["value"]}
    assert f"msdynci_{name}" in names
    assert get(emulator, f"msdynci_{name}?$top=1&$count=true").json()["@odata.count"] == count


def test_who_am_i_returns_the_user(emulator: RunningEmulator) -> None:
    assert set(get(emulator, "WhoAmI").json()) >= {"UserId", "BusinessUnitId", "OrganizationId"}


def test_request_limit_is_enforced(emulator: RunningEmulator) -> None:
    emulator.control("POST", "/settings", {"dataverse_requests": 3})
    answers = [get(emulator, f"{PROFILES}&$top=1") for _ in range(4)]
    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    assert answers[3].json()["error"]["code"] == "0x80072322"
    assert 290 < int(answers[3].headers["Retry-After"]) <= 300
    assert [each.headers["x-ms-ratelimit-burst-remaining-xrm-requests"] for each in answers[:3]] == ["2", "1", "0"]
    emulator.control("POST", "/clock", {"advance_hours": 0.1})
    assert get(emulator, f"{PROFILES}&$top=1").status_code == 200


def test_time_limit_is_enforced(emulator: RunningEmulator) -> None:
    emulator.control("POST", "/settings", {"dataverse_seconds": 0.03, "delay_ms": 20})
    answers = [get(emulator, f"{PROFILES}&$top=1") for _ in range(3)]
    assert answers[0].status_code == 200
    assert answers[2].json()["error"]["code"] == "0x80072321"


def test_limit_of_concurrent_calls_is_enforced(emulator: RunningEmulator) -> None:
    emulator.control("POST", "/settings", {"delay_ms": 400, "dataverse_concurrent": 3})

    def ask(_number: int) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Authorization": f"Bearer {emulator.insights_token}"}
            return session.get(f"{emulator.base_url}/api/data/v9.2/{PROFILES}&$top=1", headers=headers)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    refused = [each for each in answers if each.status_code == 429]
    assert 0 < len(refused) < 8
    assert {each.json()["error"]["code"] for each in refused} == {"0x80072326"}
    assert {each.headers["Retry-After"] for each in refused} == {"1"}
    assert get(emulator, f"{PROFILES}&$top=1").status_code == 200


def test_segment_deleted_during_reading_ends_without_an_error(emulator: RunningEmulator) -> None:
    whole = rows(emulator, MEMBERS)
    fault = {"operation": "GetSegmentMemberships", "call": 2, "fault": "segment_deleted"}
    emulator.control("POST", "/faults", [fault])
    found = pages(emulator, MEMBERS, size=200)
    assert [len(page) for page in found] == [200, 0]
    assert found[0] == whole[:200]


@pytest.mark.parametrize(("name", "status"), [("http_429", 429), ("http_503", 503), ("token_expired", 401)])
def test_faults_have_the_format_of_dataverse(emulator: RunningEmulator, name: str, status: int) -> None:
    emulator.control("POST", "/faults", [{"operation": "GetCustomerProfiles", "call": 1, "fault": name}])
    answer = get(emulator, PROFILES)
    assert answer.status_code == status
    if status != 401:
        assert answer.json()["error"]["code"].startswith("0x")
    else:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_pages_can_repeat_be_empty_or_lack_the_address(emulator: RunningEmulator) -> None:
    whole = pages(emulator, PROFILES, size=2_000)
    expected = {
        "repeated_page": [whole[0], whole[1], *whole[1:]],
        "empty_page": [whole[0], [], *whole[1:]],
    }
    for name, found in expected.items():
        emulator.control("POST", "/faults", [{"operation": "GetCustomerProfiles", "call": 2, "fault": name}])
        assert pages(emulator, PROFILES, size=2_000) == found, name
    emulator.control("POST", "/faults", [{"operation": "GetCustomerProfiles", "call": 1, "fault": "no_email"}])
    assert ["msdynci_email" in row for row in get(emulator, f"{PROFILES}&$top=2").json()["value"]] == [False, True]
    fault = {"operation": "GetCustomerProfiles", "call": 1, "fault": "foreign_next_link"}
    emulator.control("POST", "/faults", [fault])
    link = get(emulator, PROFILES, Prefer="odata.maxpagesize=10").json()["@odata.nextLink"]
    assert link.startswith("https://pages.example.com/api/data/")
