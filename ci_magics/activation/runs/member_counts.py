"""How many hashes an audience holds: the ledger, plus the answers of an unfinished push."""

from __future__ import annotations

from dataclasses import dataclass

from ci_magics.activation.plans.ledger import LedgerLostError, read_ledger
from ci_magics.activation.runs.journal import Journal
from ci_magics.activation.runs.ledger_update import ledger_after
from ci_magics.activation.runs.outcome import read_outcome
from ci_magics.display.numbers import counted, counted_in_words
from ci_magics.errors import ExportRefusedError, WorkspaceError
from ci_magics.workspace.models import AudienceRecord, PushRecord
from ci_magics.workspace.store import Workspace

#: How often to read the counts if a push ends during the reading.
_TRIES = 3


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
            known = f"at least {counted_in_words(self.at_least, 'member')}"
            return known if self.at_least else "an unknown number of members"
        if self.at_most > self.at_least:
            return f"between {counted(self.at_least)} and {counted_in_words(self.at_most, 'member')}"
        return counted_in_words(self.at_least, "member")


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
