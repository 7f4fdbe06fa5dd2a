"""Remove one person from an audience and from its ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ci_magics.activation.audiences.audience_operations import kept_apart
from ci_magics.activation.connections.consents import require_consents
from ci_magics.activation.connections.services import Services, open_services
from ci_magics.activation.erasure.person import Person, as_rows
from ci_magics.activation.plans.ledger import Ledger, LedgerLostError, Part, read_ledger, write_ledger
from ci_magics.activation.runs.spool import Spool
from ci_magics.advice import NAME, Do, advise
from ci_magics.errors import CiError, ExportRefusedError, WorkspaceError
from ci_magics.matching.hash_list import HashList
from ci_magics.matching.hash_sets import shared
from ci_magics.matching.hashes import without
from ci_magics.microsoft.faults import service_error
from ci_magics.microsoft.http import Permit
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.models import AudienceRecord, Connection, PushRecord
from ci_magics.workspace.store import Workspace

_BLOCK = 1_000_000


@dataclass(frozen=True)
class RemovalResult:
    """Result for one audience.

    Parameters
    ----------
    environment, account, audience
        Environment, account id, and audience name.
    done
        Whether the person is no longer in the audience.
    message
        What was done, or why it failed.
    """

    environment: str
    account: str
    audience: str
    done: bool
    message: str

    def __repr__(self) -> str:
        return f"audience '{self.audience}' ({self.environment}, account {self.account}): {self.message}"


def remove_from_audience(
    workspace: Workspace, record: AudienceRecord, person: Person, show: Callable[[str], None]
) -> RemovalResult:
    """Send Remove for all hashes of a person that an audience may hold. An error becomes part of the result.

    Parameters
    ----------
    workspace
        Workspace to use.
    record
        The audience.
    person
        Person to remove.
    show
        Called with each message for the user, such as a sign-in code.
    """
    done, message = True, "removed"
    try:
        message = _remove(workspace, record, person, show)
    except CiError as error:
        done, message = False, str(error)
    return RemovalResult(record.environment, record.account_id, record.name, done, message)


def require_no_open_run(workspace: Workspace, person: Person) -> None:
    """Check that no unfinished run holds the person's hashes.

    Parameters
    ----------
    workspace
        Workspace to use.
    person
        Person to remove.

    Raises
    ------
    ExportRefusedError
        An unfinished run holds the hashes; the error names the run.
    """
    for push in workspace.pushes.where(finished=False):
        if _spooled(workspace, push, person):
            raise ExportRefusedError(
                f"The run {push.run_id[:8]} was not finished and still holds this person, who is on the suppression "
                "list now.",
                advise(
                    "Finish it (", Do("runs.resume", push.run_id[:8]), ") or empty its audience, then forget again."
                ),
                code="unfinished_run",
            )


def _remove(workspace: Workspace, record: AudienceRecord, person: Person, show: Callable[[str], None]) -> str:
    connection = _connection_to(workspace, record)
    require_consents(connection)
    services = open_services(workspace, connection, show=show, account_id=record.account_id)
    if record.environment == "emulator" and record.directory not in ("", services.directory):
        _keep(workspace, record, person)
        return "the emulator that held it has ended"
    with kept_apart(workspace, connection, services, record.name, record.audience_id):
        return _removed(workspace, services, record, person, lambda _: _require_still(workspace, connection))


def _require_still(workspace: Workspace, connection: Connection) -> None:
    """Check role and consents again, as they are now."""
    require(workspace, Verb.FORGET_PERSON)
    found = workspace.all_connections.where(id=connection.id)
    require_consents(found[0] if found else replace(connection, consents=()))


def _removed(workspace: Workspace, services: Services, record: AudienceRecord, person: Person, permit: Permit) -> str:
    if not services.advertising.audiences([record.audience_id]):
        _keep(workspace, record, person)
        return "it no longer exists"
    hashes = sorted(each.hex() for each in _may_hold(workspace, record, person))
    if hashes:
        applied = services.advertising.apply(record.audience_id, "Remove", hashes, accept_terms=True, permit=permit)
        if applied.faults:
            raise service_error(
                applied.faults, status=200, tracking_id=applied.tracking_id, operation="ApplyCustomerListUserData"
            )
    _keep(workspace, record, person)
    return "removed"


def _may_hold(workspace: Workspace, record: AudienceRecord, person: Person) -> frozenset[bytes]:
    """Return the hashes of a person that an audience may hold: those with its normalization or in its ledger."""
    try:
        ledger = read_ledger(workspace, record)
    except LedgerLostError:
        return person.hashes
    others = {each for each in person.hashes if shared(HashList.of(as_rows({each})), ledger.all)}
    return person.under(record.normalization) | others


def _keep(workspace: Workspace, record: AudienceRecord, person: Person) -> None:
    """Write the ledger without the person."""
    try:
        ledger = read_ledger(workspace, record)
    except LedgerLostError:
        return
    counted: list[int] = []
    record = replace(record, generation=record.generation + 1)
    write_ledger(workspace, record, _parts_without(ledger, person, counted))
    workspace.audiences.put(replace(record, members=sum(counted)))


def _parts_without(ledger: Ledger, person: Person, counted: list[int]) -> Iterator[Part]:
    gone = as_rows(person.hashes)
    for members, maybe in zip(ledger.members.parts(), ledger.maybe.parts(), strict=True):
        part = without(members, gone), without(maybe, gone)
        counted.append(len(part[0]))
        yield part


def _connection_to(workspace: Workspace, record: AudienceRecord) -> Connection:
    """Return a connection to the account of an audience; one with consents takes precedence."""
    found = [each for each in workspace.all_connections if each.environment == record.environment]
    # The best connection comes last: the right account first of all, then consents.
    found.sort(key=lambda each: (each.account_id == record.account_id, each.agreed, each.terms_accepted))
    if not found or found[-1].account_id != record.account_id:
        raise WorkspaceError(
            "There is no longer a connection to its account.",
            advise("Make one with ", Do("connect", NAME), ", or delete the audience in Microsoft Advertising."),
            code="no_connection",
        )
    return found[-1]


def _spooled(workspace: Workspace, push: PushRecord, person: Person) -> bool:
    spool = Spool(workspace, push)
    total = push.adds + push.removes
    try:
        for start in range(0, total, _BLOCK):
            block = HashList.of(spool.read(start, min(start + _BLOCK, total)))
            if shared(block, HashList.of(as_rows(person.hashes))):
                return True
    except WorkspaceError:
        return bool(workspace.spool.names(f"{push.id}-hashes"))  # False if the spool is deleted; True if it is damaged
    return False
