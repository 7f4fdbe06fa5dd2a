"""The emulator of a workspace for users: show its state, stop it, and reset it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_magics.activation.connections.emulator_process import (
    ADDRESS_VARIABLE,
    RunningEmulator,
    find_emulator,
    workspace_emulator,
)
from ci_magics.activation.runs.resume import concurrent, give_up_pushes, lock_names_of_push
from ci_magics.clock import present
from ci_magics.display.displayable import Displayable
from ci_magics.display.numbers import pluralize
from ci_magics.errors import ConnectionSetupError
from ci_magics.microsoft import signin
from ci_magics.microsoft.endpoints import endpoints_of
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.models import AudienceRecord, PushRecord
from ci_magics.workspace.store import Workspace

_EMULATOR = "emulator"


@dataclass(frozen=True)
class EmulatorStatus(Displayable):
    """The state of a workspace's emulator.

    Parameters
    ----------
    folder
        The folder that stores its state.
    kept_bytes
        Size of the state in bytes; it includes hashes of members.
    base_url, process_id
        Its URL and process; empty and 0 while it does not run. The next request starts it.
    audiences, members
        Number of audiences and members; None while it does not run.
    named
        Whether ``CI_MAGICS_EMULATOR`` names another emulator, which is used instead.
    """

    folder: Path
    kept_bytes: int
    base_url: str
    process_id: int
    audiences: int | None
    members: int | None
    named: bool

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return bool(self.base_url)

    def to_dict(self) -> dict[str, Any]:
        """Return the state without the URL and the process id, which differ each time."""
        return {"running": self.running, "audiences": self.audiences, "members": self.members, "named": self.named}

    def document(self) -> dict[str, Any]:
        """Return the whole state as a JSON document."""
        more = {"base_url": self.base_url, "process_id": self.process_id, "kept_bytes": self.kept_bytes}
        return self.to_dict() | more | {"folder": str(self.folder)}

    def __repr__(self) -> str:
        if self.named:
            return f"{ADDRESS_VARIABLE} names the emulator that is used; the workspace's own one is not."
        if not self.running:
            return "The emulator of this workspace does not run. The next request starts it, with all that it held."
        held = pluralize(self.audiences or 0, "audience")
        members = pluralize(self.members or 0, "member")
        return (
            f"The emulator of this workspace runs at {self.base_url} (process {self.process_id}): {held}, {members}. "
            "It serves all kernels of the workspace and ends when none is left."
        )


@dataclass(frozen=True)
class EmulatorReset(Displayable):
    """What a reset of the emulator deleted.

    Parameters
    ----------
    audiences, members
        From the emulator; None if its state could not be read and was deleted as a whole.
    ledgers
        Ledgers of these audiences in the workspace.
    runs
        Unfinished runs that were canceled.
    """

    audiences: int | None
    members: int | None
    ledgers: int
    runs: int

    def __repr__(self) -> str:
        if self.audiences is None:
            held = "state that could not be read"
        else:
            members = pluralize(self.members or 0, "member")
            held = f"{pluralize(self.audiences, 'audience')} with {members}"
        runs = f", {pluralize(self.runs, 'unfinished run')} given up" if self.runs else ""
        return (
            f"The emulator of this workspace is reset. Removed: {held}, "
            f"{pluralize(self.ledgers, 'ledger')}{runs}. The next export creates its audience again."
        )


def emulator_status(workspace: Workspace) -> EmulatorStatus:
    """Return the state of the workspace's emulator without starting it."""
    require(workspace, Verb.SHOW_STATUS)
    folder = workspace.emulator_folder
    kept = sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
    named = bool(os.environ.get(ADDRESS_VARIABLE))
    running = None if named else find_emulator(folder)
    if running is None:
        return EmulatorStatus(folder, kept, "", 0, None, None, named)
    try:
        audiences, members = _held(running)
    finally:
        running.release()
    return EmulatorStatus(folder, kept, running.base_url, running.process_id, audiences, members, named)


def stop_emulator(workspace: Workspace) -> bool:
    """End the process of the workspace's emulator, and return whether it was running."""
    require(workspace, Verb.RUN_EXPORT)
    running = find_emulator(workspace.emulator_folder)
    if running is None:
        return False
    running.control("stop", {})
    running.release()
    return True


def reset_emulator(workspace: Workspace) -> EmulatorReset:
    """Reset the workspace's emulator, and delete the records of its audiences; see `Emulator.reset`."""
    require(workspace, Verb.DELETE_AUDIENCE)
    if os.environ.get(ADDRESS_VARIABLE):
        raise ConnectionSetupError(
            f"{ADDRESS_VARIABLE} names an emulator that does not belong to this workspace.",
            "Unset it to reset the workspace's own emulator, or use POST /_emulator/reset on the named one.",
            code="emulator_named",
        )
    pushes = workspace.pushes.where(environment=_EMULATOR, finished=False)
    for push in pushes:
        for name in lock_names_of_push(push):
            holder = workspace.locks.holder(name)
            if holder is not None and holder.is_alive:
                raise concurrent(push.audience_name, holder).refusal()
    try:
        running = workspace_emulator(workspace.emulator_folder)
    except ConnectionSetupError as error:
        if error.code != "emulator_damaged":
            raise
        shutil.rmtree(workspace.emulator_folder)  # the next one has a new tenant, so old records no longer apply
        return _noted(workspace, EmulatorReset(None, None, 0, 0))
    audiences, members = _held(running)
    directory = _directory_of(running)
    running.control("reset", {})
    ledgers = _forget_records(workspace, workspace.audiences.where(environment=_EMULATOR, directory=directory))
    runs = _give_up(workspace, [each for each in pushes if each.directory == directory])
    return _noted(workspace, EmulatorReset(audiences, members, ledgers, runs))


def _held(running: RunningEmulator) -> tuple[int, int]:
    audiences = [each for each in running.control("audiences") if not each["deleted"]]
    return len(audiences), sum(each["members"] for each in audiences)


def _directory_of(running: RunningEmulator) -> str:
    endpoints = endpoints_of(_EMULATOR, running.base_url)
    app = signin.open_application(endpoints, client_id=signin.EMULATOR_CLIENT_ID)
    return signin.sign_in_to_emulator(app, endpoints).directory


def _forget_records(workspace: Workspace, records: list[AudienceRecord]) -> int:
    for record in records:
        workspace.audiences.remove(record.id)
        workspace.ledgers.remove(record.id)
    return len(records)


def _give_up(workspace: Workspace, pushes: list[PushRecord]) -> int:
    return len(set(give_up_pushes(workspace, pushes, "The emulator was reset.", present())))


def _noted(workspace: Workspace, reset: EmulatorReset) -> EmulatorReset:
    workspace.audit.note(Verb.DELETE_AUDIENCE, _EMULATOR, audiences=reset.audiences, members=reset.members)
    return reset
