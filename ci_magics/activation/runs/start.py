"""Start a run: lock the audiences, check that the plan is still current, journal the run, and push each audience."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from ci_magics.activation.connections.consents import require_consents
from ci_magics.activation.plans.guards import Guard, require_disjoint
from ci_magics.activation.plans.plan_document import PlanDocument, require_current, require_current_ledgers
from ci_magics.activation.plans.planner import Work
from ci_magics.activation.plans.verdict import Finding, finding_of
from ci_magics.activation.retention import forget_old
from ci_magics.activation.run import AudienceResult, Run
from ci_magics.activation.runs.journal import begin_run
from ci_magics.activation.runs.push import RunContext
from ci_magics.activation.runs.resume import CONCURRENT, carry_on, concurrent, unfinished_runs
from ci_magics.activation.segments.dependents import evaluations
from ci_magics.advice import Do, advise
from ci_magics.errors import ExportRefusedError
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.locks import HeldLocks, Holder
from ci_magics.workspace.models import Connection, RunRecord
from ci_magics.workspace.statuses import RUNNING, SKIPPED
from ci_magics.workspace.store import Workspace

_FRESH: Mapping[str, datetime] = MappingProxyType({})
_A_DAY = timedelta(days=1)
#: Options that override a guard; the audit log records their use.
_OVERRIDES = ("ignore_consent", "allow_empty", "allow_shrink", "allow_mixed")


def start_run(
    context: RunContext,
    document: PlanDocument,
    connection: Connection,
    works: Sequence[Work],
    run_id: str | None = None,
    as_of: Mapping[str, datetime] = _FRESH,
) -> Run:
    """Carry out a plan.

    Parameters
    ----------
    context
        The dependencies of the run.
    document, works
        The plan, and the data needed to carry it out.
    connection
        The connection to send through.
    run_id
        The id of the run. By default, a new one.
    as_of
        By segment name, when a segment was last evaluated if the refresh did not evaluate it again.

    Raises
    ------
    ConsentError
        A consent is missing; nothing was sent.
    ExportRefusedError
        A guard, another run or a change since the plan stops every audience; nothing was sent.
    CiError
        No audience was completed. If some were, the run's results have the errors of the others.
    """
    workspace = context.workspace
    require(workspace, Verb.RUN_EXPORT, connection)
    require_consents(workspace.connections[connection.name])
    now = context.services.conversation.clock.now()
    forget_old(workspace, now)
    with workspace.locks.holding(run_id) as held:
        # Take the locks before the checks: what is checked below can't change until the run ends.
        stopped = {number: guard for number, work in enumerate(works) if (guard := _stopping(held, work))}
        if len(stopped) == len(works):
            # With the locks held, check whether another run changed an audience since it was looked up: a guard that is
            # based on old facts must not be the reason.
            if all(each.code != CONCURRENT for each in stopped.values()):
                require_current_ledgers(workspace, works)
            raise next(iter(stopped.values())).refusal()
        going = {number: work for number, work in enumerate(works) if number not in stopped}
        for work in going.values():
            require_disjoint(work.changes)
        _refuse_unfinished(workspace, document)
        require_current(workspace, document, connection, tuple(works))
        old = _older_than_a_day(workspace, works, now) | dict(as_of)
        results = [_at_first(work, stopped.get(number), old) for number, work in enumerate(works)]
        record = begin_run(
            workspace, document, going, results, run_id=held.run_id, directory=context.services.directory, now=now
        )
        _note_start(workspace, document, record)
        return carry_on(context, record)


def check_in_advance(workspace: Workspace, document: PlanDocument, works: Sequence[Work]) -> tuple[list[Finding], int]:
    """Return what `start_run` would refuse now, in the order in which it would; takes no locks.

    Parameters
    ----------
    workspace
        The workspace that stores the runs and locks.
    document, works
        The plan, and the data needed to carry it out.

    Returns
    -------
    tuple of list of Finding and int
        The findings, and how many audiences would be skipped.
    """
    findings: list[Finding] = []
    warnings: list[Finding] = []
    stopped = 0
    busy: set[str] = set()
    taken: set[str] = set()
    for work in works:
        holder = _live_holder(workspace, work)
        stops = [each for each in work.guards if each.stops]
        if holder is not None:
            # A run in progress is reported as the holder of the lock, not as unfinished.
            busy.add(holder.run_id)
            stops.insert(0, concurrent(work.target.name, holder))
        elif taken & set(work.locks):
            stops.insert(0, _twice(work))
        taken |= set(work.locks)
        stopped += bool(stops)
        findings += [finding_of(each, work.target.name) for each in stops]
        warnings += [finding_of(each, work.target.name) for each in work.guards if not each.stops]
        if not stops:
            findings += _disjoint(work)
    if stopped < len(works):
        open_runs = [each for each in unfinished_runs(workspace, document) if each.id not in busy]
        findings += [finding_of(_unfinished(each)) for each in open_runs]
    return [*findings, *warnings], stopped


def _live_holder(workspace: Workspace, work: Work) -> Holder | None:
    holders = (workspace.locks.holder(name) for name in work.locks)
    return next((each for each in holders if each is not None and each.is_alive), None)


def _twice(work: Work) -> Guard:
    return Guard(
        CONCURRENT,
        f"Another segment of this export goes to the audience '{work.target.name}' too.",
        "Export the two one after the other, or join them into one segment.",
    )


def _disjoint(work: Work) -> list[Finding]:
    try:
        require_disjoint(work.changes)
    except ExportRefusedError as error:
        return [finding_of(error)]
    return []


def _note_start(workspace: Workspace, document: PlanDocument, record: RunRecord) -> None:
    options = document.order
    overridden = [name for name in _OVERRIDES if getattr(options, name)]
    workspace.audit.note(
        Verb.RUN_EXPORT,
        document.connection,
        run=record.id,
        account=document.account_id,
        mode=options.mode,
        segments=[each.segment for each in document.audiences],
        adds=sum(each.adds for each in document.audiences),
        removes=sum(each.removes for each in document.audiences),
        overridden=overridden,
        consent=[f"{each.segment}: {each.consent_note}" for each in document.audiences],
    )


def _older_than_a_day(workspace: Workspace, works: Sequence[Work], now: datetime) -> dict[str, datetime]:
    """Return the evaluation times of the segments that were last evaluated more than a day ago."""
    evaluated = evaluations(workspace)
    names = {work.stored.record.name for work in works}
    return {name: at for name, at in evaluated.items() if name in names and now - at > _A_DAY}


def _at_first(work: Work, guard: Guard | None, old: Mapping[str, datetime]) -> AudienceResult:
    at = old.get(work.stored.record.name)
    as_of = f"{at:%Y-%m-%d}" if at else ""
    names = (work.stored.record.name, work.target.name, work.target.id)
    if guard is not None:
        return AudienceResult(*names, SKIPPED, message=str(guard), consent=work.consent.note)
    unsent = len(work.changes.adds) + len(work.changes.removes)
    return AudienceResult(*names, RUNNING, unsent=unsent, as_of=as_of, consent=work.consent.note)


def _stopping(held: HeldLocks, work: Work) -> Guard | None:
    """Return the guard that stops an audience, if any; takes its locks unless another run holds them."""
    for name in work.locks:
        holder = held.take(name)
        if holder is not None:
            return concurrent(work.target.name, holder)
    return next((each for each in work.guards if each.stops), None)


def _refuse_unfinished(workspace: Workspace, document: PlanDocument) -> None:
    """Refuse to send to an audience that another run has not finished."""
    for record in unfinished_runs(workspace, document):
        raise _unfinished(record)


def _unfinished(record: RunRecord) -> ExportRefusedError:
    return ExportRefusedError(
        f"The run {record.name} on the same audience was not finished, so the plan does not fit.",
        advise(
            "Finish it: ",
            Do("runs.resume", record.name),
            ", then plan again; an export without a dry run finishes it first.",
        ),
        code="unfinished_run",
    )
