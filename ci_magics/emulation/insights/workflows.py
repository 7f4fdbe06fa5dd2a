"""Workflows of Customer Insights: jobs that refresh segments or run exports, and their results."""

from __future__ import annotations

from typing import Any

from ci_magics.emulation.call import Call
from ci_magics.emulation.insights import jobs
from ci_magics.emulation.insights.reading import at_home, begin, flag, object_of, shown, whole
from ci_magics.emulation.insights.replies import api_error, moment
from ci_magics.emulation.insights_state import Job
from ci_magics.emulation.replies import Reply
from ci_magics.emulation.state import World

#: The enumeration ``operationType`` of the public client.
OPERATION_TYPES = (
    "none",
    "ingestion",
    "derivedEntity",
    "hierarchy",
    "dataPreparation",
    "map",
    "realtimeM3Search",
    "match",
    "merge",
    "profileStore",
    "search",
    "activity",
    "contact",
    "attributeMeasures",
    "entityMeasures",
    "measures",
    "segmentation",
    "segmentMembership",
    "enrichment",
    "preEnrichment",
    "transform",
    "intelligence",
    "aiBuilder",
    "insights",
    "export",
    "modelManagement",
    "relationship",
    "roleAssignment",
    "analysis",
    "semanticEntity",
    "all",
)
_LISTED = 10
_UNDER_WAY = ("queued", "running")


def submit_job(world: World, call: Call) -> Reply:
    """Start a job; its parameters are in the query or in the body."""
    _begin(world, call, "operationType", "identifiers", "forceRunRequested")
    body = object_of(call) if call.body.strip() else {}
    identifiers = [each for each in call.query.get("identifiers", "").split(",") if each] or body.get("identifiers")
    if identifiers is not None and not (
        isinstance(identifiers, list) and all(isinstance(each, str) for each in identifiers)
    ):
        raise api_error(400, "identifiers must be an array of strings.")
    operation_type = operation_type_of(call.query.get("operationType") or body.get("operationType"))
    missing = sorted(set(identifiers or []) - set(world.insights.segments))
    if operation_type == "segmentation" and missing:
        raise api_error(404, f"There is no segment {missing[0]}.")
    outcome = call.fault_details.get("outcome", "failed") if call.fault == "job_failed" else "successful"
    forced = flag(call, "forceRunRequested") or body.get("forceRunRequested") is True
    job = jobs.submit(world, operation_type, identifiers or [], forced=forced, outcome=outcome)
    return Reply(shown(world, _job(world, job, with_tasks=True)))


def get_jobs(world: World, call: Call) -> Reply:
    """List the latest jobs, newest first."""
    _begin(world, call, "top", "includeTasks")
    with_tasks = flag(call, "includeTasks")
    newest = list(world.insights.jobs.values())[::-1][: whole(call, "top", _LISTED)]
    return Reply(shown(world, [_job(world, each, with_tasks=with_tasks) for each in newest]))


def get_job(world: World, call: Call) -> Reply:
    """Return the status of a job."""
    _begin(world, call, "includeTasks")
    return Reply(shown(world, _job(world, _named(world, call), with_tasks=flag(call, "includeTasks"))))


def cancel_job(world: World, call: Call) -> Reply:
    """Cancel a job; has no effect on a job that has ended."""
    _begin(world, call)
    job = _named(world, call)
    jobs.cancel(world, job)
    return Reply(shown(world, _job(world, job, with_tasks=False)))


def get_history(world: World, call: Call) -> Reply:
    """List the tasks of the latest jobs."""
    _begin(world, call, "top")
    newest = list(world.insights.jobs.values())[::-1]
    tasks = [task for job in newest for task in _tasks(world, job)]
    return Reply(shown(world, tasks[: whole(call, "top", _LISTED)]))


def get_status(world: World, call: Call) -> Reply:
    """Return the last refresh and the running jobs of each active segment."""
    _begin(world, call)
    active = [each for each in world.insights.segments.values() if each.state != "inactive"]
    nodes = []
    for segment in active:
        mine = [job for job in world.insights.jobs.values() if segment in jobs.concerned(world, job)]
        good = [each for each in segment.history if each.status == "CompletedSuccess"]
        status = jobs.status(world, mine[-1]) if mine else "successful" if good else "failed"
        nodes.append(
            {
                "operationType": "segmentation",
                "subType": None,
                "identifier": segment.name,
                "friendlyName": segment.friendly_name,
                "jobIds": [job.id for job in mine if jobs.status(world, job) in _UNDER_WAY],
                "taskStatus": status,
                "lastSuccessJobIds": [job.id for job in mine if jobs.status(world, job) == "successful"][-1:],
                "endTimestamp": moment(segment.history[-1].at) if segment.history else None,
                "lastSuccessfulTimestamp": moment(good[-1].at) if good else None,
                "ciError": None,
                "ciErrors": [],
                "additionalInfo": None,
                "selectionReason": None,
            }
        )
    return Reply(shown(world, nodes))


def operation_type_of(value: Any) -> str:
    """Return an operation type in the Swagger file's spelling, ignoring case."""
    known = {each.lower(): each for each in OPERATION_TYPES}
    if value is None:
        return "all"
    if not isinstance(value, str) or value.lower() not in known:
        raise api_error(400, "operationType is not known.")
    return known[value.lower()]


def check_workflow(world: World, call: Call) -> None:
    """Require the only workflow, ``main``."""
    if call.arguments["workflow"] != "main" or not at_home(world, call):
        raise api_error(404, f"There is no workflow {call.arguments['workflow']}.")


def _begin(world: World, call: Call, *known: str) -> None:
    begin(world, call, *known)
    check_workflow(world, call)
    jobs.settle(world)


def _named(world: World, call: Call) -> Job:
    job = world.insights.jobs.get(call.arguments["job"])
    if job is None:
        raise api_error(404, f"There is no job {call.arguments['job']}.")
    return job


def _job(world: World, job: Job, *, with_tasks: bool) -> dict[str, Any]:
    status = jobs.status(world, job)
    return {
        "jobId": job.id,
        "jobType": "full",
        "jobSubmissionKind": job.kind,
        "jobStatus": status,
        "operationType": job.operation_type,
        "subType": None,
        "submittedTimestamp": moment(job.submitted),
        "endTimestamp": None if status in _UNDER_WAY else moment(job.ends),
        "shouldForceRunRequestedNodes": job.forced,
        "tasks": _tasks(world, job) if with_tasks else None,
        "idList": job.identifiers,
        "options": {"runDownstreamAfterMerge": False},
    }


def _tasks(world: World, job: Job) -> list[dict[str, Any]]:
    status = jobs.status(world, job)
    names = [each.name for each in jobs.concerned(world, job)] or job.identifiers or [job.operation_type]
    error = {"errorCode": "JobFailed", "resultSeverity": "error", "message": "The task did not succeed."}
    failed = status not in (*_UNDER_WAY, "successful")
    return [
        {
            "taskId": f"{job.id}_{name}",
            "taskStatus": status,
            "operationType": job.operation_type,
            "subType": None,
            "jobIds": [job.id],
            "friendlyName": name,
            "submittedTimestamp": moment(job.submitted),
            "endTimestamp": None if status in _UNDER_WAY else moment(job.ends),
            "ciError": error if failed else None,
            "ciErrors": [error] if failed else [],
            "waitingTaskIds": [],
            "additionalInfo": None,
        }
        for name in names
    ]
