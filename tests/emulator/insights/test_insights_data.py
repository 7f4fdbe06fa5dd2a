"""Data of Customer Insights: pages of JSON, single rows, search, expand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import RunningEmulator

MEMBERS = "/data/Customer?$filter=IsMemberOfSegment('Male_under_40')&$select=CustomerId,EMail,Gender,Age"


def pages(emulator: RunningEmulator, path: str) -> list[list[dict[str, Any]]]:
    found = []
    address: str | None = path
    while address is not None:
        page = emulator.insights(address).json()
        found.append(page["value"])
        address = page.get("@odata.nextLink")
    return found


def rows(emulator: RunningEmulator, path: str) -> list[dict[str, Any]]:
    return [row for page in pages(emulator, path) for row in page]


def segment(emulator: RunningEmulator, name: str) -> dict[str, Any]:
    return next(each for each in emulator.insights("/manage/segments").json() if each["name"] == name)


@pytest.mark.parametrize("link", ["skip", "skiptoken"])
def test_members_are_returned_in_pages_of_a_hundred(emulator: RunningEmulator, link: str) -> None:
    emulator.control("POST", "/settings", {"next_link": link})
    found = pages(emulator, MEMBERS)
    assert {len(page) for page in found[:-1]} == {100}
    members = [row for page in found for row in page]
    assert len(members) == segment(emulator, "Male_under_40")["evaluationStatus"]["entityCount"]
    assert len({row["CustomerId"] for row in members}) == len(members) > 500
    assert all(row["Gender"] == "Male" and row["Age"] < 40 for row in members)


def test_skip_and_top_work_without_a_link(emulator: RunningEmulator) -> None:
    whole = rows(emulator, MEMBERS)
    emulator.control("POST", "/settings", {"next_link": "none"})
    found: list[dict[str, Any]] = []
    while page := emulator.insights(f"{MEMBERS}&$top=70&$skip={len(found)}").json()["value"]:
        found += page
    assert found == whole


def test_larger_population_starts_with_the_same_customers(emulator: RunningEmulator) -> None:
    small = rows(emulator, MEMBERS)
    emulator.control("POST", "/settings", {"customers": 8_000})
    large = rows(emulator, MEMBERS)
    assert large[: len(small)] == small
    assert len(large) > len(small)


def test_page_among_millions_is_returned_at_once(emulator: RunningEmulator) -> None:
    emulator.control("POST", "/settings", {"customers": 5_000_000})
    path = "/data/Customer?$filter=IsMemberOfSegment('All_customers')&$select=CustomerId&$skip=4999950"
    page = emulator.insights(path).json()
    assert page["@odata.count"] == 5_000_000
    assert len(page["value"]) == 50
    assert "@odata.nextLink" not in page


def test_customer_is_found_by_key(emulator: RunningEmulator) -> None:
    first = emulator.insights("/data/Customer?$top=1").json()["value"][0]
    identity = first["CustomerId"]
    for path in (
        f"/data/Customer('{identity}')",
        f"/data/Customer%28%27{identity}%27%29",
        f"/data/Customer?$filter=CustomerId eq '{identity}'",
        f"/data/Customer?$filter=CustomerId in ('{identity}','0')",
        "/data/Customer?$filter=eCommerce_eCommerceContacts_ContactId eq 'CNTID_1001'",
    ):
        answer = emulator.insights(path).json()
        assert first.items() <= (answer["value"][0] if "value" in answer else answer).items(), path
    activities = emulator.insights(f"/data/Customer%28%27{identity}%27%29%2FUnifiedActivity").json()["value"]
    assert {each["CustomerId"] for each in activities} == {identity}


@pytest.mark.parametrize("joined", ["%20and%20", "&", "%26"])
def test_filter_tells_whether_a_customer_is_a_member(emulator: RunningEmulator, joined: str) -> None:
    member = rows(emulator, MEMBERS)[0]["CustomerId"]
    other = rows(emulator, "/data/Customer?$filter=Gender eq 'Female'&$select=CustomerId")[0]["CustomerId"]
    found = [
        rows(emulator, f"/data/Customer?$filter=CustomerId eq '{each}'{joined}IsMemberOfSegment('Male_under_40')")
        for each in (member, other)
    ]
    assert [len(each) for each in found] == [1, 0]


def test_filters_agree_with_the_rows(emulator: RunningEmulator) -> None:
    everyone = rows(emulator, "/data/Customer")
    for text, holds in (
        ("Age ge 40 and Age lt 50", lambda row: 40 <= row["Age"] < 50),
        ("not (Gender eq 'Male') or City eq 'Lyon'", lambda row: row["Gender"] != "Male" or row["City"] == "Lyon"),
        ("EMail eq null", lambda row: row["EMail"] is None),
        (
            "EMail ne null and City in ('Lyon','Porto')",
            lambda row: row["EMail"] is not None and row["City"] in ("Lyon", "Porto"),
        ),
        ("startswith(LastName,'O''N')", lambda row: row["LastName"].startswith("O'N")),
        (
            "EmailSubscriber eq true and TotalSpend gt 2500.5",
            lambda r: r["EmailSubscriber"] and r["TotalSpend"] > 2500.5,
        ),
    ):
        expected = [row for row in everyone if holds(row)]
        assert rows(emulator, f"/data/Customer?$filter={text}") == expected, text
        assert expected


def test_rows_are_ordered_on_request(emulator: RunningEmulator) -> None:
    found = [row["CustomerId"] for row in rows(emulator, f"{MEMBERS}&$orderby=CustomerId")]
    assert found == sorted(found)
    assert [row["CustomerId"] for row in rows(emulator, f"{MEMBERS}&$orderby=CustomerId desc")] == found[::-1]


def test_search_and_expand(emulator: RunningEmulator) -> None:
    found = rows(emulator, '/data/Customer?$search="ada Novak"')
    assert found
    assert all("Ada" in row["FullName"] or "ada" in (row["EMail"] or "").lower() for row in found)
    row = emulator.insights("/data/Customer?$expand=UnifiedActivity,Customer_Measure&$top=1").json()["value"][0]
    assert {each["CustomerId"] for each in row["UnifiedActivity"]} == {row["CustomerId"]}
    assert row["Customer_Measure"][0]["LifetimeSpend"] == row["TotalSpend"]


def test_counts_and_nulls_can_be_omitted(emulator: RunningEmulator) -> None:
    with_nulls = rows(emulator, "/data/Customer?$select=EMail,Gender,Age")
    emulator.control("POST", "/settings", {"omit_nulls": True, "odata_count": False})
    assert "@odata.count" not in emulator.insights("/data/Customer").json()
    without = rows(emulator, "/data/Customer?$select=EMail,Gender,Age")
    assert without == [{name: value for name, value in row.items() if value is not None} for row in with_nulls]
    assert without != with_nulls


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/data/Nothing", 404),
        ("/data/Customer('0123')", 404),
        ("/data/Customer/UnifiedActivity", 404),
        ("/data/Customer?$select=Nothing", 400),
        ("/data/Customer?$filter=Nothing eq 1", 400),
        ("/data/Customer?$filter=Age eq", 400),
        ("/data/Customer?$filter=Age like 4", 400),
        ("/data/Customer?$filter=IsMemberOfSegment('Nothing')", 404),
        ("/data/Customer?$count=true", 400),
        ("/data/Customer?colour=red", 400),
        ("/data/Customer?$top=-1", 400),
        ("/data/Customer?$skiptoken=invented", 400),
        ("/data/Customer?$orderby=Age sideways", 400),
        ("/data/Customer?proxy=maybe", 400),
        ("/data/Customer?$expand=Brand", 400),
        ("/data/Customer?$expand=UnifiedActivity&$select=CustomerId", 400),
        ('/data/Customer?$expand=UnifiedActivity&$search="ada"', 400),
        ("/data/UnifiedActivity?$expand=Customer_Measure", 400),
        ("/data/Over21?$search=ada", 400),
        ("/data/Over21?$orderby=CustomerId", 400),
        ('/data/Customer?$search=""', 400),
        ("/data/eCommerce_eCommerceContacts?$filter=ContactId eq 'CNTID_1001'", 400),
    ],
)
def test_invalid_queries_are_refused(emulator: RunningEmulator, path: str, status: int) -> None:
    answer = emulator.insights(path)
    assert answer.status_code == status
    assert set(answer.json()) >= {"errorCode", "message", "target", "innerError"}


def test_number_one_and_true_are_distinct(emulator: RunningEmulator) -> None:
    assert emulator.insights("/data/Customer?$filter=RewardPoints eq 1").status_code == 200
    assert emulator.insights("/data/Customer?$filter=RewardPoints eq true").status_code == 400


def test_queries_are_recorded_without_keys_and_signatures(emulator: RunningEmulator) -> None:
    emulator.control("POST", "/settings", {"record_bodies": True})
    request = emulator.insights("/data/Customer?$select=EMail&proxy=true").json()["httpRequests"][0]
    emulator.session.get(request["uri"], headers=request["headers"])
    lines = emulator.control("GET", "/requests?since=0")
    assert [each["operation"] for each in lines] == ["GetData", "GetPartition"]
    assert lines[0]["query"] == "$select=EMail&proxy=true"
    assert lines[1]["query"].endswith("sig=present")
    text = json.dumps(lines)
    assert emulator.subscription_key not in text
    assert emulator.insights_token not in text


def test_only_json_is_returned(emulator: RunningEmulator) -> None:
    for accept, status in (("text/csv", 406), ("application/json;odata.metadata=minimal", 200), ("text/html,*/*", 200)):
        assert emulator.insights("/data/Customer?$top=1", headers={"Accept": accept}).status_code == status


@pytest.mark.parametrize(("name", "status"), [("http_500", 500), ("http_503", 503)])
def test_failures_have_the_format_of_data_operations(emulator: RunningEmulator, name: str, status: int) -> None:
    fault(emulator, name, call=1)
    answer = emulator.insights(MEMBERS)
    assert (answer.status_code, "innerError" in answer.json()) == (status, True)


def test_skip_token_is_valid_only_for_its_query(emulator: RunningEmulator) -> None:
    emulator.control("POST", "/settings", {"next_link": "skiptoken"})
    link = emulator.insights(MEMBERS).json()["@odata.nextLink"]
    assert emulator.insights(link).status_code == 200
    assert emulator.insights(link.replace("Male_under_40", "Over21")).status_code == 400


def fault(emulator: RunningEmulator, name: str, call: int = 2, **details: Any) -> None:
    emulator.control("POST", "/faults", [{"operation": "GetData", "call": call, "fault": name, **details}])


def test_page_can_be_repeated(emulator: RunningEmulator) -> None:
    whole = pages(emulator, MEMBERS)
    fault(emulator, "repeated_page")
    assert pages(emulator, MEMBERS) == [whole[0], whole[1], *whole[1:]]


def test_empty_page_can_have_a_next_link(emulator: RunningEmulator) -> None:
    whole = pages(emulator, MEMBERS)
    fault(emulator, "empty_page")
    assert pages(emulator, MEMBERS) == [whole[0], [], *whole[1:]]


def test_next_link_can_lead_to_another_host(emulator: RunningEmulator) -> None:
    fault(emulator, "foreign_next_link", call=1)
    assert emulator.insights(MEMBERS).json()["@odata.nextLink"].startswith("https://pages.example.com/v1/")


def test_rows_can_lack_the_address(emulator: RunningEmulator) -> None:
    fault(emulator, "no_email", call=1, indexes=[0, 2])
    page = emulator.insights("/data/Customer?$select=EMail,CustomerId&$top=4").json()["value"]
    assert ["EMail" in row for row in page] == [False, True, False, True]


def test_segment_can_be_deleted_during_reading(emulator: RunningEmulator) -> None:
    link = emulator.insights(MEMBERS).json()["@odata.nextLink"]
    fault(emulator, "segment_deleted", call=1)
    assert [emulator.insights(link).status_code for _ in range(2)] == [404, 404]
    assert "Male_under_40" not in [each["name"] for each in emulator.insights("/manage/segments").json()]


def test_bodies_can_be_truncated(emulator: RunningEmulator) -> None:
    fault(emulator, "truncated_body", call=1)
    with pytest.raises(json.JSONDecodeError):
        json.loads(emulator.insights(MEMBERS).text)
    fault(emulator, "broken_off", call=1)
    with pytest.raises(OSError, match="IncompleteRead"):
        emulator.insights(MEMBERS)


def test_throttling_can_last(emulator: RunningEmulator) -> None:
    fault(emulator, "http_429", call=2, times=3, retry_after=7)
    answers = [emulator.insights(MEMBERS) for _ in range(5)]
    assert [each.status_code for each in answers] == [200, 429, 429, 429, 200]
    assert answers[1].headers["Retry-After"] == "7"
    assert answers[1].json()["statusCode"] == 429


def test_token_can_expire_between_pages(emulator: RunningEmulator) -> None:
    fault(emulator, "token_expired")
    answers = [emulator.insights(MEMBERS) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 401, 401]
    assert answers[1].json()["errorCode"] == "Unauthorized"
