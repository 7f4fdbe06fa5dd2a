"""Finish a push: read the answers, update the ledger, and build the result that a person sees.

Every step here is idempotent, so that a resumed run can repeat it after a crash.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import numpy as np
import pyarrow as pa

from ci_magics.activation.plans.ledger import Ledger, LedgerLostError, read_ledger, write_ledger
from ci_magics.activation.run import AudienceResult, rejected_table
from ci_magics.activation.runs.journal import Journal
from ci_magics.activation.runs.outcome import ACCEPTED, REJECTED, UNKNOWN, UNSENT, Outcome, ledger_after, read_outcome
from ci_magics.errors import CiError, WorkspaceError
from ci_magics.matching.hashes import EMPTY
from ci_magics.matching.keys import keys_of
from ci_magics.microsoft.faults import sentence_of
from ci_magics.workspace.models import AudienceRecord, PushRecord
from ci_magics.workspace.statuses import COMPLETED, FAILED, WITH_ERRORS
from ci_magics.workspace.store import Workspace


def ensure_record(workspace: Workspace, journal: Journal, now: datetime) -> AudienceRecord:
    """Return the workspace's record of the push's audience; create the record if it doesn't exist.

    Parameters
    ----------
    workspace
        The workspace that stores the record and the ledger.
    journal
        The journal of the push.
    now
        The current time.
    """
    push = journal.push
    found = workspace.audiences.where(environment=push.environment, audience_id=push.audience_id)
    if found:
        return found[0]
    was_created = any(step.kind == "create" for step in journal.steps())
    if was_created:
        _delete_replaced_records(workspace, push)
    record = AudienceRecord(
        id=str(uuid.uuid4()),
        environment=push.environment,
        account_id=push.account_id,
        audience_id=push.audience_id,
        directory=push.directory,
        name=push.audience_name,
        segment_name=push.segment_name,
        normalization=push.normalization,
        membership_days=push.membership_days,
        owned=was_created,
        chosen=push.chosen,
        members=0,
        generation=0,
        full_send_at=now if was_created else None,
        updated_at=now,
    )
    # The file before the row, so that a record always has a ledger.
    write_ledger(workspace, record, [(EMPTY, EMPTY)])
    workspace.audiences.put(record)
    return record


def finish_push(
    workspace: Workspace, journal: Journal, record: AudienceRecord | None, error: CiError | None, now: datetime
) -> AudienceResult:
    """Save the ledger, the record and the rejected keys of a push, and return its result.

    The caller records that the push is finished.

    Parameters
    ----------
    workspace
        The workspace that stores them.
    journal
        The journal of the push.
    record
        The audience; None if it could not be created.
    error
        The error that ended the push, if any.
    now
        The current time.
    """
    outcome = read_outcome(journal)
    if record is not None:
        record = _keep_ledger(workspace, journal, record, outcome, now)
    journal.spool.keep_rejected(_rejected(journal, outcome))
    return result_of(journal.push, outcome, record.members if record else 0, error)


def result_of(push: PushRecord, outcome: Outcome, members: int, error: CiError | None) -> AudienceResult:
    """Return the result of a push, finished or not.

    Parameters
    ----------
    push
        The push.
    outcome
        The outcome of each of its hashes.
    members
        Number of known members of the audience.
    error
        The error that ended or interrupted the push, if any.
    """
    accepted, rejected = outcome.count(ACCEPTED), outcome.count(REJECTED)
    added = outcome.added()
    replaced = push.mode == "replace" and outcome.was_replaced
    complete = error is None and outcome.complete
    if complete:
        status = WITH_ERRORS if rejected else COMPLETED
    else:
        status = WITH_ERRORS if accepted else FAILED
    return AudienceResult(
        segment=push.segment_name,
        audience=push.audience_name,
        audience_id=push.audience_id,
        status=status,
        accepted=accepted,
        added=added,
        removed=(push.removes if replaced else 0) if push.mode == "replace" else accepted - added,
        unchanged=push.unchanged,
        rejected=rejected,
        unknown=outcome.count(UNKNOWN),
        unsent=outcome.count(UNSENT),
        members=members,
        message=error.stored() if error else "",
        code="" if error is None or error.code is None else str(error.code),
        error_name=error.error_name if error else "",
        tracking_ids=outcome.tracking_ids,
    )


def _keep_ledger(
    workspace: Workspace, journal: Journal, record: AudienceRecord, outcome: Outcome, now: datetime
) -> AudienceRecord:
    push = journal.push
    before, owned = Ledger(), record.owned
    try:
        before = read_ledger(workspace, record)
    except LedgerLostError:
        owned = False  # unknown until a replacement
    taken_over = push.mode == "replace" and outcome.complete and outcome.was_replaced
    counted: list[int] = []
    # `base_generation` was read when the plan was made. Adding 1 to it, not to the current generation, makes a
    # repetition after a crash write the same number.
    record = replace(
        record,
        name=push.audience_name,
        normalization=push.normalization if taken_over else record.normalization,
        membership_days=push.membership_days,
        owned=owned or taken_over,
        generation=push.base_generation + 1,
        full_send_at=now if push.full and outcome.complete else record.full_send_at,
        updated_at=now,
    )
    write_ledger(workspace, record, ledger_after(journal, before, outcome, counted))
    record = replace(record, members=sum(counted))
    # Another process may have renamed the segment meanwhile; the push's lock protects the other fields.
    workspace.audiences.change(lambda now: replace(record, segment_name=now.segment_name), id=record.id)
    return record


def rejected_so_far(workspace: Workspace, push: PushRecord) -> pa.Table:
    """Return the profiles that Microsoft has rejected so far, for a push that has not ended.

    Parameters
    ----------
    workspace
        The workspace that stores the journal and the spool.
    push
        The unfinished push.

    Returns
    -------
    pyarrow.Table
        The columns of `rejected_table`; no rows if the push is just ending or its spool is gone.
    """
    journal = Journal(workspace, push)
    try:
        return _rejected(journal, read_outcome(journal))
    except WorkspaceError:  # the spool is gone, or the push is just ending
        return rejected_table([])


def _rejected(journal: Journal, outcome: Outcome) -> pa.Table:
    """Return the rejected profiles with the columns of `rejected_table`."""
    if not outcome.reasons:
        return rejected_table([])
    positions = sorted(outcome.reasons)
    hashes = np.concatenate([journal.spool.read(start, stop) for start, stop in _runs_of(positions)])
    keys = keys_of(journal.spool.profiles(), journal.push.normalization, hashes)
    rows = []
    for index, key in keys.iter_rows():
        code, name = outcome.reasons[positions[index]]
        sentence = sentence_of(code, operation="it", name=name)[0]
        rows.append((journal.push.segment_name, key, code, sentence, name))
    return rejected_table(rows)


def _runs_of(positions: list[int]) -> Iterator[tuple[int, int]]:
    """Return positions as ranges, so that neighbors are read together."""
    bounds = np.flatnonzero(np.diff(positions) != 1) + 1
    for run in np.split(np.array(positions), bounds):
        yield int(run[0]), int(run[-1]) + 1


def _delete_replaced_records(workspace: Workspace, push: PushRecord) -> None:
    """Delete the records of earlier audiences that this one replaces because they no longer exist."""
    for earlier in workspace.audiences.where(
        environment=push.environment, account_id=push.account_id, segment_name=push.segment_name, chosen=False
    ):
        if not push.chosen:
            workspace.audiences.remove(earlier.id)
            workspace.ledgers.remove(earlier.id)
