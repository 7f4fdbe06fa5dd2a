"""The journal: every request of a push, written down before it is sent and after it is answered."""

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
        Where it is kept.
    push
        Whose it is.
    owner
        Who saved the export that a scheduler runs for them; empty where somebody runs it by their own right.
    """

    def __init__(self, workspace: Workspace, push: PushRecord, owner: str = "") -> None:
        self.workspace = workspace
        self.push = push
        self.spool = Spool(workspace, push)
        self._owner = owner
        self._kept_back: list[str] = []

    @functools.cached_property
    def _connection_id(self) -> str:
        """The id of the run's connection, which stays the same; asked for while the database shows the run."""
        return self.workspace.runs.connection_of(self.push.run_id) or ""

    def steps(self, kind: str | None = None) -> list[StepRecord]:
        """Return the steps in their order."""
        found = self.workspace.steps.where(push_id=self.push.id)
        return [each for each in found if kind in (None, each.kind)]

    def open_steps(self, kind: str) -> list[StepRecord]:
        """Return the steps that still have to be done."""
        return [each for each in self.steps(kind) if each.state in (PLANNED, SENT)]

    def progress(self, doing: str = "") -> Progress:
        """Return how far the push is, in hashes."""
        steps = self.steps()
        done = sum(each.stop - each.start for each in steps if each.state not in (PLANNED, SENT))
        return Progress(
            doing or f"Sending to {self.push.audience_name}", done, sum(each.stop - each.start for each in steps)
        )

    def sending(self, step: StepRecord, request_id: str = "") -> StepRecord:
        """Write down that a step is about to be sent; if it had been sent before, its outcome may remain unknown.

        It is written down before consents and rights are looked at: a withdrawal then either sees a request that may
        arrive, or it is seen here and the request is not sent.

        Raises
        ------
        ConsentError, RightEndedError
            A consent or a right has ended since the run began.
        LockLostError
            Another process carries the run out.
        """
        self.workspace.locks.seen(self.push.run_id)
        going = self._keep(replace(step, state=SENT, request_id=request_id, maybe=step.maybe or step.state == SENT))
        self.permission(step)(False)
        return going

    def permission(self, step: StepRecord) -> Permit:
        """Return what is asked right before each try of a step: whether consents and rights still stand.

        A step that is kept back for good is written down as it was before, unless an earlier try may have arrived.
        Where the database does not take that any more from the current user, `stop` does it.

        Parameters
        ----------
        step
            The step as it was before it was sent.
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
        """Stop where consents or rights have ended; see `permission.require_permission`."""
        require_permission(self.workspace, self._connection_id, self.push.environment, self._owner)

    def stop(self, why: str) -> bool:
        """Let the database write down why a run ends whose rows the current user may not change any more.

        Returns
        -------
        bool
            False where the user may still do so.
        """
        return self.workspace.runs.stop(self.push.run_id, why, self._kept_back)

    def noted(self, step: StepRecord, tracking_id: str | None) -> StepRecord:
        """Write down a TrackingId."""
        if not tracking_id or tracking_id in step.tracking_ids:
            return step
        return self._keep(replace(step, tracking_ids=(*step.tracking_ids, tracking_id)))

    def answered(self, step: StepRecord, reasons: Reasons, tracking_id: str | None = None) -> StepRecord:
        """Write down the answer: all was taken but what has a reason."""
        if reasons:
            self.spool.keep_reasons(step, reasons)
        ids = (*step.tracking_ids, tracking_id) if tracking_id else step.tracking_ids
        return self._keep(replace(step, state=ANSWERED, rejected=len(reasons), tracking_ids=ids))

    def refused(self, step: StepRecord, error: CiError) -> StepRecord:
        """Write down that a step was refused as a whole."""
        ids = (*step.tracking_ids, error.tracking_id) if error.tracking_id else step.tracking_ids
        code = "" if error.code is None else str(error.code)
        return self._keep(replace(step, state=REFUSED, code=code, error_name=error.error_name, tracking_ids=ids))

    def created(self, step: StepRecord, audience_id: str, tracking_id: str | None) -> None:
        """Write down the number of a new audience."""
        self.push = replace(self.push, audience_id=audience_id)
        ids = (*step.tracking_ids, tracking_id) if tracking_id else step.tracking_ids
        self.workspace.record(self.push, replace(step, state=ANSWERED, tracking_ids=ids))

    def _keep_back(self, step: StepRecord) -> None:
        """Write down that a step was not sent."""
        try:
            self._keep(step)
        except AccessError:
            if not step.maybe and step.state == PLANNED:
                self._kept_back.append(step.id)

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
    """Write down everything that a run will do, so that it can be carried on whatever happens.

    Parameters
    ----------
    works
        What is pushed, by its place in the plan.
    results
        One for each audience of the plan, as they are before anything is sent.
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
            Spool(workspace, push).fill(work.changes.adds, work.changes.removes, work.stored.record.id)
        workspace.record(record, *pushes, *(step for push in pushes for step in _steps(push)))
    except BaseException:
        for push in pushes:
            Spool(workspace, push).clear()
        raise
    return record


def _push(run: RunRecord, document: PlanDocument, work: Work, number: int, directory: str) -> PushRecord:
    order: ExportOptions = document.order
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
        chosen=order.audience is not None,
        marker=uuid.uuid4().hex[:12],
        mode=order.mode,
        normalization=order.normalization,
        scope=order.scope,
        membership_days=target.membership_days(order),
        transport=work.transport,
        adds=len(changes.adds),
        removes=changes.leaving if order.mode == "replace" else len(changes.removes),
        unchanged=changes.unchanged,
        add_parts=changes.adds.lengths,
        remove_parts=changes.removes.lengths,
        full=changes.full,
        base_generation=target.record.generation if target.record and target.remote else 0,
    )


def _steps(push: PushRecord) -> Iterator[StepRecord]:
    """Cut a push into requests, always in the same way."""
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
        yield (kind, "Replace", 0, min(size, push.adds))
        yield from ((kind, "Add", start, stop) for start, stop in _cut(size, push.adds, size))
        return
    whole = push.adds + push.removes
    yield from ((kind, "Add", start, stop) for start, stop in _cut(0, push.adds, size))
    yield from ((kind, "Remove", start, stop) for start, stop in _cut(push.adds, whole, size))


def _cut(start: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
    for first in range(start, stop, size):
        yield first, min(first + size, stop)
