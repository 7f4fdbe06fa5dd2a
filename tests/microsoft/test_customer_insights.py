from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from insights_client import InsightsClient, insights_at, insights_client
from stub_server import Reply, stub_server

from ci_magics.errors import NotFoundError, ServiceError, SignInError
from ci_magics.microsoft.insights_values import segment_of
from ci_magics.microsoft.paging import Page
from ci_magics.microsoft.partitions import Partition, PartitionStream, partitions, read_partition

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
def test_segments_are_read_in_any_case_of_enum_values(client: InsightsClient, spelling: str) -> None:
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


def test_segment_history_is_requested_by_days(client: InsightsClient) -> None:
    found = next(each for each in client.insights.segments(client.instance, history_days=5) if each.name == SEGMENT)
    assert len(found.history) == 5
    assert [each.moment for each in found.history] == sorted(each.moment for each in found.history if each.moment)


@pytest.mark.parametrize("link", ["skip", "skiptoken", "none"])
@pytest.mark.parametrize("counted", [True, False])
def test_each_member_is_read_once_with_every_kind_of_next_link(
    client: InsightsClient, link: str, counted: bool
) -> None:
    client.settings(next_link=link, odata_count=counted)
    pages = members(client)
    assert len(ids(pages)) == count(client) > 300
    assert ids(pages) == sorted(set(ids(pages)))
    assert {page.total for page in pages} == ({count(client)} if counted else {None})
    assert set(pages[0].rows[0]) == set(COLUMNS)


def test_short_page_is_not_the_last(client: InsightsClient) -> None:
    client.settings(next_link="none", odata_count=False, page_size=70)
    assert len(ids(members(client))) == count(client)


@pytest.mark.parametrize("link", ["skip", "skiptoken", "none"])
def test_reading_resumes_from_any_page(client: InsightsClient, link: str) -> None:
    client.settings(next_link=link)
    pages = members(client)
    assert ids(members(client, pages[2].next)) == ids(pages[3:])


def test_expired_token_is_renewed_between_pages(client: InsightsClient) -> None:
    client.fault("GetData", "http_401", call=3)
    assert len(ids(members(client))) == count(client)
    assert client.tokens.renewals == 1


def test_token_refused_twice_ends_the_reading(client: InsightsClient) -> None:
    client.fault("GetData", "http_401", call=3, times=2)
    with pytest.raises(SignInError, match="does not accept this sign-in"):
        members(client)


def test_throttling_is_waited_out_for_the_given_time(client: InsightsClient) -> None:
    client.fault("GetData", "http_429", call=2, times=7, retry_after=60)
    assert len(ids(members(client))) == count(client)
    assert client.clock.waits == [60.0] * 7
    assert client.said[0] == "Customer Insights is receiving too many calls. Trying again in 60 s."


def test_endless_throttling_is_given_up_after_ten_minutes(client: InsightsClient) -> None:
    client.fault("GetData", "http_429", call=2, times=1000, retry_after=60)
    with pytest.raises(ServiceError, match="too many calls"):
        members(client)
    assert sum(client.clock.waits) == 600


@pytest.mark.parametrize("fault", ["http_500", "http_503", "broken_off", "truncated_body", "lost_reply"])
def test_transient_fault_is_retried(client: InsightsClient, fault: str) -> None:
    client.fault("GetData", fault, call=2)
    assert len(ids(members(client))) == count(client)
    assert client.clock.waits == [1.0]


def test_repeated_page_is_detected(client: InsightsClient) -> None:
    client.fault("GetData", "repeated_page", call=2, times=1000)
    with pytest.raises(ServiceError, match="same page twice"):
        members(client)
    assert client.count("GetData") <= 4


def test_page_repeated_once_is_requested_again(client: InsightsClient) -> None:
    client.fault("GetData", "repeated_page", call=2)
    assert len(ids(members(client))) == count(client)


def test_next_link_to_another_host_is_refused_and_gets_no_request(
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


def test_empty_page_with_a_next_link_is_not_the_end(client: InsightsClient) -> None:
    client.fault("GetData", "empty_page", call=2)
    pages = members(client)
    assert [len(page.rows) for page in pages][1] == 0
    assert len(ids(pages)) == count(client)


def test_endless_empty_pages_are_given_up(client: InsightsClient) -> None:
    client.fault("GetData", "empty_page", call=2, times=1000)
    with pytest.raises(ServiceError, match="same page twice"):
        members(client)


def test_segment_deleted_during_reading_is_not_found(client: InsightsClient) -> None:
    client.fault("GetData", "segment_deleted", call=3)
    with pytest.raises(ServiceError, match="does not know what was asked for"):
        members(client)


def test_wrong_subscription_key_is_distinguished_from_a_wrong_sign_in(emulator: RunningEmulator) -> None:
    wrong = insights_client(emulator, key="0" * 32)
    with pytest.raises(SignInError, match="does not accept the subscription key"):
        wrong.insights.instances()
    assert wrong.tokens.renewals == 0


def test_advertising_token_is_not_accepted(emulator: RunningEmulator) -> None:
    stranger = insights_client(emulator, *[emulator.access_token] * 3)
    with pytest.raises(SignInError, match="does not accept this sign-in"):
        stranger.insights.instances()


def test_unknown_table_is_not_found(client: InsightsClient) -> None:
    with pytest.raises(NotFoundError, match="does not know what was asked for"):
        client.insights.entity(client.instance, "Nothing")


def test_refused_table_is_not_taken_for_a_missing_one() -> None:
    with stub_server(Reply({"code": "BadRequest", "message": "x"}, 400)) as stub, pytest.raises(ServiceError) as caught:
        insights_at(stub.address).entity("1", "Customer")
    assert not isinstance(caught.value, NotFoundError)
    assert caught.value.code == "HTTP 400"


@pytest.mark.parametrize("body", [[], "text", 5])
def test_undocumented_table_is_a_service_error(body: Any) -> None:
    with stub_server(Reply(body)) as stub, pytest.raises(ServiceError) as caught:
        insights_at(stub.address).entity("1", "Customer")
    assert caught.value.code == "not_understood"


@pytest.mark.parametrize("body", [{"value": {}}, {"value": "text"}, {}, 5, [5], [{"id": "1"}, None]])
def test_undocumented_list_of_environments_is_a_service_error(body: Any) -> None:
    with stub_server(Reply(body)) as stub, pytest.raises(ServiceError) as caught:
        insights_at(stub.address).instances()
    assert caught.value.code == "not_understood"


@pytest.mark.parametrize("body", [{}, [], {"value": None}, {"value": [None]}, {"value": [{"EMail": "x"}]}])
def test_page_without_customer_ids_is_refused(body: Any) -> None:
    with stub_server(Reply(body)) as stub, pytest.raises(ServiceError) as caught:
        list(insights_at(stub.address).members("1", SEGMENT, COLUMNS))
    assert caught.value.code == "no_page"


def test_profile_type_that_a_segment_names_comes_before_that_of_its_rules() -> None:
    rules = {"projectedAttributes": [{"entityName": "Customer"}]}
    assert segment_of({"name": "A", "segmentQueryExpression": rules}).profile_type == "Customer"
    named = segment_of({"name": "A", "segmentQueryExpression": rules, "profileType": "ContactProfile"})
    assert named.profile_type == "ContactProfile"


@pytest.mark.parametrize("body", [{}, [], {"httpRequests": {}}, {"httpRequests": [{}]}, {"httpRequests": ["file"]}])
def test_table_without_files_suggests_reading_its_pages(body: Any) -> None:
    with stub_server(Reply(body)) as stub, pytest.raises(ServiceError) as caught:
        partitions(insights_at(stub.address), "1", "Customer")
    assert caught.value.code == "no_partitions"


@pytest.mark.parametrize("url", ["https://files.example.com/a.csv", "file:///etc/passwd", "a.csv"])
def test_file_outside_of_the_storage_is_refused(url: str) -> None:
    with stub_server(Reply({"httpRequests": [{"uri": url}]})) as stub, pytest.raises(ServiceError) as caught:
        partitions(insights_at(stub.address), "1", "Customer")
    assert caught.value.code == "foreign_link"
    assert len(stub.paths) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ms-version": "2019", "x-empty": None},
        [{"key": "x-ms-version", "value": "2019"}, {"key": "x-empty", "value": None}, None],
        [{"name": "x-ms-version", "value": "2019"}, {"value": "nameless"}],
    ],
)
def test_file_is_requested_with_the_given_headers(headers: Any) -> None:
    def choose(path: str) -> Reply:
        files = [{"uri": f"{stub.address}/a.csv", "headers": headers}]
        return Reply(b"a,b") if path == "/a.csv" else Reply({"httpRequests": files})

    with stub_server(choose=choose) as stub:
        insights = insights_at(stub.address)
        (partition,) = partitions(insights, "1", "Customer")
        assert read_partition(insights, partition, PartitionStream.read) == b"a,b"
    assert stub.headers[1]["x-ms-version"] == "2019"
    assert not {"x-empty", "Authorization"} & set(stub.headers[1])


def test_file_that_cannot_be_parsed_is_not_fetched_again() -> None:
    def parse(_stream: PartitionStream) -> None:
        raise ValueError("no CSV")

    with stub_server(Reply(b"a,b")) as stub:
        partition = Partition(0, f"{stub.address}/a.csv", {})
        with pytest.raises(ValueError, match="no CSV"):
            read_partition(insights_at(stub.address), partition, parse)
    assert len(stub.paths) == 1
