"""The instances and segments of Customer Insights."""

from __future__ import annotations

from typing import Any

from ci_magics.emulation.call import Call
from ci_magics.emulation.insights import jobs
from ci_magics.emulation.insights.reading import at_home, begin, flag, shown, whole
from ci_magics.emulation.insights.replies import moment
from ci_magics.emulation.insights_state import Instance, Segment
from ci_magics.emulation.replies import Reply
from ci_magics.emulation.state import World

_HISTORIC_DAYS = 10
_TRIAL = 30 * 24 * 3600.0


def get_all_instances(world: World, call: Call) -> Reply:
    """List the instances; the older address returns more details."""
    begin(world, call)
    old = call.path.startswith("/api/")
    found = [_instance(world, call, each, old=old) for each in world.insights.instances.values()]
    return Reply(shown(world, found))


def get_instance(world: World, call: Call) -> Reply:
    """Return the metadata of an instance."""
    begin(world, call)
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
    return Reply(shown(world, body))


def get_all_segments(world: World, call: Call) -> Reply:
    """List the segments of an instance, as a bare array."""
    begin(world, call, "includeHistoricStats", "historicStatsDays", "numberOfSegments")
    if not at_home(world, call):
        return Reply([])
    with_history = flag(call, "includeHistoricStats")
    days = whole(call, "historicStatsDays", _HISTORIC_DAYS)
    number = whole(call, "numberOfSegments", len(world.insights.segments))
    jobs.settle(world)
    some = list(world.insights.segments.values())[:number]
    return Reply(shown(world, [segment_body(world, each, days if with_history else 0) for each in some]))


def _instance(world: World, call: Call, instance: Instance, *, old: bool) -> dict[str, Any]:
    common: dict[str, Any] = {"instanceId": instance.id, "name": instance.name, "instanceType": instance.kind}
    if old:
        own = {"tenantId": world.user.tenant_id, "tenantName": "Contoso", "region": "westeurope"}
        return {**common, **own, "scaleUnitUri": call.origin}
    trial = instance.kind == "trial"
    return {
        **common,
        "expiryTimeUtc": moment(world.insights.began + _TRIAL) if trial else None,
        "maxTrialExtensionsAllowed": int(trial),
        "trialExtensionHistory": None,
        "scaleUnitId": "weu-001",
        "azureRegion": "westeurope",
        "platformType": "default",
    }


def _refresh_schedule(world: World) -> dict[str, Any]:
    names = ("isActive", "timezoneId", "cronSchedules", "scheduleId")
    schedule = next(iter(world.insights.schedules.values()), {})
    return {name: schedule.get(name) for name in names}


def segment_body(world: World, segment: Segment, days: int = 0) -> dict[str, Any]:
    """Return a segment as Customer Insights shows it.

    Parameters
    ----------
    world
        The emulator's state.
    segment
        The segment.
    days
        The number of history entries to include.
    """
    count = _count(world, segment)
    history = segment.history[-days:] if days else []
    return {
        "kind": segment.kind,
        "name": segment.name,
        "friendlyName": segment.friendly_name,
        "description": segment.description,
        "segmentQueryExpression": segment.query,
        "state": segment.state,
        "errorDescription": segment.error,
        "endDate": segment.end_date,
        "evaluationStatus": {
            "jobStatus": jobs.status_of(world, segment),
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
            for each in history
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
    from ci_magics.emulation.invented import selection  # slow to import, and not needed at startup

    return len(selection.members(world, segment.name))


def _error(text: str | None) -> dict[str, Any] | None:
    return None if text is None else {"value": text, "key": "segmentEvaluationFailed", "args": []}
