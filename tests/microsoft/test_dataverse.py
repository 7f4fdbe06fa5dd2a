from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from insights_client import InsightsClient, insights_client

from ci_magics.errors import ServiceError, SignInError
from ci_magics.microsoft.dataverse import ID, IDS_PER_CALL, Dataverse
from ci_magics.microsoft.paging import Page

if TYPE_CHECKING:
    from conftest import RunningEmulator

SEGMENT = "Male_under_40"
COLUMNS = [ID, "msdynci_email"]


@pytest.fixture
def client(emulator: RunningEmulator) -> InsightsClient:
    return insights_client(emulator)


def ids(pages: list[Page]) -> list[Any]:
    return [row[ID] for page in pages for row in page.rows]


def small_pages(client: InsightsClient, size: int = 100) -> Dataverse:
    return Dataverse(client.dataverse.conversation, client.dataverse.endpoints, size)


def test_memberships_are_ordered_and_belong_to_the_segment(client: InsightsClient) -> None:
    pages = list(small_pages(client).memberships(SEGMENT))
    direct = client.insights.members(client.instance, SEGMENT, ["CustomerId"])
    assert len(pages) > 5
    assert ids(pages) == sorted(ids(pages)) == [row["CustomerId"] for page in direct for row in page.rows]


def test_segment_whose_name_contains_another_is_not_confused_with_it(client: InsightsClient) -> None:
    assert next(iter(client.dataverse.memberships("Over2"))).rows == []
    assert next(iter(client.dataverse.memberships("Over21"))).rows != []


def test_profiles_are_read_in_pages_of_the_preferred_size(client: InsightsClient) -> None:
    pages = list(small_pages(client, 700).profiles(COLUMNS))
    assert [len(page.rows) for page in pages] == [700] * 7 + [100]
    assert ids(pages) == sorted(set(ids(pages)))


def test_reading_resumes_from_a_next_link(client: InsightsClient) -> None:
    pages = list(small_pages(client, 700).profiles(COLUMNS))
    assert ids(list(small_pages(client, 700).profiles(COLUMNS, pages[3].next))) == ids(pages[4:])


def test_next_link_is_sent_unchanged(client: InsightsClient, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    session = client.dataverse.conversation.session

    def noted(request: Any, **_options: Any) -> Any:
        sent.append(request.url)
        raise requests.ConnectionError

    link = f"{client.emulator.base_url}/api/data/v9.2/a?$skiptoken=%3Cx%20y=%22%2541%7e%2D%22%20/%3e&b=%20+"
    monkeypatch.setattr(session, "send", noted)
    with pytest.raises(ServiceError, match="The emulator cannot be reached"):
        list(client.dataverse.profiles(COLUMNS, link))
    assert set(sent) == {link}


def test_profiles_are_requested_by_id(client: InsightsClient) -> None:
    some = ids(list(client.dataverse.memberships(SEGMENT)))[:IDS_PER_CALL]
    assert sorted(ids(list(client.dataverse.profiles_of(some, COLUMNS)))) == some


def test_long_throttling_is_waited_out(client: InsightsClient) -> None:
    client.fault("GetCustomerProfiles", "http_429", call=2, times=2, retry_after=300)
    assert len(ids(list(small_pages(client, 1_000).profiles(COLUMNS)))) == 5_000
    assert client.clock.waits == [300.0, 300.0]


def test_expired_token_is_renewed_between_pages(client: InsightsClient) -> None:
    client.fault("GetCustomerProfiles", "http_401", call=3)
    assert len(ids(list(small_pages(client, 1_000).profiles(COLUMNS)))) == 5_000
    assert client.tokens.renewals == 1


def test_next_link_to_another_host_is_refused(client: InsightsClient) -> None:
    client.fault("GetCustomerProfiles", "foreign_next_link", call=2)
    with pytest.raises(ServiceError, match="Dataverse names another host for the next page"):
        list(small_pages(client, 1_000).profiles(COLUMNS))


def test_repeated_page_is_detected(client: InsightsClient) -> None:
    client.fault("GetSegmentMemberships", "repeated_page", call=2, times=100)
    with pytest.raises(ServiceError, match="Dataverse sent the same page twice"):
        list(small_pages(client).memberships(SEGMENT))


def test_advertising_token_is_not_accepted(emulator: RunningEmulator) -> None:
    stranger = insights_client(emulator, *[emulator.access_token] * 3)
    with pytest.raises(SignInError, match="Dataverse does not accept this sign-in"):
        list(stranger.dataverse.profiles(COLUMNS))


def test_service_protection_limit_is_reported_and_waited_for(client: InsightsClient) -> None:
    client.settings(dataverse_requests=3)
    with pytest.raises(ServiceError, match="Dataverse is receiving too many calls") as limited:
        list(small_pages(client, 500).profiles(COLUMNS))
    assert limited.value.code == "0x80072322"
    assert sum(client.clock.waits) > 0
