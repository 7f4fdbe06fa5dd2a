"""The audience that a segment goes to: what Microsoft says of it, and what we know of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ci_magics.activation.ledger import Ledger, LedgerLostError, read_ledger
from ci_magics.activation.order import Order
from ci_magics.activation.services import Services
from ci_magics.errors import not_found
from ci_magics.microsoft.advertising import Audience
from ci_magics.workspace.models import AudienceRecord, Connection
from ci_magics.workspace.store import Workspace

NEVER = -1  # membership without an end


@dataclass(frozen=True)
class Target:
    """One audience as it is before a push.

    Parameters
    ----------
    name
        Its name, or the name that it will get.
    remote
        What Microsoft says; None where the list does not exist.
    record
        What we wrote down when we last sent to it; None where we never did.
    ledger
        What it holds; None where that is not known any more.
    id
        Its number; empty where the list does not exist.
    """

    name: str
    remote: Audience | None
    record: AudienceRecord | None
    ledger: Ledger | None = field(repr=False)

    @property
    def id(self) -> str:
        """The list's number; empty where it does not exist."""
        return self.remote.id if self.remote else ""

    @property
    def ours(self) -> bool:
        """Whether we know all that it holds, so that it can be mirrored."""
        return self.remote is None or (self.record is not None and self.record.owned and self.ledger is not None)

    @property
    def renamed(self) -> bool:
        """Whether somebody gave the list another name since we last sent to it."""
        return self.remote is not None and self.record is not None and self.remote.name != self.record.name

    @property
    def known(self) -> Ledger:
        """What we know it holds."""
        return self.ledger or Ledger()

    def membership_days(self, order: Order) -> int:
        """Return how long members stay."""
        if self.remote is not None and self.remote.membership_days is not None:
            return self.remote.membership_days
        return NEVER if order.membership_days is None else order.membership_days


def find_target(
    workspace: Workspace, services: Services, connection: Connection, segment_name: str, order: Order
) -> Target:
    """Look up the audience of a segment.

    Raises
    ------
    NotFoundError
        ``--audience`` names a list that does not exist or is no Customer Match list.
    """
    lists = services.advertising.audiences()
    if order.audience is not None:
        remote = named_audience(lists, order.audience)
        record = _record_of(workspace, connection, remote.id)
        return _target(workspace, remote.name, remote, record)
    record = _last_record(workspace, services, connection, segment_name)
    if record is not None:
        remote_or_none = next((each for each in lists if each.id == record.audience_id), None)
        if remote_or_none is None and _is_another_emulator(services, connection, record):
            record = None
        else:
            name = remote_or_none.name if remote_or_none else record.name
            return _target(workspace, name, remote_or_none, record)
    remote_or_none = next((each for each in lists if audience_key(each.name) == audience_key(segment_name)), None)
    known = _record_of(workspace, connection, remote_or_none.id) if remote_or_none else None
    return _target(workspace, remote_or_none.name if remote_or_none else segment_name, remote_or_none, known)


def lock_names(connection: Connection, account_id: str, target: Target) -> tuple[str, ...]:
    """Return the names under which other runs are kept from the audience: by its name, and by its number."""
    return lock_names_of(connection, account_id, target.name, target.id)


def lock_names_of(connection: Connection, account_id: str, name: str, audience_id: str) -> tuple[str, ...]:
    """Return the same for a name and a number; the number is empty where the list does not exist yet."""
    by_name = f"{connection.environment}:{account_id}:{audience_key(name)}"
    return (by_name, f"{connection.environment}:{audience_id}") if audience_id else (by_name,)


def audience_key(name: str) -> str:
    """Return a list's name as Microsoft compares names."""
    return name.strip().casefold()


def _target(workspace: Workspace, name: str, remote: Audience | None, record: AudienceRecord | None) -> Target:
    if record is None:
        return Target(name, remote, None, Ledger())
    try:
        return Target(name, remote, record, read_ledger(workspace, record))
    except LedgerLostError:
        return Target(name, remote, record, None)


def named_audience(lists: list[Audience], wanted: str) -> Audience:
    """Return the list of a number or a name; a number counts first, as names may be numbers too.

    Raises
    ------
    NotFoundError
        There is none.
    """
    by_id = {each.id: each for each in lists}
    by_name = {audience_key(each.name): each for each in lists}
    found = by_id.get(wanted.strip()) or by_name.get(audience_key(wanted))
    if found is None:
        names = [each.name for each in lists]
        raise not_found(
            "Customer Match audience",
            wanted,
            names,
            "Name a Customer Match list of the account, or leave out --audience to make one.",
        )
    return found


def _record_of(workspace: Workspace, connection: Connection, audience_id: str) -> AudienceRecord | None:
    found = workspace.audiences.where(environment=connection.environment, audience_id=audience_id)
    return found[-1] if found else None


def _last_record(
    workspace: Workspace, services: Services, connection: Connection, segment_name: str
) -> AudienceRecord | None:
    """Return the audience that the segment went to last, under its own name."""
    found = workspace.audiences.where(
        environment=connection.environment,
        account_id=services.conversation.caller.account_id,
        segment_name=segment_name,
        chosen=False,
    )
    return max(found, key=lambda each: each.updated_at) if found else None


def _is_another_emulator(services: Services, connection: Connection, record: AudienceRecord) -> bool:
    """Tell whether the audience was in an emulator that has ended: it forgets everything then."""
    return connection.environment == "emulator" and record.directory != services.directory
