"""What is known of an account's audiences before planning: what was sent, and what Microsoft counted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ci_magics.activation.connections.services import open_services
from ci_magics.clock import SystemClock, WaitStoppedError
from ci_magics.errors import CiError
from ci_magics.matching.covered_segments import SMALLEST_SERVING, SegmentCoverage
from ci_magics.matching.expected import PastReach, expect
from ci_magics.workspace.models import AudienceRecord, Connection
from ci_magics.workspace.store import Workspace


@dataclass(frozen=True)
class AccountView:
    """The audiences of an account that were filled from this workspace.

    Parameters
    ----------
    records
        Audiences that may still exist.
    sizes
        Number of people that Microsoft matched, by audience id; has only those that Microsoft has counted and returned.
    """

    records: tuple[AudienceRecord, ...]
    sizes: dict[str, int] = field(default_factory=dict)

    def of_segment(self, name: str) -> AudienceRecord | None:
        """Return the audience that a segment was last sent to under its own name."""
        found = [each for each in self.records if each.segment_name == name and not each.chosen]
        return max(found, key=lambda each: each.updated_at) if found else None

    def reached(self, normalization: str) -> tuple[PastReach, ...]:
        """Return the match results of audiences with a normalization, without those too small to serve."""
        return tuple(
            PastReach(sent=each.members, matched=self.sizes[each.audience_id])
            for each in self.records
            if each.normalization == normalization
            and each.members >= SMALLEST_SERVING
            and each.audience_id in self.sizes
        )


def view_account(workspace: Workspace, connection: Connection) -> AccountView:
    """Return an account's audiences, with their sizes if Microsoft can be asked right now.

    A preview must not start a sign-in, wait, or fail because the service is down. It asks Microsoft only if the
    connection has both consents; otherwise the sizes are missing.

    Parameters
    ----------
    workspace
        The workspace that stores the audiences.
    connection
        The connection to the account.
    """
    records = tuple(
        workspace.audiences.where(environment=connection.environment, account_id=connection.account_id),
    )
    if not records or not connection.agreed:
        return AccountView(records)
    # A stopped clock makes each wait raise an error at once, so a transient error isn't retried.
    impatient = SystemClock()
    impatient.stop()
    try:
        services = open_services(workspace, connection, show=_discard, clock=impatient, ask=False)
        if connection.environment == "emulator":
            records = tuple(each for each in records if each.directory == services.directory)
        audiences = services.advertising.audiences([each.audience_id for each in records]) if records else []
    except (CiError, WaitStoppedError):
        return AccountView(records)
    return AccountView(records, {each.id: each.search_size for each in audiences if each.search_size is not None})


def against_account(numbers: SegmentCoverage, account: AccountView, normalization: str) -> SegmentCoverage:
    """Add to the counts of a segment what is known of its audience without reading the ledger.

    Parameters
    ----------
    numbers
        The counts of the segment.
    account
        The audiences of the account.
    normalization
        The rule that the counts are for.
    """
    expected = expect(numbers.hashes, account.reached(normalization))
    if account.of_segment(numbers.name) is None:
        return replace(numbers, new=numbers.hashes, gone=0, unchanged=0, expected=expected)
    remark = f"{numbers.remark} A contributor can preview it to see how many people are new in its audience."
    return replace(numbers, expected=expected, remark=remark)


def _discard(_sentence: str) -> None:
    """Discard a sentence; a preview shows no sign-in messages."""
