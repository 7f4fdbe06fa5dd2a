"""How many people an audience holds, as far as it is known: what the ledger says, and what a push has done since."""

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

#: How often it is read again when a push ends while it is read.
_TRIES = 3


@dataclass(frozen=True)
class KnownMembers:
    """How many hashes an audience holds.

    Parameters
    ----------
    at_least
        Those that Microsoft accepted.
    at_most
        With those that were sent without a usable answer; None where others may be in it that did not come from here.
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
    """Count what an audience holds; a push that has not ended counts with what was answered so far.

    Every hash of such a push and of the ledger is looked at, so this takes a second for a few million.

    Parameters
    ----------
    workspace
        Where ledger and journal are.
    record
        The audience.
    """
    for _ in range(_TRIES):
        push = open_push(workspace, record)
        try:
            at_least, maybe = _counted(workspace, record, push)
        except LedgerLostError:
            break
        except (WorkspaceError, ExportRefusedError):  # the push has just ended: its files are gone
            record = next(iter(workspace.audiences.where(id=record.id)), record)
            continue
        return KnownMembers(at_least, at_least + maybe if record.owned else None)
    return KnownMembers(0, None)


def open_push(workspace: Workspace, record: AudienceRecord) -> PushRecord | None:
    """Return the push to an audience that has not ended, if there is one; another one waits for its end."""
    found = workspace.pushes.where(environment=record.environment, audience_id=record.audience_id, finished=False)
    return next(iter(found), None)


def _counted(workspace: Workspace, record: AudienceRecord, push: PushRecord | None) -> tuple[int, int]:
    """Return the numbers of members and of hashes that may be members."""
    ledger = read_ledger(workspace, record)
    if push is None:
        return len(ledger.members), len(ledger.maybe)
    journal = Journal(workspace, push)
    parts = [(len(members), len(maybe)) for members, maybe in ledger_after(journal, ledger, read_outcome(journal), [])]
    return sum(members for members, _ in parts), sum(maybe for _, maybe in parts)
