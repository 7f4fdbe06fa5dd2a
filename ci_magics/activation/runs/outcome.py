"""What the requests of a push did: answers by request, the ledger after them, and how many members are known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ci_magics.activation.plans.ledger import Ledger, LedgerLostError, Part, after, read_ledger
from ci_magics.activation.runs.journal import Journal
from ci_magics.activation.runs.spool import Reasons
from ci_magics.display.numbers import format_count, pluralize
from ci_magics.errors import ExportRefusedError, ServiceError, WorkspaceError
from ci_magics.matching.hash_sets import bits_for
from ci_magics.matching.hashes import EMPTY, Hashes, by_prefix, without
from ci_magics.microsoft.faults import sentence_of, whole
from ci_magics.workspace.models import AudienceRecord, PushRecord
from ci_magics.workspace.statuses import ANSWERED, REFUSED, SENT
from ci_magics.workspace.store import Workspace

ACCEPTED, REJECTED, UNKNOWN, UNSENT = 0, 1, 2, 3
States = npt.NDArray[np.int8]
#: How often to read the counts if a push ends during the reading.
_TRIES = 3


@dataclass
class Outcome:
    """The outcome of each hash of a push by position; hashes to add come before hashes to remove.

    Parameters
    ----------
    going_in
        Number of hashes to add.
    states
        `ACCEPTED`, `REJECTED`, `UNKNOWN` or `UNSENT` for each hash.
    reasons
        Microsoft's code and name for each rejected hash, by position.
    tracking_ids
        TrackingIds of all requests, for Microsoft's support.
    """

    going_in: int
    states: npt.NDArray[np.int8]
    reasons: Reasons = field(default_factory=dict)
    tracking_ids: tuple[str, ...] = ()

    def added(self) -> int:
        """Return the number of hashes that were added."""
        return int((self.states[: self.going_in] == ACCEPTED).sum())

    def count(self, state: int) -> int:
        """Return the number of hashes in a state."""
        return int((self.states == state).sum())

    @property
    def complete(self) -> bool:
        """Whether the outcome of every hash is known."""
        return bool((self.states <= REJECTED).all())

    @property
    def was_replaced(self) -> bool:
        """Whether Microsoft accepted the first file of a replacement, even if it rejected some of its rows."""
        return not len(self.states) or bool((self.states == ACCEPTED).any())


def read_outcome(journal: Journal) -> Outcome:
    """Combine the answers to all requests of a push."""
    push = journal.push
    going_in, going_out = sum(push.add_parts), sum(push.remove_parts)
    outcome = Outcome(going_in, np.full(going_in + going_out, UNSENT, np.int8))
    for step in journal.steps():
        outcome.tracking_ids += step.tracking_ids
        mine = slice(step.start, step.stop)
        if step.state == ANSWERED:
            outcome.states[mine] = ACCEPTED
            reasons = journal.spool.reasons(step)
            outcome.states[list(reasons)] = REJECTED
            outcome.reasons |= reasons
        # A rejected step may have arrived in an earlier attempt whose response was lost, so it is unknown too.
        elif step.state == SENT or (step.state == REFUSED and step.maybe):
            outcome.states[mine] = UNKNOWN
        elif step.state == REFUSED:
            outcome.states[mine] = REJECTED
            reason = (whole(step.code), step.error_name)
            outcome.reasons |= dict.fromkeys(range(step.start, step.stop), reason)
    return outcome


def refusal_in(journal: Journal) -> ServiceError | None:
    """Return the rejection of a whole request from the journal; None if there is none."""
    step = next((each for each in journal.steps() if each.state == REFUSED), None)
    if step is None:
        return None
    code = whole(step.code)
    sentence, next_step = sentence_of(code, operation="a request", name=step.error_name)
    return ServiceError(
        sentence,
        next_step,
        code=step.code if code is None else code,
        error_name=step.error_name,
        tracking_id=step.tracking_ids[-1] if step.tracking_ids else None,
    )


def ledger_after(journal: Journal, before: Ledger, outcome: Outcome, counted: list[int]) -> Iterator[Part]:
    """Yield the parts of the ledger after a push.

    Parameters
    ----------
    journal
        The journal of the push.
    before
        The ledger before the push.
    outcome
        The outcome of each hash of the push.
    counted
        Output: the number of members of each part is appended to it.
    """
    push = journal.push
    # All lists must be split by the same number of prefix bits to be combined part by part: as many as the finest has,
    # or as the ledger may need when it has grown.
    bits = max(before.members.bits, _bits(push.add_parts), _bits(push.remove_parts))
    bits = max(bits, bits_for(len(before.members) + sum(push.add_parts)))
    change = _replaced if push.mode == "replace" else _changed
    # A replacement's first request empties the list, so the state of its first hash decides about the old members.
    first = int(outcome.states[0]) if len(outcome.states) else ACCEPTED
    parts = zip(
        before.members.parts(bits),
        before.maybe.parts(bits),
        _sent(journal, outcome, push.add_parts, 0, bits),
        _sent(journal, outcome, push.remove_parts, sum(push.add_parts), bits),
        strict=True,
    )
    for members, maybe, adds, removes in parts:
        part = change((members, maybe), adds, removes, first, was_replaced=outcome.was_replaced)
        counted.append(len(part[0]))
        yield part


Sent = tuple[Hashes, States]
"""Hashes, and the state of each."""


def _changed(before: Part, adds: Sent, removes: Sent, _first: int, *, was_replaced: bool) -> Part:
    """Return a part after adding and removing: accepted hashes are in or out, rejected are out, unknown may be in."""
    del was_replaced
    return after(
        before,
        added=_having(adds, ACCEPTED),
        removed=np.concatenate([_having(removes, ACCEPTED), _having(adds, REJECTED)]),
        unknown=np.concatenate([_having(adds, UNKNOWN), _having(removes, UNKNOWN)]),
    )


def _replaced(before: Part, adds: Sent, _removes: Sent, first: int, *, was_replaced: bool) -> Part:
    """Return a part after a replacement. It leaves none of the old members; if it is unanswered, they may be in."""
    # Nothing was replaced: the first request was not sent, or Microsoft rejected it.
    if first == UNSENT or (first != UNKNOWN and not was_replaced):
        return before
    added, unknown = _having(adds, ACCEPTED), _having(adds, UNKNOWN)
    if first == UNKNOWN:
        left_over = without(np.concatenate(before), adds[0])
        return EMPTY, np.concatenate([left_over, added, unknown])
    return added, unknown


def _having(sent: Sent, state: int) -> Hashes:
    chosen: Hashes = sent[0][sent[1] == state]
    return chosen


def _sent(journal: Journal, outcome: Outcome, lengths: Sequence[int], start: int, bits: int) -> Iterator[Sent]:
    """Return the hashes that were sent and their states, prefix by prefix."""
    bounds = [int(bound) for bound in np.cumsum([start, *lengths])]
    parts = ((journal.spool.read(*each), outcome.states[slice(*each)]) for each in pairwise(bounds))
    if _bits(lengths) == bits:
        yield from parts
        return
    # Lists have either one part or the full number of parts, so this is the only one.
    hashes, states = next(parts)
    for places in by_prefix(hashes, bits):
        yield hashes[places], states[places]


def _bits(lengths: Sequence[int]) -> int:
    return (len(lengths) - 1).bit_length()


@dataclass(frozen=True)
class KnownMembers:
    """How many hashes an audience holds.

    Parameters
    ----------
    at_least
        Hashes that Microsoft accepted.
    at_most
        These and the hashes with an unknown outcome; None if the audience may have members that were not sent from this
        workspace.
    """

    at_least: int
    at_most: int | None

    def __str__(self) -> str:
        if self.at_most is None:
            known = f"at least {pluralize(self.at_least, 'member')}"
            return known if self.at_least else "an unknown number of members"
        if self.at_most > self.at_least:
            return f"between {format_count(self.at_least)} and {pluralize(self.at_most, 'member')}"
        return pluralize(self.at_least, "member")


def known_members(workspace: Workspace, record: AudienceRecord) -> KnownMembers:
    """Count the hashes in an audience, including the answers that an unfinished push has received so far.

    It reads every hash of the push and the ledger, which takes about a second for a few million.

    Parameters
    ----------
    workspace
        The workspace that stores the ledger and the journal.
    record
        The audience.
    """
    for _ in range(_TRIES):
        push = open_push(workspace, record)
        try:
            at_least, maybe = _counted(workspace, record, push)
        except LedgerLostError:
            break
        except (WorkspaceError, ExportRefusedError):  # race: the push has just ended and its files are gone
            record = next(iter(workspace.audiences.where(id=record.id)), record)
            continue
        return KnownMembers(at_least, at_least + maybe if record.owned else None)
    return KnownMembers(0, None)


def open_push(workspace: Workspace, record: AudienceRecord) -> PushRecord | None:
    """Return the unfinished push to an audience, if any. There is at most one, because a new push waits for its end.

    Parameters
    ----------
    workspace
        The workspace that stores the pushes.
    record
        The audience.
    """
    found = workspace.pushes.where(environment=record.environment, audience_id=record.audience_id, finished=False)
    return next(iter(found), None)


def _counted(workspace: Workspace, record: AudienceRecord, push: PushRecord | None) -> tuple[int, int]:
    """Return the number of members and the number of hashes that may be members."""
    ledger = read_ledger(workspace, record)
    if push is None:
        return len(ledger.members), len(ledger.maybe)
    # Count the ledger that the push would leave if it ended now.
    journal = Journal(workspace, push)
    parts = [(len(members), len(maybe)) for members, maybe in ledger_after(journal, ledger, read_outcome(journal), [])]
    return sum(members for members, _ in parts), sum(maybe for _, maybe in parts)
