from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from insights_client import InsightsClient, insights_client

from ci_magics.errors import ServiceError, SignInError
from ci_magics.microsoft.paging import Page

if TYPE_CHECKING:
    from conftest import RunningEmulator

COLUMNS = ["CustomerId", "EMail"]
SEGMENT = "Male_under_40"


@pytest.fixture
def client(emulator: RunningEmulator) -> InsightsClient:
    return insights_client(emulator)


def members(client: InsightsClient, start: str | None = None) -> list[Page]:
    return list(client.insights.members(client.instance, SEGMENT, COLUMNS, start))


def ids(pages: list[Page]) -> list[Any]:
    return [row["CustomerId"] for page in pages for row in page.rows]


def count(client: InsightsClient) -> int:
    found = next(each for each in client.insights.segments(client.instance) if each.name == SEGMENT)
    assert found.evaluation.members is not None
    return found.evaluation.members


def test_instances_are_listed(client: InsightsClient) -> None:
    assert [(each.name, each.type) for each in client.insights.instances()] == [
        ("Contoso", "production"),
        ("Contoso trial", "trial"),
    ]
    assert client.insights.organization_url(client.instance).startswith("http")


@pytest.mark.parametrize("spelling", ["mixed", "camel", "pascal"])
def test_segments_are_the_same_in_whatever_case_words_are_spelled(client: InsightsClient, spelling: str) -> None:
    client.settings(enum_case=spelling)
    segments = {each.name: each for each in client.insights.segments(client.instance)}
    assert segments[SEGMENT].label == "Male under 40"
    assert segments[SEGMENT].state == "active"
    assert segments[SEGMENT].evaluation.status == "completedsuccess"
    assert segments[SEGMENT].evaluation.moment is not None
    assert segments["Lapsed"].state == "inactive"
    assert segments["Broken"].evaluation.status == "completedfailure"
    assert segments["Key_accounts"].profile_type == "Account"
    assert {each.profile_type for each in segments.values()} == {"Account", "Customer"}


def test_the_history_of_a_segment_is_asked_for_by_days(client: InsightsClient) -> None:
    found = next(each for each in client.insights.segments(client.instance, history_days=5) if each.name == SEGMENT)
    assert len(found.history) == 5
    assert [each.moment for each in found.history] == sorted(each.moment for each in found.history if each.moment)


@pytest.mark.parametrize("link", ["skip", "skiptoken", "none"])
@pytest.mark.parametrize("counted", [True, False])
def test_members_come_once_each_however_the_next_page_is_found(
    client: InsightsClient, link: str, counted: bool
) -> None:
    client.settings(next_link=link, odata_count=counted)
    pages = members(client)
    assert len(ids(pages)) == count(client) > 300
    assert ids(pages) == sorted(set(ids(pages)))
    assert {page.total for page in pages} == ({count(client)} if counted else {None})
    assert set(pages[0].rows[0]) == set(COLUMNS)


def test_a_page_smaller_than_asked_for_is_not_the_last(client: InsightsClient) -> None:
    client.settings(next_link="none", odata_count=False, page_size=70)
    assert len(ids(members(client))) == count(client)


@pytest.mark.parametrize("link", ["skip", "skiptoken", "none"])
def test_reading_goes_on_from_any_page(client: InsightsClient, link: str) -> None:
    client.settings(next_link=link)
    pages = members(client)
    assert ids(members(client, pages[2].next)) == ids(pages[3:])


def test_an_expired_token_is_renewed_in_mid_paging(client: InsightsClient) -> None:
    client.fault("GetData", "http_401", call=3)
    assert len(ids(members(client))) == count(client)
    assert client.tokens.renewals == 1


def test_a_token_that_is_refused_twice_ends_the_reading(client: InsightsClient) -> None:
    client.fault("GetData", "http_401", call=3, times=2)
    with pytest.raises(SignInError, match="does not accept this sign-in"):
        members(client)


def test_a_storm_of_429_is_waited_out_as_long_as_it_says(client: InsightsClient) -> None:
    client.fault("GetData", "http_429", call=2, times=7, retry_after=60)
    assert len(ids(members(client))) == count(client)
    assert client.clock.waits == [60.0] * 7
    assert client.said[0] == "Customer Insights is receiving too many calls. Trying again in 60 s."


def test_a_storm_without_end_is_given_up_after_ten_minutes(client: InsightsClient) -> None:
    client.fault("GetData", "http_429", call=2, times=1000, retry_after=60)
    with pytest.raises(ServiceError, match="too many calls"):
        members(client)
    assert sum(client.clock.waits) == 600


@pytest.mark.parametrize("fault", ["http_500", "http_503", "broken_off", "truncated_body", "lost_reply"])
def test_what_may_pass_is_tried_again(client: InsightsClient, fault: str) -> None:
    client.fault("GetData", fault, call=2)
    assert len(ids(members(client))) == count(client)
    assert client.clock.waits == [1.0]


def test_a_page_that_repeats_is_noticed(client: InsightsClient) -> None:
    client.fault("GetData", "repeated_page", call=2, times=1000)
    with pytest.raises(ServiceError, match="same page twice"):
        members(client)
    assert client.count("GetData") <= 4


def test_a_page_that_leads_to_itself_once_is_asked_for_again(client: InsightsClient) -> None:
    client.fault("GetData", "repeated_page", call=2)
    assert len(ids(members(client))) == count(client)


def test_a_link_to_another_host_is_refused_and_nothing_is_sent_there(
    client: InsightsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    send = client.insights.conversation.session.send

    def noted(request: Any, **options: Any) -> Any:
        asked.append(request.url)
        return send(request, **options)

    monkeypatch.setattr(client.insights.conversation.session, "send", noted)
    client.fault("GetData", "foreign_next_link", call=2)
    with pytest.raises(ServiceError, match="another host for the next page") as refused:
        members(client)
    assert refused.value.code == "foreign_link"
    assert len(asked) == 2
    assert all(url.startswith(client.emulator.base_url) for url in asked)


def test_an_empty_page_with_a_link_is_not_the_end(client: InsightsClient) -> None:
    client.fault("GetData", "empty_page", call=2)
    pages = members(client)
    assert [len(page.rows) for page in pages][1] == 0
    assert len(ids(pages)) == count(client)


def test_empty_pages_without_end_are_given_up(client: InsightsClient) -> None:
    client.fault("GetData", "empty_page", call=2, times=1000)
    with pytest.raises(ServiceError, match="same page twice"):
        members(client)


def test_a_segment_that_is_deleted_while_being_read_is_not_found(client: InsightsClient) -> None:
    client.fault("GetData", "segment_deleted", call=3)
    with pytest.raises(ServiceError, match="does not know what was asked for"):
        members(client)


def test_a_wrong_subscription_key_is_told_from_a_wrong_sign_in(emulator: RunningEmulator) -> None:
    wrong = insights_client(emulator, key="0" * 32)
    with pytest.raises(SignInError, match="does not accept the subscription key"):
        wrong.insights.instances()
    assert wrong.tokens.renewals == 0


def test_no_token_of_the_advertising_account_is_taken(emulator: RunningEmulator) -> None:
    stranger = insights_client(emulator, *[emulator.access_token] * 3)
    with pytest.raises(SignInError, match="does not accept this sign-in"):
        stranger.insights.instances()
