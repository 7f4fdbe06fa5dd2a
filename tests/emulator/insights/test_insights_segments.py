"""Segments of Customer Insights: definitions, members, jobs that refresh them, schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ci_magics.emulation.dataverse import routes as dataverse_routes
from ci_magics.emulation.insights import routes as insights_routes
from ci_magics.emulation.insights.faults import DATAVERSE_OPERATIONS, INSIGHTS_OPERATIONS

if TYPE_CHECKING:
    from conftest import RunningEmulator


def rule(attribute: str, operator: str, value: str | None = None, **more: Any) -> dict[str, Any]:
    return {"attribute": f"Customer.{attribute}", "comparisonOperator": operator, "value": value, **more}


def definition(*rowsets: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "structured",
        "rowsets": [{"rowsetOperation": operation, "criteria": criteria} for operation, criteria in rowsets],
    }


def make(emulator: RunningEmulator, name: str, query: dict[str, Any]) -> dict[str, Any]:
    """Create and activate a segment, and let its job end."""
    body = {"name": name, "friendlyName": name, "segmentQueryExpression": query}
    assert emulator.insights("/manage/segments", "POST", json=body).status_code == 201
    assert emulator.insights(f"/manage/segments/{name}/activate", "PUT").json() is True
    emulator.control("POST", "/clock", {"advance_hours": 0.01})
    return segment(emulator, name)


def segment(emulator: RunningEmulator, name: str, options: str = "") -> dict[str, Any]:
    found = emulator.insights(f"/manage/segments{options}").json()
    return next(each for each in found if each["name"] == name)


def members(emulator: RunningEmulator, name: str) -> list[dict[str, Any]]:
    emulator.control("POST", "/settings", {"page_size": 10_000})
    found = emulator.insights(f"/data/Customer?$filter=IsMemberOfSegment('{name}')").json()["value"]
    assert isinstance(found, list)
    return found


def everyone(emulator: RunningEmulator) -> list[dict[str, Any]]:
    emulator.control("POST", "/settings", {"page_size": 10_000})
    found: list[dict[str, Any]] = emulator.insights("/data/Customer").json()["value"]
    return found


DEFINITIONS: dict[str, tuple[dict[str, Any], Any]] = {
    "equals": (definition(("none", rule("City", "equals", "Lyon"))), lambda row: row["City"] == "Lyon"),
    "case": (definition(("none", rule("City", "equals", "lyon"))), lambda _row: False),
    "ignore_case": (
        definition(("none", rule("City", "equals", "lyon", ignoreCase=True))),
        lambda row: row["City"] == "Lyon",
    ),
    "in": (
        definition(("none", rule("City", "isIn", listOfValues=["Lyon", "Porto"]))),
        lambda row: row["City"] in ("Lyon", "Porto"),
    ),
    "between": (
        definition(("none", rule("Age", "isBetween", listOfValues=["30", "40"]))),
        lambda row: 30 <= row["Age"] <= 40,
    ),
    "text": (
        definition(("none", rule("LastName", "startsWith", "M")), ("union", rule("LastName", "endsWith", "n"))),
        lambda row: row["LastName"].startswith("M") or row["LastName"].endswith("n"),
    ),
    "null": (definition(("none", rule("EMail", "isNull"))), lambda row: row["EMail"] is None),
    "except": (
        definition(("none", rule("Age", "greaterThanOrEqualTo", "50")), ("except", rule("City", "notEquals", "Lyon"))),
        lambda row: row["Age"] >= 50 and row["City"] == "Lyon",
    ),
    "intersect": (
        definition(
            ("none", rule("TotalSpend", "greaterThan", "1000.5")),
            ("intersect", rule("EmailSubscriber", "equals", "true")),
        ),
        lambda row: row["TotalSpend"] > 1000.5 and row["EmailSubscriber"],
    ),
    "nested": (
        definition(
            (
                "none",
                {
                    "logicalOperator": "or",
                    "childCriterias": [
                        rule("Age", "lessThanOrEqualTo", "20"),
                        {
                            "logicalOperator": "and",
                            "childCriterias": [rule("Age", "greaterThan", "80"), rule("FullName", "contains", "Ada")],
                        },
                    ],
                },
            )
        ),
        lambda row: row["Age"] <= 20 or (row["Age"] > 80 and "Ada" in row["FullName"]),
    ),
}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_members_match_the_definition(emulator: RunningEmulator, name: str) -> None:
    query, holds = DEFINITIONS[name]
    made = make(emulator, f"S_{name}", query)
    expected = [row for row in everyone(emulator) if holds(row)]
    assert members(emulator, f"S_{name}") == expected
    assert (
        made["evaluationStatus"] | {"entityCount": len(expected), "jobStatus": "CompletedSuccess"}
        == (made["evaluationStatus"])
    )


def test_recent_days_are_counted_by_the_emulator_clock(emulator: RunningEmulator) -> None:
    made = make(emulator, "Recent", definition(("none", rule("CreatedOn", "isWithinLast", "400"))))
    first = made["evaluationStatus"]["entityCount"]
    assert 0 < first < 5_000
    emulator.control("POST", "/clock", {"advance_hours": 24 * 200})
    emulator.insights("/workflows/main/jobs?operationType=segmentation&identifiers=Recent", "POST")
    emulator.control("POST", "/clock", {"advance_hours": 0.01})
    assert 0 < segment(emulator, "Recent")["evaluationStatus"]["entityCount"] < first


def test_rule_on_an_unknown_attribute_fails(emulator: RunningEmulator) -> None:
    made = make(emulator, "Odd", definition(("none", rule("Shoe_size", "equals", "40"))))
    assert made["evaluationStatus"]["jobStatus"] == "CompletedFailure"
    assert "Customer.Shoe_size" in made["evaluationStatus"]["error"]["value"]
    assert members(emulator, "Odd") == []


def test_changed_definition_applies_from_the_next_refresh(emulator: RunningEmulator) -> None:
    make(emulator, "Towns", definition(("none", rule("City", "equals", "Lyon"))))
    before = members(emulator, "Towns")
    body = {"segmentQueryExpression": definition(("none", rule("City", "equals", "Porto")))}
    changed = emulator.insights("/manage/segments/Towns", "PUT", json=body).json()
    assert changed["version"] == 3
    assert members(emulator, "Towns") == before
    emulator.insights("/workflows/main/jobs?operationType=segmentation&identifiers=Towns", "POST")
    emulator.control("POST", "/clock", {"advance_hours": 0.01})
    assert {row["City"] for row in members(emulator, "Towns")} == {"Porto"}
    assert len(segment(emulator, "Towns", "?includeHistoricStats=true")["evaluationStatusHistory"]) == 2


def test_inactive_segment_has_no_members(emulator: RunningEmulator) -> None:
    assert members(emulator, "Lapsed") == []
    assert emulator.insights("/manage/segments/Over21/deactivate", "PUT").json() is True
    assert members(emulator, "Over21") == []
    assert segment(emulator, "Over21")["evaluationStatus"]["jobStatus"] == "NotQualified"


def test_segments_of_accounts_have_no_customers(emulator: RunningEmulator) -> None:
    assert segment(emulator, "Key_accounts")["evaluationStatus"]["entityCount"] == 12
    assert members(emulator, "Key_accounts") == []


def test_job_progresses_with_the_clock(emulator: RunningEmulator) -> None:
    emulator.control("POST", "/settings", {"refresh_seconds": 3_600})
    before = segment(emulator, "Over21")["evaluationStatus"]
    job = emulator.insights("/manage/workflows/main/jobs?operationType=segmentation&identifiers=Over21", "POST").json()
    path = f"/workflows/main/jobs/{job['jobId']}"
    seen = []
    for hours in (0, 0.5, 0.6):
        emulator.control("POST", "/clock", {"advance_hours": hours})
        status = segment(emulator, "Over21")["evaluationStatus"]["jobStatus"]
        seen.append((emulator.insights(path).json()["jobStatus"], status))
    assert seen == [("queued", "Queued"), ("running", "Running"), ("successful", "CompletedSuccess")]
    after = segment(emulator, "Over21")["evaluationStatus"]
    assert after["evaluationDate"] > before["evaluationDate"]
    assert segment(emulator, "Male_under_40")["evaluationStatus"]["evaluationDate"] < after["evaluationDate"]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        ("failed", "CompletedFailure"),
        ("timedOut", "Interrupted"),
        ("aborted", "Cancelled"),
        ("skipped", "NotQualified"),
    ],
)
def test_job_can_fail(emulator: RunningEmulator, outcome: str, status: str) -> None:
    fault = {"operation": "SubmitJob", "call": 1, "fault": "job_failed", "outcome": outcome}
    emulator.control("POST", "/faults", [fault])
    job = emulator.insights("/workflows/main/jobs?operationType=segmentation&identifiers=Over21", "POST").json()
    emulator.control("POST", "/clock", {"advance_hours": 0.01})
    ended = emulator.insights(f"/workflows/main/jobs/{job['jobId']}?includeTasks=true").json()
    assert (ended["jobStatus"], ended["tasks"][0]["ciError"]["errorCode"]) == (outcome, "JobFailed")
    assert segment(emulator, "Over21")["evaluationStatus"]["jobStatus"] == status
    assert members(emulator, "Over21")


def test_canceled_job_changes_nothing(emulator: RunningEmulator) -> None:
    job = emulator.insights("/workflows/main/jobs?operationType=segmentation", "POST").json()
    assert emulator.insights(f"/workflows/main/jobs/{job['jobId']}/cancel", "POST").json()["jobStatus"] == "aborted"
    emulator.control("POST", "/clock", {"advance_hours": 0.01})
    assert emulator.insights(f"/workflows/main/jobs/{job['jobId']}").json()["jobStatus"] == "aborted"
    assert emulator.insights(f"/workflows/main/jobs/{job['jobId']}/cancel", "POST").json()["jobStatus"] == "aborted"


@pytest.mark.parametrize(
    ("path", "method", "body", "status"),
    [
        ("/manage/segments", "POST", {"name": "1st"}, 400),
        ("/manage/segments", "POST", {"name": "Big spenders"}, 400),
        ("/manage/segments", "POST", {"name": "Over21", "segmentQueryExpression": {"type": "structured"}}, 400),
        ("/manage/segments", "POST", {"name": "New"}, 400),
        ("/manage/segments", "POST", {"name": "New", "segmentQueryExpression": {"type": "odd"}}, 400),
        ("/manage/segments", "POST", [], 400),
        ("/manage/segments?colour=red", "GET", None, 400),
        ("/manage/segments?numberOfSegments=many", "GET", None, 400),
        ("/manage/segments?includeHistoricStats=perhaps", "GET", None, 400),
        ("/manage/segments/Nothing", "PUT", {}, 404),
        ("/manage/segments/Nothing", "DELETE", None, 404),
        ("/manage/segments/Nothing/activate", "PUT", None, 404),
        ("/manage/entities/Nothing", "GET", None, 404),
        ("/manage/entities/Nothing/entitysize", "GET", None, 404),
        ("/manage/measures/Nothing", "GET", None, 404),
        ("/manage/relationships/Nothing", "GET", None, 404),
        ("/manage/datasources/Nothing", "GET", None, 404),
        ("/dataprofile/Nothing", "GET", None, 404),
        ("/dataprofile/Customer/Nothing", "GET", None, 404),
        ("/profile/keyring?dataSourceName=eCommerce&entityName=eCommerceContacts&key=CNTID_1", "GET", None, 404),
        ("/profile/activityresponsemetadata?customerId=0", "GET", None, 404),
        ("/workflows/other/jobs", "GET", None, 404),
        ("/workflows/main/jobs/unknown", "GET", None, 404),
        ("/workflows/main/jobs?operationType=dance", "POST", None, 400),
        ("/workflows/main/jobs?operationType=segmentation&identifiers=Nothing", "POST", None, 404),
        ("/workflows/main/jobs", "POST", {"identifiers": "Over21"}, 400),
        ("/workflows/main/schedules", "POST", {"cronSchedules": ["daily"]}, 400),
        ("/workflows/main/schedules", "POST", {"timezoneId": "Mars"}, 400),
        ("/workflows/main/schedules/batch", "POST", {}, 400),
    ],
)
def test_invalid_requests_are_refused(
    emulator: RunningEmulator, path: str, method: str, body: Any, status: int
) -> None:
    answer = emulator.insights(path, method, **({} if body is None else {"json": body}))
    assert answer.status_code == status
    assert answer.json()["httpStatusCode"] == str(status)


def test_bodies_must_be_json(emulator: RunningEmulator) -> None:
    for headers, status in (({"Content-Type": "text/plain"}, 415), ({"Content-Type": "application/json"}, 400)):
        assert emulator.insights("/manage/segments", "POST", data="{", headers=headers).status_code == status
    kind = {"Content-Type": "application/json-patch+json; charset=utf-8"}
    assert emulator.insights("/manage/segments", "POST", data="{}", headers=kind).json()["message"].startswith("name")


def test_trial_instance_is_empty(emulator: RunningEmulator) -> None:
    found = emulator.insights(f"{emulator.base_url}/v1/instances").json()
    (trial,) = (each["instanceId"] for each in found if each["instanceType"] == "trial")
    root = f"{emulator.base_url}/v1/instances/{trial}"
    assert emulator.insights(root).json()["isB2B"] is True
    assert emulator.insights(f"{root}/manage/segments").json() == []
    assert emulator.insights(f"{root}/manage/entities").json()["entities"] == []
    assert emulator.insights(f"{root}/data/Customer").status_code == 404


@pytest.mark.parametrize("mark", ["IdentityServiceEmail", "Identity.Service.Email", ""])
def test_semantic_type_of_the_address_can_be_set(emulator: RunningEmulator, mark: str) -> None:
    emulator.control("POST", "/settings", {"email_semantic_type": mark})
    attributes = emulator.insights("/manage/entities/Customer").json()["attributes"]
    assert {each["name"]: each["semanticType"] for each in attributes}["EMail"] == (mark or None)


@pytest.mark.parametrize("names", [["primaryEmail"], ["EMail", "LoyaltyEmail"], []])
def test_names_of_the_address_attributes_can_be_set(emulator: RunningEmulator, names: list[str]) -> None:
    before = [row["EMail"] for row in everyone(emulator)]
    emulator.control("POST", "/settings", {"email_attributes": names})
    attributes = emulator.insights("/manage/entities/Customer").json()["attributes"]
    found = everyone(emulator)
    assert [each["name"] for each in attributes if each["semanticType"] == "IdentityServiceEmail"] == names
    assert all([row[name] for row in found] == before for name in names)
    assert list(found[0]) == [each["name"] for each in attributes]
    for name in {"EMail", "primaryEmail"} - set(names):
        assert emulator.insights(f"/data/Customer?$select={name}").status_code == 400
    url = f"{emulator.base_url}/api/data/v9.2/msdynci_customerprofiles"
    columns = set(emulator.insights(f"{url}?$top=1").json()["value"][0])
    assert {each for each in columns if "email" in each} - {"msdynci_emailsubscriber"} == {
        f"msdynci_{name.lower()}" for name in names
    }
    for name in names:
        emulator.control("POST", "/faults", [{"operation": "GetData", "call": 1, "fault": "no_email"}])
        row = emulator.insights(f"/data/Customer?$select={name},Age&$top=1").json()["value"][0]
        assert set(row) == {"Age"}


def test_segment_has_its_projected_columns(emulator: RunningEmulator) -> None:
    query = definition(("none", rule("City", "equals", "Lyon")))
    query["projectedAttributes"] = [{"entityName": "Customer", "attributeNames": ["EMail", "City"]}]
    make(emulator, "Projected", query)
    row = emulator.insights("/data/Projected?$top=1").json()["value"][0]
    assert list(row) == ["CustomerId", "EMail", "City"]
    assert row["City"] == "Lyon"


def test_reset_restores_deleted_segments(emulator: RunningEmulator) -> None:
    emulator.insights("/manage/segments/Over21", "DELETE")
    emulator.control("POST", "/reset")
    assert segment(emulator, "Over21")["state"] == "active"


def test_every_operation_can_have_a_fault() -> None:
    named = dict.fromkeys(each.operation for each in (*insights_routes.ROUTES, *dataverse_routes.ROUTES))
    assert list(named) == [*INSIGHTS_OPERATIONS, *DATAVERSE_OPERATIONS]
