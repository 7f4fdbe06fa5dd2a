"""The journal: each request of a push, recorded before it is sent and after it is answered."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from ci_magics.activation.connections.permission import require_permission
from ci_magics.activation.plans.export_options import ExportOptions
from ci_magics.activation.plans.plan_document import PlanDocument
from ci_magics.activation.plans.planner import Work
from ci_magics.activation.plans.target import audience_key
from ci_magics.activation.progress import Progress
from ci_magics.activation.run import AudienceResult
from ci_magics.activation.runs.spool import Reasons, Spool
from ci_magics.errors import AccessError, CiError, ConsentError
from ci_magics.microsoft.advertising import MAX_ITEMS
from ci_magics.microsoft.http import Permit
from ci_magics.microsoft.upload_file import rows_per_file
from ci_magics.workspace.models import PushRecord, RunRecord, StepRecord
from ci_magics.workspace.statuses import ANSWERED, PLANNED, REFUSED, RUNNING, SENT
from ci_magics.workspace.store import Workspace

CREATE, APPLY, UPLOAD = "create", "apply", "upload"


class Journal:
    """The journal of one push.

    Parameters
    ----------
    workspace
        The workspace that stores the journal.
    push
        The push whose requests are recorded.
    owner
        The user who saved a scheduled export. Their permissions are checked too. Empty if the current user started the
        run.
    """

    def __init__(self, workspace: Workspace, push: PushRecord, owner: str = "") -> None:
        self.workspace = workspace
        self.push = push
        self.spool = Spool(workspace, push)
        self._owner = owner
        self._unsent: list[str] = []

    @functools.cached_property
    def _connection_id(self) -> str:
        """The id of the run's connection, cached because the database may hide the run from the current user later."""
        return self.workspace.runs.connection_of(self.push.run_id) or ""

    def steps(self, kind: str | None = None) -> list[StepRecord]:
        """Return the steps in order.

        Parameters
        ----------
        kind
            `CREATE`, `APPLY` or `UPLOAD`; None for all.
        """
        found = self.workspace.steps.where(push_id=self.push.id)
        return [each for each in found if kind in (None, each.kind)]

    def open_steps(self, kind: str) -> list[StepRecord]:
        """Return the steps of a kind that were not sent yet, or were sent and not answered."""
        return [each for each in self.steps(kind) if each.state in (PLANNED, SENT)]

    def progress(self, doing: str = "") -> Progress:
        """Return the progress of the push, counted in hashes.

        Parameters
        ----------
        phrase
            The current activity, in words. By default, that the audience is being sent to.
        """
        steps = self.steps()
        done = sum(each.stop - each.start for each in steps if each.state not in (PLANNED, SENT))
        return Progress(
            doing or f"Sending to {self.push.audience_name}", done, sum(each.stop - each.start for each in steps)
        )

    def sending(self, step: StepRecord, request_id: str = "") -> StepRecord:
        """Record that a step is about to be sent; if it had been sent before, its outcome may remain unknown.

        Call it before each request. It writes first and checks consents and permissions afterward, to avoid a race
        condition: if a user withdraws consent at the same moment, either the user sees that a request may arrive, or
        this method sees the withdrawal and the request isn't sent.

        Parameters
        ----------
        step
            The step as it is in the journal.
        request_id
            The id of a bulk upload, so that its status can be asked for after a crash. Empty for a call.

        Returns
        -------
        StepRecord
            The step as it is in the journal now.

        Raises
        ------
        ConsentError, RightEndedError
            A consent was withdrawn, or a permission ended, since the run began.
        LockLostError
            Another process has taken over the run.
        """
        self.workspace.locks.send_heartbeat(self.push.run_id)
        going = self._keep(replace(step, state=SENT, request_id=request_id, maybe=step.maybe or step.state == SENT))
        self.permission(step)(False)
        return going

    def permission(self, step: StepRecord) -> Permit:
        """Return a check of consents and permissions that the HTTP client calls right before each attempt of a step.

        If the check fails and no earlier attempt may have arrived, the step is reset to ``step``, because it wasn't
        sent. If the current user may no longer write to the journal, `stop` resets it.

        Parameters
        ----------
        step
            The step as it was before `sending` recorded it.
        """

        def permit(may_have_arrived: bool) -> None:
            try:
                self.require_permission()
            except (ConsentError, AccessError):
                if not may_have_arrived:
                    self._keep_back(step)
                raise

        return permit

    def require_permission(self) -> None:
        """Raise an error if a consent or permission has ended; see `permission.require_permission`."""
        require_permission(self.workspace, self._connection_id, self.push.environment, self._owner)

    def stop(self, why: str) -> bool:
        """Let the database record why the run ended, if the current user may no longer change its rows.

        Parameters
        ----------
        why
            The reason, as a sentence.

        Returns
        -------
        bool
            True if the database recorded it; False if it does not enforce roles, or another process has the run.
        """
        return self.workspace.runs.stop(self.push.run_id, why, self._unsent)

    def noted(self, step: StepRecord, tracking_id: str | None) -> StepRecord:
        """Record a TrackingId, Microsoft's id of a request.

        Parameters
        ----------
        step
            The step that the request belongs to.
        tracking_id
            The id; None if the response had none.
        """
        if not tracking_id or tracking_id in step.tracking_ids:
            return step
        return self._keep(replace(step, tracking_ids=(*step.tracking_ids, tracking_id)))

    def answered(self, step: StepRecord, reasons: Reasons, tracking_id: str | None = None) -> StepRecord:
        """Record an answer: every hash of the step was accepted except those in ``reasons``.

        Parameters
        ----------
        step
            The step that was sent.
        reasons
            Why hashes were rejected, by their position in the spool.
        tracking_id
            Microsoft's id of the request, if the response had one.
        """
        if reasons:
            self.spool.keep_reasons(step, reasons)
        ids = (*step.tracking_ids, tracking_id) if tracking_id else step.tracking_ids
        return self._keep(replace(step, state=ANSWERED, rejected=len(reasons), tracking_ids=ids))

    def refused(self, step: StepRecord, error: CiError) -> StepRecord:
        """Record that Microsoft rejected a whole step.

        Parameters
        ----------
        step
            The step that was sent.
        error
            The error that Microsoft returned. Its code, name and TrackingId are kept; its text isn't.
        """
        ids = (*step.tracking_ids, error.tracking_id) if error.tracking_id else step.tracking_ids
        code = "" if error.code is None else str(error.code)
        return self._keep(replace(step, state=REFUSED, code=code, error_name=error.error_name, tracking_ids=ids))

    def created(self, step: StepRecord, audience_id: str, tracking_id: str | None) -> None:
        """Record the id of a new audience, in the push and the step at once.

        Parameters
        ----------
        step
            The step that creates the audience.
        audience_id
            Microsoft's id of the audience.
        tracking_id
            Microsoft's id of the request; None if it is unknown.
        """
        self.push = replace(self.push, audience_id=audience_id)
        ids = (*step.tracking_ids, tracking_id) if tracking_id else step.tracking_ids
        self.workspace.record(self.push, replace(step, state=ANSWERED, tracking_ids=ids))

    def _keep_back(self, step: StepRecord) -> None:
        """Reset a step that was not sent; if the current user may not write, remember it for `stop`."""
        try:
            self._keep(step)
        except AccessError:
            if not step.maybe and step.state == PLANNED:
                self._unsent.append(step.id)

    def _keep(self, step: StepRecord) -> StepRecord:
        self.workspace.steps.put(step)
        return step


def begin_run(
    workspace: Workspace,
    document: PlanDocument,
    works: Mapping[int, Work],
    results: Sequence[AudienceResult],
    *,
    run_id: str,
    directory: str,
    now: datetime,
) -> RunRecord:
    """Record everything that a run will do, so that it can be resumed after a crash.

    Parameters
    ----------
    workspace
        The workspace that stores the run.
    document
        The plan.
    works
        The audiences to push, by their position in the plan.
    results
        The initial result of each audience of the plan, skipped ones included.
    run_id
        The id of the new run.
    directory
        The Microsoft Entra tenant of the signed-in user; each emulator has its own.
    now
        The current time.
    """
    record = RunRecord(
        id=run_id,
        connection_id=document.connection_id,
        connection_name=document.connection,
        destination=document.destination,
        status=RUNNING,
        results=[each.document() for each in results],
        started_by=workspace.user,
        started_at=now,
    )
    pushes = [_push(record, document, work, number, directory) for number, work in works.items()]
    try:
        for push, work in zip(pushes, works.values(), strict=True):
            # Files first: a run that the database knows always has its spool.
            Spool(workspace, push).fill(work.changes.adds, work.changes.removes, work.stored.record.id)
        workspace.record(record, *pushes, *(step for push in pushes for step in _steps(push)))
    except BaseException:
        for push in pushes:
            Spool(workspace, push).clear()
        raise
    return record


def _push(run: RunRecord, document: PlanDocument, work: Work, number: int, directory: str) -> PushRecord:
    options: ExportOptions = document.order
    target, changes = work.target, work.changes
    return PushRecord(
        id=f"{run.id}-{number}",
        run_id=run.id,
        number=number,
        environment=document.environment,
        account_id=document.account_id,
        customer_id=document.customer_id,
        segment_name=work.stored.record.name,
        audience_name=target.name,
        audience_id=target.id,
        audience_key=audience_key(target.name),
        directory=directory,
        chosen=options.audience is not None,
        marker=uuid.uuid4().hex[:12],
        mode=options.mode,
        normalization=options.normalization,
        scope=options.scope,
        membership_days=target.membership_days(options),
        transport=work.transport,
        adds=len(changes.adds),
        removes=changes.leaving if options.mode == "replace" else len(changes.removes),
        unchanged=changes.unchanged,
        add_parts=changes.adds.lengths,
        remove_parts=changes.removes.lengths,
        full=changes.full,
        base_generation=target.record.generation if target.record and target.remote else 0,
    )


def _steps(push: PushRecord) -> Iterator[StepRecord]:
    """Split a push into requests. The split depends only on the push, so it is the same each time."""
    # Creating the audience is the first request; it carries no hashes.
    ranges = [("create", "", 0, 0)] if not push.audience_id else []
    ranges += list(_ranges(push))
    for number, (kind, action, start, stop) in enumerate(ranges):
        yield StepRecord(f"{push.id}-{number}", push.id, number, kind, action, start, stop)


def _ranges(push: PushRecord) -> Iterator[tuple[str, str, int, int]]:
    if push.transport == "none":
        return
    kind = APPLY if push.transport == "apply" else UPLOAD
    size = MAX_ITEMS if kind == APPLY else rows_per_file(push.environment)
    if push.mode == "replace":
        # The first request replaces the list and the others add to it. An empty replacement still needs
        # one request: it empties the list.
        yield (kind, "Replace", 0, min(size, push.adds))
        yield from ((kind, "Add", start, stop) for start, stop in _cut(size, push.adds, size))
        return
    # Positions count through the spool, where the hashes to add come before those to remove. No
    # request has both, because a request has one action.
    total = push.adds + push.removes
    yield from ((kind, "Add", start, stop) for start, stop in _cut(0, push.adds, size))
    yield from ((kind, "Remove", start, stop) for start, stop in _cut(push.adds, total, size))


def _cut(start: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
    for first in range(start, stop, size):
        yield first, min(first + size, stop)
