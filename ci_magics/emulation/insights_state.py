"""The state of the emulated Customer Insights: instances, segments, jobs and schedules."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

DAY = 24 * 3600.0
LAST_REFRESH = 6 * 3600.0  # before the start, as if it ran last night
CREATED = 90 * DAY


@dataclass(frozen=True)
class Instance:
    """An environment of Customer Insights."""

    id: str
    name: str
    kind: str
    is_b2b: bool


@dataclass
class Evaluation:
    """The result of one evaluation of a segment."""

    at: float
    status: str
    count: int | None
    error: str | None = None


@dataclass
class Segment:
    """A segment: its definition, and the definition that was last evaluated."""

    name: str
    friendly_name: str
    query: dict[str, Any]
    created: float
    description: str | None = None
    end_date: str | None = None
    kind: str = "default"
    state: str = "active"
    membership_type: str = "Customer"
    version: int = 1
    updated: float = 0.0
    evaluated: dict[str, Any] | None = None
    status: str = "None"
    error: str | None = None
    history: list[Evaluation] = field(default_factory=list)


@dataclass
class Job:
    """A job of a workflow, with the times at which its status changes."""

    id: str
    operation_type: str
    identifiers: list[str]
    forced: bool
    submitted: float
    starts: float
    ends: float
    outcome: str = "successful"
    kind: str = "onDemand"
    settled: bool = False


class Insights:
    """The initial state after a start or a reset of the emulator."""

    def __init__(self, instance_id: str, now: float) -> None:
        trial = str(uuid.uuid5(uuid.UUID(instance_id), "trial"))
        self.instances = {
            instance_id: Instance(instance_id, "Contoso", "production", is_b2b=False),
            trial: Instance(trial, "Contoso trial", "trial", is_b2b=True),
        }
        self.home = instance_id
        self.began, self.created = now, now - CREATED
        self.segments: dict[str, Segment] = {}
        self.jobs: dict[str, Job] = {}
        self.schedules: dict[str, dict[str, Any]] = {}
        self.activities: dict[str, dict[str, Any]] = {}
        # Cached row numbers by query. The arrays are used only by modules that import NumPy.
        self.selections: dict[Any, Any] = {}
        for segment in _segments(now):
            self.segments[segment.name] = segment
        schedule_id = str(uuid.uuid5(uuid.UUID(instance_id), "schedule"))
        self.schedules[schedule_id] = {
            "operationType": "all",
            "subType": None,
            "identifiers": [],
            "jobType": "full",
            "isActive": True,
            "timezoneId": "UTC",
            "cronSchedules": ["0 0 2 * * *"],
            "scheduleId": schedule_id,
            "instanceId": instance_id,
        }

    def changed(self) -> None:
        """Clear the cached selections after a definition has changed."""
        self.selections.clear()


def condition(attribute: str, operator: str, value: str | None = None, **more: Any) -> dict[str, Any]:
    """Build one condition of a segment.

    Parameters
    ----------
    attribute
        The attribute, such as ``Customer.Age``.
    operator
        The comparison operator.
    value
        The value to compare with, as text.
    **more
        Further properties of the condition.
    """
    return {"kind": "default", "attribute": attribute, "comparisonOperator": operator, "value": value, **more}


def structured(*rowsets: tuple[str, dict[str, Any] | None]) -> dict[str, Any]:
    """Build a segment's definition from operations and criteria."""
    return {
        "type": "structured",
        "rowsets": [{"rowsetOperation": operation, "criteria": criteria} for operation, criteria in rowsets],
    }


def _segments(now: float) -> list[Segment]:
    male_under_40 = {
        "kind": "default",
        "logicalOperator": "and",
        "childCriterias": [
            condition("Customer.Gender", "equals", "Male", ignoreCase=True),
            condition("Customer.Age", "lessThan", "40"),
        ],
    }
    spenders = condition("Customer.TotalSpend", "greaterThan", "2500")
    nobody = condition("Customer.City", "equals", "berlin")  # values are case-sensitive, a well-known trap
    lost = condition("Customer.Shoe_size", "greaterThan", "40")
    big = condition("Account.Revenue", "greaterThan", "1000000")
    definitions: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
        ("All_customers", "All customers", structured(("none", None)), {}),
        ("Male_under_40", "Male under 40", structured(("none", male_under_40)), {}),
        ("Over21", "Over 21", structured(("none", condition("Customer.Age", "greaterThan", "21"))), {}),
        (
            "Big_spenders",
            "Big spenders",
            structured(("none", spenders), ("except", condition("Customer.EmailSubscriber", "equals", "false"))),
            {"description": "Spent more than 2,500 and take the newsletter"},
        ),
        ("Nobody", "Nobody", structured(("none", nobody)), {}),
        ("Broken", "Broken", structured(("none", lost)), {}),
        ("Lapsed", "Lapsed", structured(("none", spenders)), {"state": "inactive"}),
        ("Key_accounts", "Key accounts", structured(("none", big)), {"membership_type": "Account"}),
    ]
    made = [Segment(name, shown, query, now - CREATED, **more) for name, shown, query, more in definitions]
    for segment in made:
        segment.updated = segment.created
        _as_last_night(segment, now - LAST_REFRESH)
    return made


def _as_last_night(segment: Segment, at: float) -> None:
    if segment.state == "inactive":
        segment.status = "NotQualified"
        return
    broken = segment.name == "Broken"
    segment.status = "CompletedFailure" if broken else "CompletedSuccess"
    segment.error = "Attribute Customer.Shoe_size does not exist." if broken else None
    segment.evaluated = None if broken else segment.query
    segment.history = [Evaluation(at - day * DAY, segment.status, None, segment.error) for day in range(9, -1, -1)]
