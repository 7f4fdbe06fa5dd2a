"""Jobs that progress with the virtual clock. A segment gets new members when its job succeeds."""

from __future__ import annotations

import uuid

from ci_magics.emulation.insights_state import Evaluation, Job, Segment
from ci_magics.emulation.state import World

_QUEUED_SHARE = 0.2
_SEGMENTS = ("segmentation", "all")
_KEPT_HISTORY = 100


def submit(world: World, operation_type: str, identifiers: list[str], *, forced: bool, outcome: str) -> Job:
    """Start a job.

    Parameters
    ----------
    world
        The emulator's state.
    operation_type
        What the job does, such as ``segmentation``.
    identifiers
        The segments to evaluate; empty for all.
    forced
        Whether the caller requested a forced run.
    outcome
        The status after the job has ended.
    """
    now, takes = world.clock.now(), world.settings.refresh_seconds
    job = Job(
        id=str(uuid.uuid4()),
        operation_type=operation_type,
        identifiers=identifiers,
        forced=forced,
        submitted=now,
        starts=now + takes * _QUEUED_SHARE,
        ends=now + takes,
        outcome=outcome,
    )
    world.insights.jobs[job.id] = job
    return job


def status(world: World, job: Job) -> str:
    """Return the current status of a job.

    Parameters
    ----------
    world
        The emulator's state.
    job
        The job.
    """
    now = world.clock.now()
    if now >= job.ends:
        return job.outcome
    return "running" if now >= job.starts else "queued"


def cancel(world: World, job: Job) -> None:
    """Cancel a job that has not ended.

    Parameters
    ----------
    world
        The emulator's state.
    job
        The job.
    """
    if world.clock.now() < job.ends:
        job.ends, job.outcome = world.clock.now(), "aborted"


def settle(world: World) -> None:
    """Apply the results of all jobs that have ended by now."""
    for job in sorted(world.insights.jobs.values(), key=lambda each: each.ends):
        if not job.settled and world.clock.now() >= job.ends:
            job.settled = True
            for segment in concerned(world, job):
                _evaluate(world, segment, job)


def concerned(world: World, job: Job) -> list[Segment]:
    """Return the active segments that a job evaluates: those it names, or all.

    Parameters
    ----------
    world
        The emulator's state.
    job
        The job.
    """
    if job.operation_type not in _SEGMENTS:
        return []
    found = world.insights.segments.values()
    return [each for each in found if each.state != "inactive" and each.name in (job.identifiers or [each.name])]


def status_of(world: World, segment: Segment) -> str:
    """Return the status of a segment's latest evaluation, which may still be running.

    Parameters
    ----------
    world
        The emulator's state.
    segment
        The segment.
    """
    for job in world.insights.jobs.values():
        if world.clock.now() < job.ends and segment in concerned(world, job):
            return status(world, job).capitalize()
    return segment.status


def _evaluate(world: World, segment: Segment, job: Job) -> None:
    from ci_magics.emulation.invented import selection  # slow to import, and not needed at startup

    problem = selection.problem(segment.query, world.clock.now()) if job.outcome == "successful" else None
    if job.outcome != "successful":
        segment.status, segment.error = _failure(job.outcome), f"The job ended as {job.outcome}."
    elif problem is not None and segment.membership_type == "Customer":
        segment.status, segment.error = "CompletedFailure", problem
    else:
        segment.status, segment.error, segment.evaluated = "CompletedSuccess", None, segment.query
        world.insights.changed()
    count = len(selection.members(world, segment.name)) if segment.status == "CompletedSuccess" else None
    segment.history = [*segment.history, Evaluation(job.ends, segment.status, count, segment.error)][-_KEPT_HISTORY:]


def _failure(outcome: str) -> str:
    return {"aborted": "Cancelled", "skipped": "NotQualified", "timedOut": "Interrupted"}.get(
        outcome, "CompletedFailure"
    )
