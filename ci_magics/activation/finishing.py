"""Finish a push: what its answers say, the ledger that follows, and the result a person sees.

Everything here can be done twice: a crash in the middle is mended by doing it again.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ci_magics.activation.journal import ANSWERED, REFUSED, SENT, Journal
from ci_magics.activation.ledger import EMPTY, Ledger, LedgerLostError, after, read_ledger, without, write_ledger
from ci_magics.activation.run import COMPLETED, FAILED, WITH_ERRORS, AudienceResult, rejected_table
from ci_magics.activation.spool import Reasons
from ci_magics.errors import CiError
from ci_magics.matching.matched import Hashes, keys_of
from ci_magics.microsoft.faults import sentence_of
from ci_magics.workspace.models import AudienceRecord, PushRecord
from ci_magics.workspace.store import Workspace

ACCEPTED, REJECTED, UNKNOWN, UNSENT = 0, 1, 2, 3


@dataclass
class Outcome:
    """What became of each hash of a push.

    Parameters
    ----------
    hashes
        What was to be sent: what goes in, then what goes out.
    going_in
        How many of them go in.
    states
        `ACCEPTED`, `REJECTED`, `UNKNOWN` or `UNSENT`, one for each hash.
    reasons
        Microsoft's code and name for what was refused, by position.
    """

    hashes: Hashes
    going_in: int
    states: npt.NDArray[np.int8]
    reasons: Reasons = field(default_factory=dict)
    tracking_ids: tuple[str, ...] = ()

    def adds(self, state: int) -> Hashes:
        """Return the hashes in a state that were to go in."""
        chosen: Hashes = self.hashes[: self.going_in][self.states[: self.going_in] == state]
        return chosen

    def removes(self, state: int) -> Hashes:
        """Return the hashes in a state that were to go out."""
        chosen: Hashes = self.hashes[self.going_in :][self.states[self.going_in :] == state]
        return chosen

    def count(self, state: int) -> int:
        """Return how many hashes are in a state."""
        return int((self.states == state).sum())


def read_outcome(journal: Journal) -> Outcome:
    """Put the answers of all requests of a push together."""
    hashes = journal.spool.hashes()
    outcome = Outcome(hashes, min(journal.push.adds, len(hashes)), np.full(len(hashes), UNSENT, np.int8))
    for step in journal.steps():
        outcome.tracking_ids += step.tracking_ids
        mine = slice(step.start, step.stop)
        if step.state == ANSWERED:
            outcome.states[mine] = ACCEPTED
            reasons = journal.spool.reasons(step)
            outcome.states[list(reasons)] = REJECTED
            outcome.reasons |= reasons
        elif step.state == SENT or (step.state == REFUSED and step.maybe):
            outcome.states[mine] = UNKNOWN
        elif step.state == REFUSED:
            outcome.states[mine] = REJECTED
            code = int(step.code) if step.code.lstrip("-").isdigit() else None
            outcome.reasons |= dict.fromkeys(range(step.start, step.stop), (code, step.error_name))
    return outcome


def ensure_record(workspace: Workspace, journal: Journal, now: datetime) -> AudienceRecord:
    """Return what we know of the push's audience; written down when nothing was."""
    push = journal.push
    found = workspace.audiences.where(environment=push.environment, audience_id=push.audience_id)
    if found:
        return found[0]
    was_created = any(step.kind == "create" for step in journal.steps())
    if was_created:
        _forget_predecessors(workspace, push)
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
        full_send_at=None,
        updated_at=now,
    )
    write_ledger(workspace, record, Ledger())
    workspace.audiences.put(record)
    return record


def finish_push(
    workspace: Workspace, journal: Journal, record: AudienceRecord | None, error: CiError | None, now: datetime
) -> AudienceResult:
    """Write ledger, record and refused keys of a push, and return its result; whoever asks notes that it is finished.

    Parameters
    ----------
    record
        The audience; None where it could not be created.
    error
        What ended the push, if anything.
    """
    outcome = read_outcome(journal)
    if record is not None:
        record = _keep_ledger(workspace, journal, record, outcome, now)
    journal.spool.keep_rejected(_rejected(journal, outcome))
    return result_of(journal.push, outcome, record.members if record else 0, error)


def result_of(push: PushRecord, outcome: Outcome, members: int, error: CiError | None) -> AudienceResult:
    """Return what came of a push, finished or not."""
    accepted, rejected = outcome.count(ACCEPTED), outcome.count(REJECTED)
    added = len(outcome.adds(ACCEPTED))
    replaced = push.mode == "replace" and _was_replaced(outcome)
    complete = error is None and not outcome.count(UNKNOWN) and not outcome.count(UNSENT)
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
        message=str(error) if error else "",
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
        owned = False  # only a replacement makes it known again
    is_replace = push.mode == "replace"
    ledger = _replaced(before, outcome) if is_replace else _changed(before, outcome)
    complete = not outcome.count(UNKNOWN) and not outcome.count(UNSENT)
    taken_over = is_replace and complete and _was_replaced(outcome)
    record = replace(
        record,
        name=push.audience_name,
        normalization=push.normalization if taken_over else record.normalization,
        membership_days=push.membership_days,
        owned=owned or taken_over,
        members=len(ledger.members),
        generation=push.base_generation + 1,
        full_send_at=now if push.full and complete else record.full_send_at,
        updated_at=now,
    )
    write_ledger(workspace, record, ledger)
    workspace.audiences.put(record)
    return record


def _changed(before: Ledger, outcome: Outcome) -> Ledger:
    """Return the ledger after adding and removing: accepted is in or out, refused is out, unanswered may be in."""
    return after(
        before,
        added=outcome.adds(ACCEPTED),
        removed=np.concatenate([outcome.removes(ACCEPTED), outcome.adds(REJECTED)]),
        unknown=np.concatenate([outcome.adds(UNKNOWN), outcome.removes(UNKNOWN)]),
    )


def _replaced(before: Ledger, outcome: Outcome) -> Ledger:
    """Return the ledger after a replacement, which leaves nothing of what was there; an unanswered one may have."""
    first = int(outcome.states[0]) if len(outcome.states) else ACCEPTED
    if first == UNSENT or (not _was_replaced(outcome) and first != UNKNOWN):
        return before
    added, unknown = outcome.adds(ACCEPTED), outcome.adds(UNKNOWN)
    if first == UNKNOWN:
        left_over = without(before.all, outcome.hashes)
        return after(Ledger(), added=EMPTY, removed=EMPTY, unknown=np.concatenate([left_over, added, unknown]))
    return after(Ledger(), added=added, removed=EMPTY, unknown=unknown)


def _was_replaced(outcome: Outcome) -> bool:
    """Tell whether Microsoft has taken the first file of a replacement, though perhaps not every row of it."""
    return not len(outcome.states) or bool((outcome.states == ACCEPTED).any())


def _rejected(journal: Journal, outcome: Outcome) -> pa.Table:
    """Return refused profiles by key: segment, key, code, reason."""
    if not outcome.reasons:
        return rejected_table([])
    positions = sorted(outcome.reasons)
    keys = keys_of(journal.spool.profiles(), journal.push.normalization, outcome.hashes[positions])
    rows = []
    for index, key in keys.iter_rows():
        code, name = outcome.reasons[positions[index]]
        sentence = sentence_of(code, status=200, operation="it", name=name)[0]
        rows.append((journal.push.segment_name, None if key is None else str(key), code, sentence))
    return rejected_table(rows)


def _forget_predecessors(workspace: Workspace, push: PushRecord) -> None:
    """Forget a deleted audience that this one takes the place of."""
    for earlier in workspace.audiences.where(
        environment=push.environment, account_id=push.account_id, segment_name=push.segment_name, chosen=False
    ):
        if not push.chosen:
            workspace.audiences.remove(earlier.id)
            workspace.ledgers.remove(earlier.id)
