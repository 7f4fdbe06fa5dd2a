"""Customer Insights' instances and segments."""

from __future__ import annotations

import re
from typing import Any

from ci_magics.emulator.call import Call
from ci_magics.emulator.insights_checks import check_insights
from ci_magics.emulator.insights_replies import api_error, moment, recased
from ci_magics.emulator.insights_state import Instance, Segment
from ci_magics.emulator.replies import Reply
from ci_magics.emulator.state import World

_NAME = re.compile(r"[A-Za-z]\w*")
_ENUMS = frozenset(
    ("instanceType", "provisioningState", "kind", "state", "jobStatus", "type", "rowsetOperation", "comparisonOperator")
)
_HISTORIC_DAYS = 10


def get_all_instances(world: World, call: Call) -> Reply:
    """List the instances; the older address says more of each."""
    check_insights(world, call)
    old = call.path.startswith("/api/")
    shown = [_instance(world, call, each, old=old) for each in world.insights.instances.values()]
    return Reply(_spelled(world, shown))


def get_instance(world: World, call: Call) -> Reply:
    """Answer the metadata of an instance."""
    check_insights(world, call)
    instance = world.insights.instances[call.arguments["instance"]]
    body = {
        "isB2B": instance.is_b2b,
        "isB2C": not instance.is_b2b,
        "name": instance.name,
        "provisioningState": "active",
        "instanceType": instance.kind,
        "refreshSchedule": _refresh_schedule(world),
        "region": "westeurope",
        "cdsOrgInfo": {"friendlyName": "Contoso", "url": f"{call.origin}/", "state": "Ready", "location": "europe"},
        "version": 1,
        "updatedBy": "analyst",
        "updatedUtc": moment(world.insights.created),
        "createdBy": "analyst",
        "createdUtc": moment(world.insights.created),
        "instanceId": instance.id,
    }
    return Reply(_spelled(world, body))


def get_all_segments(world: World, call: Call) -> Reply:
    """List the segments of an instance: a bare array."""
    check_insights(world, call)
    _check_query(call, "includeHistoricStats", "historicStatsDays", "numberOfSegments")
    if call.arguments["instance"] != world.insights.home:
        return Reply([])
    with_history = call.query.get("includeHistoricStats", "false").lower() == "true"
    days = _whole(call, "historicStatsDays", _HISTORIC_DAYS)
    number = _whole(call, "numberOfSegments", len(world.insights.segments))
    some = list(world.insights.segments.values())[:number]
    return Reply(_spelled(world, [_segment(world, each, days if with_history else 0) for each in some]))


def _instance(world: World, call: Call, instance: Instance, *, old: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {"instanceId": instance.id, "name": instance.name, "instanceType": instance.kind}
    if old:
        own = {"tenantId": world.user.tenant_id, "tenantName": "Contoso", "region": "westeurope"}
        return {**shown, **own, "scaleUnitUri": call.origin}
    return {
        **shown,
        "expiryTimeUtc": None,
        "maxTrialExtensionsAllowed": 0,
        "trialExtensionHistory": None,
        "scaleUnitId": "weu-001",
        "azureRegion": "westeurope",
        "platformType": "default",
    }


def _refresh_schedule(world: World) -> dict[str, Any]:
    names = ("isActive", "timezoneId", "cronSchedules", "scheduleId")
    schedule = next(iter(world.insights.schedules.values()), {})
    return {name: schedule.get(name) for name in names}


def _segment(world: World, segment: Segment, days: int) -> dict[str, Any]:
    count = _count(world, segment)
    shown = segment.history[-days:] if days else []
    return {
        "kind": segment.kind,
        "name": segment.name,
        "friendlyName": segment.friendly_name,
        "description": segment.description,
        "segmentQueryExpression": segment.query,
        "state": segment.state,
        "errorDescription": segment.error,
        "endDate": None,
        "evaluationStatus": {
            "jobStatus": segment.status,
            "evaluationDate": moment(segment.history[-1].at) if segment.history else None,
            "entityCount": count,
            "error": _error(segment.error),
            "lastSuccessfulRunId": None,
        },
        "sqlValidationStats": None,
        "evaluationStatusHistory": [
            {
                "evaluationDate": moment(each.at),
                "entityCount": count if each.count is None else each.count,
                "jobStatus": each.status,
                "error": _error(each.error),
            }
            for each in shown
        ],
        "segmentQueryStats": None,
        "version": segment.version,
        "updatedBy": "analyst",
        "updatedUtc": moment(segment.updated),
        "createdBy": "analyst",
        "createdUtc": moment(segment.created),
        "instanceId": world.insights.home,
    }


def _count(world: World, segment: Segment) -> int | None:
    if segment.evaluated is None:
        return None
    from ci_magics.emulator import selection  # slow to import, and not needed to start

    return len(selection.members(world, segment.name))


def _error(text: str | None) -> dict[str, Any] | None:
    return None if text is None else {"value": text, "key": "segmentEvaluationFailed", "args": []}


def _spelled(world: World, body: Any) -> Any:
    spelling = world.settings.enum_case
    return body if spelling == "mixed" else recased(body, _ENUMS, spelling)


def _check_query(call: Call, *known: str) -> None:
    unknown = sorted(set(call.query) - set(known))
    if unknown:
        raise api_error(400, f"The query parameter {unknown[0]} is not known.")


def _whole(call: Call, name: str, default: int) -> int:
    text = call.query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise api_error(400, f"{name} must be a whole number from 0.")
    return int(text)
