"""Rename, empty and delete the Customer Match lists of an account, and update the workspace's records.

Each operation must be confirmed with the list's name, and takes the same locks as a run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from ci_magics.activation.connections.services import Services, open_services
from ci_magics.activation.plans.ledger import LedgerLostError, Part, read_ledger, write_ledger
from ci_magics.activation.plans.preview import find_connection
from ci_magics.activation.plans.target import lock_names_of, named_audience
from ci_magics.activation.runs.resume import give_up
from ci_magics.advice import Opt, advise
from ci_magics.errors import ArgumentError, ExportRefusedError
from ci_magics.matching.hashes import EMPTY
from ci_magics.microsoft.advertising import Audience
from ci_magics.microsoft.bulk import failed_upload, list_error
from ci_magics.microsoft.upload_file import write_upload_file
from ci_magics.naming import require_name
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.locks import Holder
from ci_magics.workspace.models import AudienceRecord, Connection
from ci_magics.workspace.store import Workspace

Show = Callable[[str], None]


@dataclass(frozen=True)
class _Held:
    """A list that is locked for an operation."""

    workspace: Workspace
    services: Services
    connection: Connection
    audience: Audience
    record: AudienceRecord | None

    @property
    def now(self) -> datetime:
        return self.services.conversation.clock.now()

    def note(self, verb: Verb, **facts: str | int) -> None:
        self.workspace.audit.note(
            verb, self.audience.name, connection=self.connection.name, audience=self.audience.id, **facts
        )


def rename_audience(
    workspace: Workspace, connection: str, audience: str, new: str, *, confirm: str, show: Show
) -> None:
    """Rename a list in Microsoft Advertising; see `AudienceList.rename`."""
    require_name(new, "audience")
    with _held(workspace, connection, audience, confirm, Verb.RENAME_AUDIENCE, show) as held:
        held.services.advertising.update_audience(held.audience.id, name=new)
        if held.record is not None:
            held.workspace.audiences.put(replace(held.record, name=new))
        held.note(Verb.RENAME_AUDIENCE, renamed=new)


def empty_audience(workspace: Workspace, connection: str, audience: str, *, confirm: str, show: Show) -> None:
    """Remove all members of a list, no matter who added them; see `AudienceList.empty`."""
    with _held(workspace, connection, audience, confirm, Verb.EMPTY_AUDIENCE, show) as held:
        record = _doubt(held)
        take_everybody_out(held.workspace, held.services, held.audience.id)
        if record is not None:
            _keep(held, replace(record, members=0, owned=True, full_send_at=None), [(EMPTY, EMPTY)])
        _give_up(held, "The audience was emptied.", show)
        held.note(Verb.EMPTY_AUDIENCE, members=held.record.members if held.record else 0)
        show(f"The audience '{held.audience.name}' is empty.")


def delete_audience(workspace: Workspace, connection: str, audience: str, *, confirm: str, show: Show) -> None:
    """Delete a list and the workspace's record of it; see `AudienceList.delete`."""
    with _held(workspace, connection, audience, confirm, Verb.DELETE_AUDIENCE, show) as held:
        held.services.advertising.delete_audience(held.audience.id)
        _give_up(held, "The audience was deleted.", show)
        if held.record is not None:
            held.workspace.audiences.remove(held.record.id)
            held.workspace.ledgers.remove(held.record.id)
        held.note(Verb.DELETE_AUDIENCE, members=held.record.members if held.record else 0)
        show(f"The audience '{held.audience.name}' was deleted.")


def record_of(
    workspace: Workspace, services: Services, connection: Connection, audience_id: str
) -> AudienceRecord | None:
    """Return the workspace's record of a list; None if there is none.

    An emulator that has ended may have used the same ids, so its records are ignored.

    Parameters
    ----------
    workspace
        The workspace that stores the record.
    services
        The clients, signed in.
    connection
        The connection to the account.
    audience_id
        Microsoft's id of the list.
    """
    found = workspace.audiences.where(environment=connection.environment, audience_id=audience_id)
    if connection.environment == "emulator":
        found = [each for each in found if each.directory in ("", services.directory)]
    return found[-1] if found else None


@contextmanager
def _held(workspace: Workspace, name: str, audience: str, confirm: str, verb: Verb, show: Show) -> Iterator[_Held]:
    """Find a list, check the confirmation, and lock the list against runs."""
    connection = find_connection(workspace, name)
    require(workspace, verb, connection)
    services = open_services(workspace, connection, show=show)
    found = named_audience(services.advertising.audiences(), audience)
    _require_confirmed(found, confirm, verb)
    with kept_apart(workspace, connection, services, found.name, found.id):
        record = record_of(workspace, services, connection, found.id)
        yield _Held(workspace, services, connection, found, record)


@contextmanager
def kept_apart(
    workspace: Workspace, connection: Connection, services: Services, name: str, audience_id: str
) -> Iterator[None]:
    """Lock a list against runs for the duration of a `with` block.

    Parameters
    ----------
    workspace
        The workspace that stores the locks.
    connection
        The connection to the account.
    services
        The clients, signed in.
    name, audience_id
        The list's name and Microsoft's id.

    Raises
    ------
    ExportRefusedError
        A run is sending to it, or another user is changing it.
    """

    def busy(holder: Holder) -> ExportRefusedError:
        return ExportRefusedError(_user_of(workspace, holder, name), "Wait until it is done.", code="concurrent_run")

    with workspace.locks.holding() as held:
        for lock in lock_names_of(connection, services.account_id, name, audience_id):
            held.require(lock, busy)
        yield


def _user_of(workspace: Workspace, holder: Holder, name: str) -> str:
    """Describe who uses a list: a run, or another user who is changing it."""
    if any(each.id == holder.run_id for each in workspace.runs):
        return f"The run {holder.run_id[:8]} of {holder.holder} is sending to the audience '{name}'."
    return f"{holder.holder} is changing the audience '{name}' on {holder.host} at this moment."


def _require_confirmed(audience: Audience, confirm: str, verb: Verb) -> None:
    if confirm != audience.name:
        raise ArgumentError(
            f"To {verb.phrase}, confirm it by its name; this one is '{audience.name}' (number {audience.id}).",
            advise("Add ", Opt("confirm", audience.name), "."),
            code="not_confirmed",
        )


def _doubt(held: _Held) -> AudienceRecord | None:
    """Record all members as unknown before the list is emptied, because the answer may be lost."""
    if held.record is None:
        return None
    try:
        ledger = read_ledger(held.workspace, held.record)
    except LedgerLostError:
        return held.record
    both = zip(ledger.members.parts(), ledger.maybe.parts(), strict=True)
    return _keep(held, replace(held.record, members=0), [(EMPTY, np.concatenate(pair)) for pair in both])


def _keep(held: _Held, record: AudienceRecord, parts: list[Part]) -> AudienceRecord:
    record = replace(record, generation=record.generation + 1, updated_at=held.now)
    write_ledger(held.workspace, record, parts)
    held.workspace.audiences.put(record)
    return record


def _give_up(held: _Held, why: str, show: Show) -> None:
    for run in give_up(held.workspace, held.connection.environment, held.audience.id, why, held.now):
        show(f"The run {run} was not finished and is given up for this audience.")


def take_everybody_out(workspace: Workspace, services: Services, audience_id: str) -> None:
    """Empty a list and wait until it is done. The operation is idempotent.

    Parameters
    ----------
    workspace
        The workspace with a private folder for the file.
    services
        The clients, signed in.
    audience_id
        Microsoft's id of the list.

    Raises
    ------
    ServiceError
        Microsoft refused, or the file did not arrive.
    OutcomeUnknownError
        It is unknown whether the list was emptied.
    """
    with workspace.scratch_folders.temporary_folder() as folder:
        path = folder / "upload.zip"
        # The file has no items: no personal data is sent, and no terms need to be accepted.
        write_upload_file(path, EMPTY, audience_id=audience_id, action="Replace", accept_terms=False)
        request_id, status = services.bulk.deliver(lambda: _send(services, path))
    if not status.readable:
        raise failed_upload(status)
    if status.status != "Completed":
        for error in services.bulk.errors(request_id, status):
            raise list_error(error, status)


def _send(services: Services, path: Path) -> str:
    ticket = services.bulk.request_upload()
    services.bulk.upload(ticket, path)
    return ticket.request_id
