"""What is known of an account's audiences before anything is planned: what we sent, and what Microsoft counted."""

from __future__ import annotations

from dataclasses import dataclass, field

from ci_magics.activation.connections.services import open_services
from ci_magics.clock import SystemClock, WaitStoppedError
from ci_magics.errors import CiError
from ci_magics.matching.coverage import SMALLEST_SERVING
from ci_magics.matching.expected import Reached
from ci_magics.workspace.models import AudienceRecord, Connection
from ci_magics.workspace.store import Workspace


@dataclass(frozen=True)
class AccountView:
    """The audiences of an account that were filled from here.

    Parameters
    ----------
    records
        Those that may still be there.
    sizes
        People that Microsoft matched, by audience id; only where it has counted and could be asked.
    """

    records: tuple[AudienceRecord, ...]
    sizes: dict[str, int] = field(default_factory=dict)

    def of_segment(self, name: str) -> AudienceRecord | None:
        """Return the audience that a segment went to last, under its own name."""
        found = [each for each in self.records if each.segment_name == name and not each.chosen]
        return max(found, key=lambda each: each.updated_at) if found else None

    def reached(self, normalization: str) -> tuple[Reached, ...]:
        """Return what audiences under a normalization reached; those too small to serve tell nothing."""
        return tuple(
            Reached(sent=each.members, matched=self.sizes[each.audience_id])
            for each in self.records
            if each.normalization == normalization
            and each.members >= SMALLEST_SERVING
            and each.audience_id in self.sizes
        )


def view_account(workspace: Workspace, connection: Connection) -> AccountView:
    """Look at an account: Microsoft is asked only with consent, and neither a person nor a wait is.

    A preview must not start a sign-in, nor fail because the service is away: it knows less then.
    """
    records = tuple(
        workspace.audiences.where(environment=connection.environment, account_id=connection.account_id),
    )
    if not records or not connection.agreed:
        return AccountView(records)
    impatient = SystemClock()
    impatient.stop()
    try:
        services = open_services(workspace, connection, show=_unheard, clock=impatient, ask=False)
        if connection.environment == "emulator":
            records = tuple(each for each in records if each.directory == services.directory)
        audiences = services.advertising.audiences([each.audience_id for each in records]) if records else []
    except (CiError, WaitStoppedError):
        return AccountView(records)
    return AccountView(records, {each.id: each.search_size for each in audiences if each.search_size is not None})


def _unheard(_sentence: str) -> None:
    """Say nothing: a preview that cannot know more is still a preview."""
