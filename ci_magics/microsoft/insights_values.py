"""Values of the Customer Insights API: instances, segments, entities, jobs, and schedules.

Enumeration values occur in several spellings (``CompletedSuccess``, ``completedSuccess``), so they are normalized
("folded") to lower-case letters and digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ci_magics.microsoft.answers import said

CUSTOMER = "Customer"
CUSTOMER_ID = "CustomerId"
_EMAIL_TYPES = frozenset({"identityserviceemail"})
_UNFINISHED = frozenset({"queued", "running", "needsupdate"})


@dataclass(frozen=True)
class Instance:
    """An environment of Customer Insights, as ``InstanceInfo`` describes it."""

    id: str
    name: str
    type: str
    region: str


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of a segment: time, result, and member count."""

    status: str
    moment: datetime | None
    members: int | None

    @property
    def is_running(self) -> bool:
        """Whether it has not finished yet."""
        return self.status in _UNFINISHED


@dataclass(frozen=True)
class SourceSegment:
    """A segment of Customer Insights (``SegmentMetadata``).

    Parameters
    ----------
    name
        The output name: letters, digits, and underscores.
    label
        The display name.
    state
        ``active``, ``inactive``, ...; folded.
    profile_type
        The type of its profiles: ``Customer``, or another entity in an environment for business accounts.
    evaluation
        The latest evaluation.
    history
        Earlier evaluations, as far as requested.
    """

    name: str
    label: str
    description: str
    state: str
    profile_type: str
    evaluation: Evaluation
    history: tuple[Evaluation, ...] = ()


@dataclass(frozen=True)
class Attribute:
    """A column of an entity: name, type without ``Edm.`` (folded), and semantic type (folded)."""

    name: str
    type: str
    meaning: str

    @property
    def is_email(self) -> bool:
        """Whether Customer Insights marks the column as e-mail addresses."""
        return self.meaning in _EMAIL_TYPES


@dataclass(frozen=True)
class Entity:
    """A table of Customer Insights."""

    name: str
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True)
class Job:
    """A requested refresh (``GraphJobInfo``)."""

    id: str
    status: str
    operation: str
    identifiers: tuple[str, ...]
    submitted: datetime | None

    @property
    def is_running(self) -> bool:
        """Whether it has not finished yet."""
        return self.status in _UNFINISHED


@dataclass(frozen=True)
class Schedule:
    """A refresh schedule of Customer Insights (``WorkflowRefreshSchedule``)."""

    operation: str
    is_active: bool
    time_zone: str
    crons: tuple[str, ...]


def folded(value: Any) -> str:
    """Normalize an enumeration value for comparison.

    Parameters
    ----------
    value
        A JSON value; empty for null.
    """
    return re.sub(r"[^a-z0-9]", "", str(value or "").lower())


def moment_of(value: Any) -> datetime | None:
    """Parse a time as UTC; without a time zone it is UTC, as in the service's own client.

    Parameters
    ----------
    value
        A time in ISO 8601; anything else is None.
    """
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def instance_of(item: Mapping[str, Any]) -> Instance:
    """Parse an ``InstanceInfo``.

    Parameters
    ----------
    item
        The JSON object.
    """
    return Instance(
        _text(item, "instanceId", "id"),
        _text(item, "name"),
        _text(item, "instanceType"),
        _text(item, "azureRegion", "region"),
    )


def segment_of(item: Mapping[str, Any]) -> SourceSegment:
    """Parse a ``SegmentMetadata``.

    Parameters
    ----------
    item
        The JSON object.
    """
    name = _text(item, "name")
    history = [_evaluation(each) for each in _objects(item.get("evaluationStatusHistory"))]
    status = item.get("evaluationStatus")
    return SourceSegment(
        name=name,
        label=_text(item, "friendlyName") or name,
        description=_text(item, "description"),
        state=folded(item.get("state")),
        profile_type=_profile_type(item),
        evaluation=_evaluation(status if isinstance(status, Mapping) else {}),
        history=tuple(sorted(history, key=lambda each: each.moment or datetime.min.replace(tzinfo=UTC))),
    )


def entity_of(item: Mapping[str, Any]) -> Entity:
    """Parse an ``IEntityMetadata``.

    Parameters
    ----------
    item
        The JSON object.
    """
    return Entity(
        _text(item, "qualifiedEntityName", "name"),
        tuple(_attribute(each) for each in _objects(item.get("attributes"))),
    )


def job_of(item: Mapping[str, Any]) -> Job:
    """Parse a ``GraphJobInfo``.

    Parameters
    ----------
    item
        The JSON object.
    """
    identifiers = item.get("idList") or item.get("identifiers") or []
    return Job(
        _text(item, "jobId"),
        folded(item.get("jobStatus")),
        folded(item.get("operationType")),
        tuple(map(said, identifiers)) if isinstance(identifiers, list) else (),
        moment_of(item.get("submittedTimestamp")),
    )


def schedule_of(item: Mapping[str, Any]) -> Schedule:
    """Parse a ``WorkflowRefreshSchedule``.

    Parameters
    ----------
    item
        The JSON object.
    """
    crons = item.get("cronSchedules") or []
    return Schedule(
        folded(item.get("operationType")),
        item.get("isActive") is True,
        _text(item, "timezoneId"),
        tuple(map(said, crons)) if isinstance(crons, list) else (),
    )


def _evaluation(item: Mapping[str, Any]) -> Evaluation:
    count = item.get("entityCount")
    whole = isinstance(count, int) and not isinstance(count, bool)
    return Evaluation(folded(item.get("jobStatus")), moment_of(item.get("evaluationDate")), count if whole else None)


def _attribute(item: Mapping[str, Any]) -> Attribute:
    kind = _text(item, "dataType")
    return Attribute(_text(item, "name"), folded(kind.rpartition(".")[2]), folded(item.get("semanticType")))


def _profile_type(item: Mapping[str, Any]) -> str:
    """Return the profile type that a segment names, else that of the first profile attribute in its rules.

    A rule reads attributes as ``Customer.Age``; in an environment for business accounts ``ContactProfile.Age``.
    """
    given = _text(item, "profileType", "segmentMembershipType")
    if given:
        return given
    expression = item.get("segmentQueryExpression")
    expression = expression if isinstance(expression, Mapping) else {}
    criteria = [each.get("criteria") for each in _objects(expression.get("rowsets"))]
    named = [_text(each, "entityName") for each in _objects(expression.get("projectedAttributes"))]
    named += [each.partition(".")[0] for each in _attributes_in(criteria)]
    return next((each for each in named if each.endswith("Profile") or each in _OTHERS), CUSTOMER)


_OTHERS = frozenset({"Account", "Contact", "Lead"})


def _attributes_in(criteria: Iterable[Any]) -> list[str]:
    """Return the attributes that criteria read, including nested ones."""
    found: list[str] = []
    waiting = list(criteria)
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            found += [said(each["attribute"])] if each.get("attribute") else []
            inner = each.get("childCriterias")
            waiting += inner if isinstance(inner, list) else []
    return found


def _objects(value: Any) -> Sequence[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _text(item: Mapping[str, Any], *names: str) -> str:
    return next((said(item[name]) for name in names if isinstance(item.get(name), str | int)), "")
