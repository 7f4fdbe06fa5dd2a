"""Entire entities as CSV partitions with signed URLs."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from conftest import RunningEmulator


def listed(emulator: RunningEmulator, path: str) -> list[dict[str, Any]]:
    answer = emulator.insights(f"/data/{path}&proxy=true")
    assert set(answer.json()) == {"httpRequests"}
    found: list[dict[str, Any]] = answer.json()["httpRequests"]
    return found


def fetched(emulator: RunningEmulator, request: dict[str, Any], **headers: str) -> requests.Response:
    return emulator.session.get(request["uri"], headers={**request["headers"], **headers})


def lines(emulator: RunningEmulator, request: dict[str, Any]) -> list[list[str]]:
    answer = fetched(emulator, request)
    assert answer.status_code == 200
    return list(csv.reader(io.StringIO(answer.content.decode())))


def test_partitions_of_a_segment_start_with_a_header(emulator: RunningEmulator) -> None:
    parts = [lines(emulator, each) for each in listed(emulator, "Male_under_40?$select=*")]
    assert [part[0] for part in parts] == [["CustomerId"]] * 4
    members = [row[0] for part in parts for row in part[1:]]
    rest = emulator.insights("/data/Customer?$filter=IsMemberOfSegment('Male_under_40')").json()
    assert len(set(members)) == len(members) == rest["@odata.count"]
    assert members[:100] == [row["CustomerId"] for row in rest["value"]]


def test_partitions_of_other_entities_have_no_header(emulator: RunningEmulator) -> None:
    emulator.control("POST", "/settings", {"partitions": 3, "page_size": 10_000, "customers": 10_000})
    parts = [lines(emulator, each) for each in listed(emulator, "Customer?$select=*")]
    assert len(parts) == 3
    rows = [row for part in parts for row in part]
    expected = emulator.insights("/data/Customer").json()["value"]
    names = [each["name"] for each in emulator.insights("/manage/entities/Customer").json()["attributes"]]
    place = names.index("EMail")
    assert [row[place] for row in rows] == [each["EMail"] or "" for each in expected]
    assert [row[0] for row in rows] == [each["CustomerId"] for each in expected]


def test_only_the_requested_columns_are_sent(emulator: RunningEmulator) -> None:
    request = listed(emulator, "Customer?$select=EMail,CustomerId")[0]
    assert {len(row) for row in lines(emulator, request)} == {2}


def test_more_partitions_than_rows_leave_some_empty(emulator: RunningEmulator) -> None:
    emulator.control("POST", "/settings", {"customers": 2, "partitions": 5})
    parts = [lines(emulator, each) for each in listed(emulator, "Customer?$select=CustomerId")]
    assert sum(len(part) for part in parts) == 2
    assert len(parts) == 5


def test_token_in_addition_to_the_signature_is_refused(emulator: RunningEmulator) -> None:
    request = listed(emulator, "Customer?$select=CustomerId")[0]
    answer = fetched(emulator, request, Authorization=f"Bearer {emulator.insights_token}")
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (400, "InvalidAuthenticationInfo")


def test_returned_headers_are_required(emulator: RunningEmulator) -> None:
    request = listed(emulator, "Customer?$select=CustomerId")[0]
    assert emulator.session.get(request["uri"]).headers["x-ms-error-code"] == "MissingRequiredHeader"


@pytest.mark.parametrize(("old", "new"), [("part-00000", "part-00001"), ("CustomerId", "EMail"), ("sig=", "sig=0")])
def test_changed_url_is_refused(emulator: RunningEmulator, old: str, new: str) -> None:
    request = listed(emulator, "Customer?$select=CustomerId")[0]
    answer = fetched(emulator, request | {"uri": request["uri"].replace(old, new)})
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (403, "AuthenticationFailed")
    assert answer.text.startswith("<?xml")


def test_urls_expire_after_an_hour(emulator: RunningEmulator) -> None:
    request = listed(emulator, "Customer?$select=CustomerId")[0]
    emulator.control("POST", "/clock", {"advance_hours": 1.01})
    assert fetched(emulator, request).status_code == 403


def test_segment_deleted_in_the_meantime_is_not_found(emulator: RunningEmulator) -> None:
    request = listed(emulator, "Male_under_40?$select=*")[0]
    emulator.insights("/manage/segments/Male_under_40", "DELETE")
    assert fetched(emulator, request).headers["x-ms-error-code"] == "BlobNotFound"


def test_partition_is_streamed(emulator: RunningEmulator) -> None:
    emulator.control("POST", "/settings", {"customers": 3_000_000, "partitions": 1})
    request = listed(emulator, "Customer?$select=*")[0]
    with emulator.session.get(request["uri"], headers=request["headers"], stream=True) as answer:
        first = next(answer.iter_content(1_000))
    assert first.count(b"\n") > 2
    # The rest is not generated: the connection was closed, and the next request is answered.
    assert emulator.insights("").status_code == 200


def test_partitions_fail_on_demand(emulator: RunningEmulator) -> None:
    request = listed(emulator, "Customer?$select=CustomerId")[0]
    whole = fetched(emulator, request).content
    for name, status in (("partition_expired", 403), ("http_503", 503), ("truncated_body", 200)):
        emulator.control("POST", "/faults", [{"operation": "GetPartition", "call": 1, "fault": name}])
        answer = fetched(emulator, request)
        assert answer.status_code == status
        assert answer.content != whole
    assert whole.startswith(answer.content)
    emulator.control("POST", "/faults", [{"operation": "GetPartition", "call": 1, "fault": "broken_off"}])
    with pytest.raises(OSError, match="IncompleteRead"):
        fetched(emulator, request)
    assert fetched(emulator, request).content == whole
