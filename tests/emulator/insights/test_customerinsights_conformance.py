"""Microsoft's client of Customer Insights, generated from its Swagger, against the emulator."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from dynamics.customerinsights.api import CustomerInsights
from dynamics.customerinsights.api import models as m
from msrest.exceptions import ClientRequestError, DeserializationError, HttpOperationError

if TYPE_CHECKING:
    from conftest import RunningEmulator

YOUNG = m.SegmentMetadata(
    name="Under_30",
    friendly_name="Under 30",
    segment_query_expression=m.SegmentationQuery(
        type="structured",
        rowsets=[
            m.SegmentationRowset(
                rowset_operation="none",
                criteria=m.SegmentMembershipCriteria(
                    attribute="Customer.Age", comparison_operator="lessThan", value="30"
                ),
            )
        ],
    ),
)


def client_of(emulator: RunningEmulator, **headers: str) -> Any:
    client = CustomerInsights(base_url=f"{emulator.base_url}/v1")
    client.config.retry_policy.policy.backoff_factor = 0
    known = {
        "Authorization": f"Bearer {emulator.insights_token}",
        "Ocp-Apim-Subscription-Key": emulator.subscription_key,
    }
    client.config.headers.update({**known, **headers})
    return client


@pytest.fixture
def client(emulator: RunningEmulator) -> Any:
    return client_of(emulator)


@pytest.fixture
def home(emulator: RunningEmulator) -> str:
    return emulator.instance_id


def test_client_lists_instances(client: Any, home: str) -> None:
    found = {each.instance_id: each for each in client.get_all_instances()}
    assert (found[home].name, found[home].instance_type) == ("Contoso", "production")
    one = client.get_instance_metadata(home)
    assert (one.instance_id, one.is_b2_b, one.provisioning_state) == (home, False, "active")
    assert one.refresh_schedule.cron_schedules == ["0 0 2 * * *"]
    assert one.cds_org_info.url.startswith("http://127.0.0.1:")


def test_client_lists_segments_with_state_and_counts(client: Any, home: str) -> None:
    found = {each.name: each for each in client.get_all_segments(home, include_historic_stats=True)}
    male = found["Male_under_40"]
    assert (male.friendly_name, male.state) == ("Male under 40", "active")
    assert male.evaluation_status.job_status == "CompletedSuccess"
    assert male.evaluation_status.entity_count > 500
    assert male.evaluation_status.evaluation_date < datetime.now(UTC)
    assert len(male.evaluation_status_history) == 10
    assert found["Lapsed"].state == "inactive"
    assert found["Broken"].evaluation_status.error.value == found["Broken"].error_description
    criteria = male.segment_query_expression.rowsets[0].criteria
    assert [each.comparison_operator for each in criteria.child_criterias] == ["equals", "lessThan"]
    assert len(client.get_all_segments(home, number_of_segments=2)) == 2


def test_client_creates_activates_refreshes_and_deletes_a_segment(
    emulator: RunningEmulator, client: Any, home: str
) -> None:
    made = client.create_a_segment(home, YOUNG)
    assert (made.name, made.state, made.evaluation_status.entity_count) == ("Under_30", "inactive", None)
    assert client.activate_segment(home, "Under_30") is True
    job = client.submit_a_workflow_job(
        home, "main", operation_type="segmentation", identifiers=["Under_30"], force_run_requested=True
    )
    assert (job.operation_type, job.id_list, job.should_force_run_requested_nodes) == (
        "segmentation",
        ["Under_30"],
        True,
    )
    seen = client.get_a_workflow_job_information(home, "main", job.job_id, include_tasks=True)
    assert seen.job_status in ("queued", "running")
    assert [each.friendly_name for each in seen.tasks] == ["Under_30"]
    emulator.control("POST", "/clock", {"advance_hours": 1})
    client = client_of(emulator)
    assert client.get_a_workflow_job_information(home, "main", job.job_id).job_status == "successful"
    segment = next(each for each in client.get_all_segments(home) if each.name == "Under_30")
    payload = client.get_entities_with_odata_path(home, "Customer", filter="IsMemberOfSegment('Under_30')")
    assert segment.evaluation_status.entity_count == payload.odatacount > 100
    assert all(row["Age"] < 30 for row in payload.value)
    made.description = "Changed"
    assert client.update_a_segment(home, "Under_30", made).description == "Changed"
    assert client.deactivate_segment(home, "Under_30") is True
    assert client.delete_segment(home, "Under_30").status_code == 200
    assert client.deactivate_segment(home, "Under_30").http_status_code == "404"


def test_client_reads_members_page_by_page(client: Any, home: str) -> None:
    found: list[dict[str, Any]] = []
    while True:
        payload = client.get_entities_with_odata_path(
            home,
            "Customer",
            select="CustomerId,EMail",
            skip=len(found),
            filter="IsMemberOfSegment('Male_under_40')",
            orderby="CustomerId",
            top=100,
        )
        found += payload.value
        if len(payload.value) < 100:
            break
    assert len({row["CustomerId"] for row in found}) == len(found) == payload.odatacount
    assert [row["CustomerId"] for row in found] == sorted(row["CustomerId"] for row in found)
    assert set(found[0]) == {"CustomerId", "EMail"}


def test_next_link_is_kept_although_the_model_lacks_it(client: Any, home: str) -> None:
    payload = client.get_entities_with_odata_path(home, "Customer", top=5)
    assert payload.odatacontext.endswith("$metadata#Customer")
    assert payload.additional_properties["@odata.nextLink"].endswith("$skip=5")


def test_client_requests_paths_within_an_entity(client: Any, home: str) -> None:
    identity = client.get_entities_with_odata_path(home, "Customer", top=1).value[0]["CustomerId"]
    found = client.get_entities_with_odata_path(home, f"Customer('{identity}')/UnifiedActivity")
    assert {row["CustomerId"] for row in found.value} == {identity}
    types = client.get_activity_types_and_counts(home, identity)
    assert sum(types.key_ring.values()) == len(found.value)


def test_client_sends_activities_encoded_twice(emulator: RunningEmulator, client: Any, home: str) -> None:
    identity = client.get_entities_with_odata_path(home, "Customer", top=1).value[0]["CustomerId"]
    text = json.dumps({"ActivityId": "a1", "CustomerId": identity, "ActivityType": "Visit"})
    assert client.create_an_entity(home, "UnifiedActivity", text).status_code == 201
    assert client.create_an_entity(home, "UnifiedActivity", text).error_code == "Conflict"
    change = json.dumps({"Title": "A visit"})
    assert client.update_an_entity(home, "UnifiedActivity", "a1", change) is None
    assert client.update_an_entity(home, "UnifiedActivity", "a2", change).error_code == "NotFound"
    found = client.get_entities_with_odata_path(home, f"Customer('{identity}')/UnifiedActivity").value
    assert [each["Title"] for each in found if each["ActivityType"] == "Visit"] == ["A visit"]
    emulator.control("POST", "/settings", {"record_bodies": True})
    assert client.create_an_entity(home, "Customer", text).error_code == "BadRequest"
    body = emulator.control("GET", "/requests?since=0")[-1]["body"]
    assert json.loads(json.loads(body)) == json.loads(text)


def test_client_searches_and_expands(client: Any, home: str) -> None:
    assert client.get_entities_with_odata_path(home, "Customer", search='"lyon"', force_search=True).value
    row = client.get_entities_with_odata_path(home, "Customer", expand="UnifiedActivity,Customer_Measure", top=1).value
    assert len(row[0]["UnifiedActivity"]) == 2


def test_client_requests_partitions(client: Any, home: str) -> None:
    payload = client.get_entities_with_odata_path(home, "Male_under_40", select="*", proxy=True)
    assert payload.value is None
    assert len(payload.additional_properties["httpRequests"]) == 4


def test_client_reads_the_metadata(client: Any, home: str) -> None:
    model = client.get_all_entity_metadata(home)
    customer = next(each for each in model.entities if each.qualified_entity_name == "Customer")
    assert customer.entity_type == "Profile"
    semantic = {each.name: each.semantic_type for each in customer.attributes}
    assert semantic["EMail"] == "IdentityServiceEmail"
    assert customer.keys[0][0].name == "CustomerId"
    assert {each.entity_type for each in model.entities} >= {"Segment", "UnifiedActivity", "ProfileKpi"}
    assert client.get_entity_metadata(home, "Male_under_40").entity_type == "Segment"
    size = client.get_entity_size(home, "Customer")
    assert (size.row_count, size.qualified_entity_name) == (5_000, "Customer")


def test_client_reads_sizes_and_keys(client: Any, home: str) -> None:
    profile = client.get_an_entity_profile(home, "Customer", include_attribute_data=True)
    assert (profile.row_count, len(profile.attribute_data_profiles)) == (5_000, 18)
    emails = client.get_an_attribute_profile(home, "Customer", "EMail")
    assert (emails.count, emails.missing_count > 0) == (5_000, True)
    ring = client.get_key_ring(home, "eCommerce", "eCommerceContacts", "CNTID_1001")
    identity = client.get_entities_with_odata_path(home, "Customer", top=1).value[0]["CustomerId"]
    assert ring.customer_id == identity


def test_job_can_be_described_in_the_body(client: Any, home: str) -> None:
    body = m.OnDemandJobRequest(operation_type="export", identifiers=["exp1"], force_run_requested=True)
    job = client.submit_a_workflow_job(home, "main", body)
    assert (job.operation_type, job.id_list, job.job_status) == ("export", ["exp1"], "queued")
    assert client.cancel_a_workflow_job(home, "main", job.job_id).job_status == "aborted"
    assert [each.job_id for each in client.get_list_of_recent_workflow_jobs(home, "main")] == [job.job_id]
    history = client.get_list_of_workflow_task_information_history(home, "main")
    assert [(each.friendly_name, each.task_status) for each in history] == [("exp1", "aborted")]


def test_client_reads_the_status_of_the_workflow(client: Any, home: str) -> None:
    nodes = {each.identifier: each for each in client.get_workflow_status(home, "main")}
    assert nodes["Male_under_40"].task_status == "successful"
    assert nodes["Male_under_40"].last_successful_timestamp < datetime.now(UTC)
    assert nodes["Broken"].task_status == "failed"
    assert "Lapsed" not in nodes


def test_client_creates_schedules(client: Any, home: str) -> None:
    schedule = m.WorkflowRefreshSchedule(
        operation_type="export", identifiers=["exp1"], is_active=True, timezone_id="UTC", cron_schedules=["0 0 2 * * *"]
    )
    made = client.create_workflow_refresh_schedule(home, "main", schedule)
    again = client.create_a_batch_of_workflow_refresh_schedules(home, "main", [schedule, schedule])
    found = {each.schedule_id: each for each in client.get_workflow_schedules(home, "main")}
    assert found[made.schedule_id].identifiers == ["exp1"]
    assert {each.schedule_id for each in again} < set(found)
    # Here, the client takes the two arguments in reverse order.
    assert "UTC" in {each.id for each in client.get_supported_timezones("main", home)}


def test_client_reads_everything_else_of_an_instance(client: Any, home: str) -> None:
    measure = client.get_a_list_of_measures_metadata(home)[0]
    assert client.get_metadata_for_a_measure(home, measure.name).display_name == measure.display_name
    relationship = client.get_all_relationships(home)[0]
    assert client.get_a_relationship(home, relationship.name).to_entity_name == "Customer"
    assert client.get_all_system_created_relationships(home) == []
    assert client.get_all_hierarchies(home) == []
    assert client.get_search_configuration(home).entity_config[0].qualified_entity_name == "Customer"
    source = client.get_all_data_sources(home)[0].data_source_metadata
    assert client.get_data_source(home, source.data_source_id).data_source_metadata.name == source.name
    assert client.get_profile_store_state(home).instance_id == home
    assert {each.role_name for each in client.get_all_role_definitions(home)} == {"Admin", "Contributor", "Viewer"}
    assert client.get_current_user_role(home).roles == ["Admin"]
    assert len(client.get_all_role_assignments(home)) == 1


def test_client_returns_none_if_unauthorized(emulator: RunningEmulator, home: str) -> None:
    stranger = client_of(emulator, Authorization=f"Bearer {emulator.access_token}")
    assert stranger.get_all_segments(home) is None
    assert client_of(emulator, **{"Ocp-Apim-Subscription-Key": "wrong"}).get_all_instances() is None


def test_client_raises_if_forbidden(emulator: RunningEmulator, client: Any, home: str) -> None:
    emulator.fault("GetAllSegments", "http_403")
    with pytest.raises(HttpOperationError) as refused:
        client.get_all_segments(home)
    assert refused.value.response.status_code == 403


def test_missing_object_is_returned_as_an_error_object(client: Any, home: str) -> None:
    assert client.get_entity_metadata(home, "Nothing").http_status_code == "404"
    found = client.get_entities_with_odata_path(home, "Customer", filter="IsMemberOfSegment('Nothing')")
    assert isinstance(found, m.ODataError)
    assert (found.error_code, found.target) == ("NotFound", "Nothing")
    assert client.get_all_segments("another").error_code == "NotFound"
    with pytest.raises(HttpOperationError):
        client.delete_segment(home, "Nothing")


def test_refused_segment_raises(client: Any, home: str) -> None:
    client.create_a_segment(home, YOUNG)
    with pytest.raises(HttpOperationError) as refused:
        client.create_a_segment(home, YOUNG)
    assert refused.value.response.status_code == 400


def test_client_retries_reads_three_times_and_never_writes(emulator: RunningEmulator, client: Any, home: str) -> None:
    emulator.fault("*", "http_503", times=100)
    with pytest.raises(ClientRequestError):
        client.get_all_segments(home)
    assert client.submit_a_workflow_job(home, "main", operation_type="export") is None
    assert emulator.operations() == ["GetAllSegments"] * 4 + ["SubmitJob"]


@pytest.mark.parametrize(("details", "calls"), [({}, 1), ({"retry_after": 0}, 4)])
def test_client_waits_only_if_told_how_long(
    emulator: RunningEmulator, client: Any, home: str, details: dict[str, int], calls: int
) -> None:
    emulator.fault("GetAllSegments", "http_429", times=100, **details)
    with pytest.raises((HttpOperationError, ClientRequestError)):
        client.get_all_segments(home)
    assert emulator.operations() == ["GetAllSegments"] * calls


def test_truncated_body_is_detected(emulator: RunningEmulator, client: Any, home: str) -> None:
    emulator.fault("GetData", "truncated_body")
    with pytest.raises(DeserializationError):
        client.get_entities_with_odata_path(home, "Customer")


def test_enumerations_in_another_case_are_passed_through(emulator: RunningEmulator, client: Any, home: str) -> None:
    emulator.control("POST", "/settings", {"enum_case": "pascal"})
    assert client.get_all_segments(home)[0].state == "Active"
    emulator.control("POST", "/settings", {"enum_case": "camel"})
    assert client.get_entity_metadata(home, "Customer").entity_type == "profile"
    assert client.get_all_segments(home)[0].evaluation_status.job_status == "completedSuccess"


def test_date_without_a_time_zone_is_utc(client: Any, home: str) -> None:
    noon = datetime(2030, 1, 31, 12, tzinfo=UTC)
    ending = m.SegmentMetadata(
        name="Ending", segment_query_expression=YOUNG.segment_query_expression, end_date=noon.replace(tzinfo=None)
    )
    assert client.create_a_segment(home, ending).end_date == noon
    assert {each.name: each.end_date for each in client.get_all_segments(home)}["Ending"] == noon


def test_invalid_end_date_is_refused(emulator: RunningEmulator) -> None:
    body = {"name": "Ending", "segmentQueryExpression": {"type": "structured"}, "endDate": "soon"}
    refused = emulator.insights("/manage/segments", "POST", json=body)
    assert (refused.status_code, "endDate" in refused.text) == (400, True)
