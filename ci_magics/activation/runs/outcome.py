"""The outcome of each hash of a push."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ci_magics.activation.runs.journal import Journal
from ci_magics.activation.runs.spool import Reasons
from ci_magics.errors import ServiceError
from ci_magics.microsoft.faults import sentence_of, whole
from ci_magics.workspace.statuses import ANSWERED, REFUSED, SENT

ACCEPTED, REJECTED, UNKNOWN, UNSENT = 0, 1, 2, 3


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
