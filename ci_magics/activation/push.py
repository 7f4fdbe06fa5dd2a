"""Carry a plan out: create audiences, send hashes, keep ledgers, and say precisely what came of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from ci_magics.activation.connections import require_consents
from ci_magics.activation.ledger import EMPTY, Ledger, after, read_ledger, write_ledger
from ci_magics.activation.plan import AudiencePlan, Plan
from ci_magics.activation.progress import Progress, Reporter
from ci_magics.activation.run import (
    COMPLETED,
    FAILED,
    RUNNING,
    WITH_ERRORS,
    AudienceResult,
    Run,
    overall,
    rejected_table,
)
from ci_magics.activation.sending import ACCEPTED, REJECTED, UNKNOWN, UNSENT, Outcome, send_by_calls, send_by_files
from ci_magics.activation.services import Services
from ci_magics.errors import CiError
from ci_magics.matching.matched import keys_of
from ci_magics.microsoft.advertising import Action
from ci_magics.microsoft.faults import sentence_of
from ci_magics.workspace.models import AudienceRecord, RunRecord
from ci_magics.workspace.store import Workspace

_RejectedRow = tuple[str, str, int | None, str]


def carry_out(plan: Plan, report: Reporter, *, workspace: Workspace, open_services: Callable[[Plan], Services]) -> Run:
    """Send what a plan says.

    Raises
    ------
    ConsentError
        A consent is missing; nothing was sent.
    CiError
        Nothing could be sent at all; where some audiences worked, the run tells about the others.
    """
    require_consents(workspace.connections[plan.connection.name])
    services = open_services(plan)
    record = RunRecord(
        id=str(uuid.uuid4()),
        connection_id=plan.connection.id,
        destination=plan.destination,
        status=RUNNING,
        results=[],
        started_by=workspace.user,
        started_at=datetime.now(UTC),
    )
    workspace.runs.put(record)
    rejected: list[_RejectedRow] = []
    results: list[AudienceResult] = []
    errors: list[CiError] = []
    for audience in plan.audiences:
        result, error = _push(workspace, services, plan, audience, report, rejected)
        results.append(result)
        errors += [error] if error else []
        _record(workspace, record, results, finished=len(results) == len(plan.audiences))
    if errors and all(each.status == FAILED for each in results):
        raise errors[0]
    table = rejected_table(rejected)
    if table.num_rows:
        workspace.spool.write(f"{record.id}-rejected", table)
    return Run(record.id, plan.destination, tuple(results), record.started_at, datetime.now(UTC), table)


def _push(
    workspace: Workspace,
    services: Services,
    plan: Plan,
    audience: AudiencePlan,
    report: Reporter,
    rejected: list[_RejectedRow],
) -> tuple[AudienceResult, CiError | None]:
    tracking: list[str] = []
    try:
        record = audience.record or _create(workspace, services, plan, audience, report, tracking)
    except CiError as error:
        return AudienceResult(audience.segment, audience.audience, "", FAILED, message=str(error)), error
    added = _send(services, audience, record.audience_id, "Add", report)
    removed = _send(services, audience, record.audience_id, "Remove", report) if not added.error else None
    ledger = _keep_ledger(workspace, record, added, removed)
    for outcome in (added, removed):
        if outcome is not None:
            tracking += outcome.tracking_ids
            rejected += _rejected_rows(plan, audience, outcome)
    stopped = added.error or (removed.error if removed else None)
    return _result(audience, record, added, removed, ledger, tracking), stopped


def _create(
    workspace: Workspace,
    services: Services,
    plan: Plan,
    audience: AudiencePlan,
    report: Reporter,
    tracking: list[str],
) -> AudienceRecord:
    report(Progress(f"Creating the audience {audience.audience}"))
    caller = services.conversation.caller
    marker = uuid.uuid4().hex[:12]
    audience_id, tracking_id = services.advertising.add_audience(
        audience.audience,
        description=f"Filled by ci-magics ({marker})",
        scope=plan.order.scope,
        parent_id=caller.account_id if plan.order.scope == "Account" else caller.customer_id,
        membership_days=plan.order.membership_days,
    )
    tracking += [tracking_id] if tracking_id else []
    record = AudienceRecord(
        id=str(uuid.uuid4()),
        environment=plan.connection.environment,
        account_id=caller.account_id,
        audience_id=audience_id,
        name=audience.audience,
        segment_name=audience.segment,
        normalization=plan.order.normalization,
        membership_days=plan.order.membership_days,
        owned=True,
        members=0,
        generation=0,
        updated_at=datetime.now(UTC),
    )
    write_ledger(workspace, record.id, Ledger())
    workspace.audiences.put(record)
    return record


def _send(services: Services, audience: AudiencePlan, audience_id: str, action: Action, report: Reporter) -> Outcome:
    hashes = audience.change.adds if action == "Add" else audience.change.removes
    if not len(hashes):
        return Outcome(hashes)
    send = send_by_files if audience.transport == "bulk" else send_by_calls
    return send(services, audience_id, action, hashes, report=report)


def _keep_ledger(workspace: Workspace, record: AudienceRecord, added: Outcome, removed: Outcome | None) -> Ledger:
    """Write down what is known: accepted hashes are in or out, rejected ones are out, the others may be in."""
    taken_out = np.concatenate([added.having(REJECTED), removed.having(ACCEPTED) if removed else EMPTY])
    unknown = np.concatenate([added.having(UNKNOWN), removed.having(UNKNOWN) if removed else EMPTY])
    ledger = after(read_ledger(workspace, record.id), added=added.having(ACCEPTED), removed=taken_out, unknown=unknown)
    write_ledger(workspace, record.id, ledger)
    workspace.audiences.put(
        replace(record, members=len(ledger.members), generation=record.generation + 1, updated_at=datetime.now(UTC))
    )
    return ledger


def _rejected_rows(plan: Plan, audience: AudiencePlan, outcome: Outcome) -> list[_RejectedRow]:
    if not outcome.reasons:
        return []
    positions = sorted(outcome.reasons)
    keys = keys_of(audience.stored.matched.table, plan.order.normalization, outcome.hashes[positions])
    rows: list[_RejectedRow] = []
    for index, key in keys.iter_rows():
        code, name = outcome.reasons[positions[index]]
        rows.append((audience.segment, str(key), code, sentence_of(code, status=200, operation="it", name=name)[0]))
    return rows


def _result(
    audience: AudiencePlan,
    record: AudienceRecord,
    added: Outcome,
    removed: Outcome | None,
    ledger: Ledger,
    tracking: list[str],
) -> AudienceResult:
    outcomes = [added, *([removed] if removed else [])]
    error = added.error or (removed.error if removed else None)
    accepted = sum(each.count(ACCEPTED) for each in outcomes)
    rejected = sum(each.count(REJECTED) for each in outcomes)
    unfinished = sum(each.count(UNKNOWN) + each.count(UNSENT) for each in outcomes)
    if error or unfinished:
        status = WITH_ERRORS if accepted else FAILED
    else:
        status = WITH_ERRORS if rejected else COMPLETED
    return AudienceResult(
        segment=audience.segment,
        audience=record.name,
        audience_id=record.audience_id,
        status=status,
        added=added.count(ACCEPTED),
        removed=removed.count(ACCEPTED) if removed else 0,
        unchanged=audience.unchanged,
        rejected=rejected,
        unknown=sum(each.count(UNKNOWN) for each in outcomes),
        members=len(ledger.members),
        message=str(error) if error else "",
        tracking_ids=tuple(tracking),
    )


def _record(workspace: Workspace, record: RunRecord, results: list[AudienceResult], *, finished: bool) -> None:
    workspace.runs.put(
        replace(
            record,
            status=overall([each.status for each in results]) if finished else RUNNING,
            results=[each.document() for each in results],
            finished_at=datetime.now(UTC) if finished else None,
        )
    )
