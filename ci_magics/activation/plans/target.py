"""The audience that a segment is sent to: what Microsoft reports, and what the workspace knows."""

from __future__ import annotations

from dataclasses import dataclass, field

from ci_magics.activation.connections.services import Services
from ci_magics.activation.plans.export_options import ExportOptions
from ci_magics.activation.plans.ledger import Ledger, LedgerLostError, read_ledger
from ci_magics.advice import Opt, advise
from ci_magics.errors import not_found
from ci_magics.microsoft.advertising import Audience
from ci_magics.workspace.models import AudienceRecord, Connection
from ci_magics.workspace.store import Workspace

NEVER = -1  # membership that never ends


@dataclass(frozen=True)
class Target:
    """One audience before a push.

    Parameters
    ----------
    name
        Its name, or the name that it will get.
    remote
        The list at Microsoft; None if it does not exist.
    record
        The workspace's record of the last push to it; None if nothing was ever sent to it.
    ledger
        The hashes in it; None if they are no longer known.
    last_push_record
        The record that was found when the audience was looked up. Unlike ``record``, it may be from an emulator that
        has ended.
    """

    name: str
    remote: Audience | None
    record: AudienceRecord | None
    ledger: Ledger | None = field(repr=False)
    last_push_record: AudienceRecord | None = field(repr=False)

    @property
    def id(self) -> str:
        """Microsoft's id of the list; empty if it does not exist."""
        return self.remote.id if self.remote else ""

    @property
    def ours(self) -> bool:
        """Whether the ledger is complete, so that the audience can be mirrored."""
        return self.remote is None or (self.record is not None and self.record.owned and self.ledger is not None)

    @property
    def renamed(self) -> bool:
        """Whether the list was renamed at Microsoft since the last push."""
        return self.remote is not None and self.record is not None and self.remote.name != self.record.name

    @property
    def version(self) -> str | None:
        """Version of the record at lookup, to compare with ``version_now``."""
        return _version_of(self.last_push_record)

    @property
    def known(self) -> Ledger:
        """The hashes that are known to be in it."""
        return self.ledger or Ledger()

    def membership_days(self, options: ExportOptions) -> int:
        """Return how many days members stay; -1 for no end."""
        if self.remote is not None and self.remote.membership_days is not None:
            return self.remote.membership_days
        return NEVER if options.membership_days is None else options.membership_days


def find_target(
    workspace: Workspace, services: Services, connection: Connection, segment_name: str, options: ExportOptions
) -> Target:
    """Look up the audience of a segment.

    Parameters
    ----------
    workspace
        The workspace that stores the audiences.
    services
        The clients, signed in.
    connection
        The connection to send through.
    segment_name
        The name of the segment.
    options
        The options of the export; only ``audience`` is used.

    Raises
    ------
    NotFoundError
        ``audience`` names a list that does not exist or is not a Customer Match list.
    """
    account_id = services.account_id
    # Read the workspace before Microsoft, to avoid a race condition: a list that another run creates in between would
    # look like a deleted one.
    last = (
        _last_record(workspace, connection.environment, account_id, segment_name) if options.audience is None else None
    )
    lists = services.advertising.audiences()
    if options.audience is not None:
        return _known_target(workspace, connection, named_audience(lists, options.audience))
    if last is not None:
        remote = next((each for each in lists if each.id == last.audience_id), None)
        # If the list is gone, keep the record, so that a guard reports that it was deleted. But an emulator that has
        # ended is no deletion: look for the list by name.
        if remote is not None or not _is_another_emulator(services, connection, last):
            return _target(workspace, remote.name if remote else last.name, remote, last)
    remote = next((each for each in lists if audience_key(each.name) == audience_key(segment_name)), None)
    if remote is not None:
        return _known_target(workspace, connection, remote)
    return Target(segment_name, None, None, Ledger(), last_push_record=last)


def version_now(
    workspace: Workspace, environment: str, account_id: str, segment_name: str, target: Target
) -> str | None:
    """Return the version of an audience's record now, to compare with `Target.version`.

    Parameters
    ----------
    workspace
        The workspace that stores the audiences.
    environment, account_id
        Where the audience is.
    segment_name
        The name of the segment.
    target
        The audience as it was looked up.
    """
    if target.id:
        return _version_of(_record_of(workspace, environment, target.id))
    return _version_of(_last_record(workspace, environment, account_id, segment_name))


def _version_of(record: AudienceRecord | None) -> str | None:
    """Return a version that changes with each push to an audience; None if there was no push."""
    return f"{record.id[:8]}:{record.generation}" if record else None


def lock_names(connection: Connection, account_id: str, target: Target) -> tuple[str, ...]:
    """Return the names of an audience's locks, one by its name and one by its id.

    Parameters
    ----------
    connection
        The connection to send through.
    account_id
        The id of the account.
    target
        The audience.
    """
    return lock_names_of(connection, account_id, target.name, target.id)


def lock_names_of(connection: Connection, account_id: str, name: str, audience_id: str) -> tuple[str, ...]:
    """Return the names of the locks of an audience with a name and an id.

    Parameters
    ----------
    connection
        The connection to send through.
    account_id
        The id of the account.
    name
        The name of the audience.
    audience_id
        Microsoft's id of the audience; empty if it does not exist yet.
    """
    by_name = f"{connection.environment}:{account_id}:{audience_key(name)}"
    return (by_name, f"{connection.environment}:{audience_id}") if audience_id else (by_name,)


def audience_key(name: str) -> str:
    """Return a list's name in the form in which Microsoft compares names."""
    return name.strip().casefold()


def _known_target(workspace: Workspace, connection: Connection, remote: Audience) -> Target:
    return _target(workspace, remote.name, remote, _record_of(workspace, connection.environment, remote.id))


def _target(workspace: Workspace, name: str, remote: Audience | None, record: AudienceRecord | None) -> Target:
    if record is None:
        return Target(name, remote, None, Ledger(), last_push_record=None)
    try:
        return Target(name, remote, record, read_ledger(workspace, record), last_push_record=record)
    except LedgerLostError:
        return Target(name, remote, record, None, last_push_record=record)


def named_audience(lists: list[Audience], wanted: str) -> Audience:
    """Return the list with an id or a name. Ids take precedence, because a name can look like an id.

    Parameters
    ----------
    lists
        The lists of the account.
    wanted
        The id or the name.

    Raises
    ------
    NotFoundError
        No list has it.
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
            advise("Name a Customer Match list of the account, or leave out ", Opt("audience"), " to make one."),
        )
    return found


def _record_of(workspace: Workspace, environment: str, audience_id: str) -> AudienceRecord | None:
    found = workspace.audiences.where(environment=environment, audience_id=audience_id)
    return found[-1] if found else None


def _last_record(workspace: Workspace, environment: str, account_id: str, segment_name: str) -> AudienceRecord | None:
    """Return the audience that the segment was last sent to under its own name."""
    found = workspace.audiences.where(
        environment=environment, account_id=account_id, segment_name=segment_name, chosen=False
    )
    return max(found, key=lambda each: each.updated_at) if found else None


def _is_another_emulator(services: Services, connection: Connection, record: AudienceRecord) -> bool:
    """Return whether the audience was in another emulator, which has ended and lost its data."""
    return connection.environment == "emulator" and record.directory != services.directory
