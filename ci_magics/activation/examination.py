"""Check an environment for problems before they occur; each finding has one line and one remedy."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_magics.activation.connections.emulator_process import ADDRESS_VARIABLE, workspace_emulator
from ci_magics.activation.connections.services import connection_endpoints
from ci_magics.activation.connections.sign_in import noted_sign_in
from ci_magics.activation.exports.heartbeats import scheduler_state
from ci_magics.activation.exports.schedule_checks import is_scheduled
from ci_magics.activation.exports.system_schedule import system_schedule
from ci_magics.activation.machine import BAD as BAD
from ci_magics.activation.machine import GOOD as GOOD
from ci_magics.activation.machine import LOOK as LOOK
from ci_magics.activation.machine import Finding as Finding
from ci_magics.activation.machine import Machine, examine_folder, examine_memory, examine_process
from ci_magics.advice import NAME, Do
from ci_magics.clock import present
from ci_magics.display.displayable import plain
from ci_magics.display.html_table import signed
from ci_magics.display.numbers import pluralize
from ci_magics.display.result_table import Column, ResultTable, frame_only
from ci_magics.errors import CiError
from ci_magics.grammar.operation import operation
from ci_magics.microsoft.reach import Answer, ask_services
from ci_magics.microsoft.unreachable import EMULATOR_GONE
from ci_magics.version import __version__
from ci_magics.workspace.location import default_location, folder_of
from ci_magics.workspace.models import Connection
from ci_magics.workspace.storage_errors import cause_of_file_error
from ci_magics.workspace.store import Workspace, WorkspaceLike, store_of

_MARKS = {GOOD: "ok", LOOK: "!", BAD: "x"}
_LIBRARIES = ("ipython", "pandas", "polars", "duckdb", "pyarrow", "msal", "requests", "sqlalchemy")
_MOST_AHEAD = 300  # seconds; Microsoft rejects tokens if the clock differs by more


@dataclass(frozen=True, repr=False)
class Examination(ResultTable[Finding]):
    """The findings of all checks."""

    findings: tuple[Finding, ...]

    _columns = (
        *frame_only("check", "state"),
        Column("Check", lambda each: f"{signed(_MARKS[each.state])} {each.check}"),
        Column("Found", "found"),
        Column("What to do", "remedy"),
    )

    @property
    def _rows(self) -> tuple[Finding, ...]:
        return self.findings

    @property
    def healthy(self) -> bool:
        """Whether no finding is bad."""
        return all(each.state != BAD for each in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return every finding."""
        return {"healthy": self.healthy, "findings": plain(self.findings)}

    def document(self) -> dict[str, Any]:
        """Return the whole result as a JSON document."""
        return self.to_dict()

    def __repr__(self) -> str:
        return "\n".join(
            f"{_MARKS[each.state]} {each.check}: {each.found}{f' {each.remedy}' if each.remedy else ''}"
            for each in self.findings
        )


@operation(changes=False)
def doctor(
    *, front_end: Sequence[Finding] = (), workspace: WorkspaceLike | None = None, machine: Machine | None = None
) -> Examination:
    """Check versions, machine, workspace, token cache, scheduler, sign-ins, consents, services and clock.

    Parameters
    ----------
    front_end
        Findings about the notebook that this runs in.
    workspace
        Workspace to check; None opens the default one.
    machine
        Where to get disk and memory sizes. By default, this machine.

    Returns
    -------
    Examination
        A finding for each check. Nothing is raised; problems are findings.
    """
    machine = machine or Machine()
    findings = [_versions(), *front_end, *examine_process(), *examine_memory(machine)]
    try:
        workspace = store_of(workspace)
        findings += [_writable(workspace), *examine_folder(workspace.folder, machine), _encryption()]
        findings += [*_scheduler(workspace), *_of_connections(workspace)]
    except CiError as error:
        findings.append(Finding("workspace", BAD, error.sentence, error.next_step))
        findings += _disk_of_unopened_workspace(machine)
    return Examination(tuple(findings))


def _disk_of_unopened_workspace(machine: Machine) -> Iterator[Finding]:
    """Check the disk of a workspace that cannot be opened, because a full disk may be the cause."""
    with contextlib.suppress(CiError):
        folder = folder_of(default_location())
        if folder is not None:
            yield from examine_folder(next(each for each in (folder, *folder.parents) if each.exists()), machine)


def _versions() -> Finding:
    here = [name for name in _LIBRARIES if importlib.util.find_spec(_module(name))]
    missing = [name for name in _LIBRARIES if name not in here]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in here)
    found = f"ci-magics {__version__}, Python {platform.python_version()}, {versions}."
    if missing:
        return Finding("versions", BAD, f"{', '.join(missing)} not installed.", "pip install --upgrade ci-magics")
    return Finding("versions", GOOD, found)


def _module(name: str) -> str:
    return {"ipython": "IPython"}.get(name, name)


def _writable(workspace: Workspace) -> Finding:
    try:
        with tempfile.NamedTemporaryFile(dir=workspace.folder, prefix="doctor-"):
            pass
    except OSError as error:
        why, remedy = cause_of_file_error(error)
        return Finding("workspace", BAD, f"Its folder cannot be written to: {why}.", str(remedy))
    mode = workspace.folder.stat().st_mode & 0o077
    if os.name == "posix" and mode:
        return Finding("workspace", LOOK, "Other users of this machine can read its folder.", "chmod 700 on it.")
    connections, segments = len(workspace.connections), len(workspace.segments)
    counts = f"{pluralize(connections, 'connection')}, {pluralize(segments, 'segment')}"
    return Finding("workspace", GOOD, f"Readable and writable: {counts}.")


def _encryption() -> Finding:
    import msal_extensions

    with tempfile.TemporaryDirectory() as folder:
        try:
            kept = msal_extensions.build_encrypted_persistence(str(Path(folder) / "tokens"))
        except Exception as error:  # noqa: BLE001 - each platform lacks something else
            lacking = type(error).__name__
            return Finding(
                "token cache",
                LOOK,
                f"This machine offers no encryption ({lacking}): tokens are stored in files that only you can read.",
                "Install the system's keyring (on Linux libsecret and PyGObject), or use CI_MAGICS_REFRESH_TOKEN.",
            )
    return Finding("token cache", GOOD, f"Encrypted by {type(kept).__name__}.")


def _scheduler(workspace: Workspace) -> Iterator[Finding]:
    """Check that something starts the scheduled exports; yield nothing if no export is scheduled."""
    system = system_schedule(workspace)
    scheduled = [each for each in workspace.exports if is_scheduled(each, system)]
    if not scheduled and not (system.active and system.schedule is not None):
        return
    state = scheduler_state(workspace, present())
    if state.warning:
        yield Finding("scheduler", LOOK, f"{state.warning.partition('. ')[0]}.", state.warning.partition(". ")[2])
    else:
        yield Finding("scheduler", GOOD, f"Running, for {pluralize(len(scheduled), 'scheduled export')}.")


def _of_connections(workspace: Workspace) -> Iterator[Finding]:
    connections = list(workspace.connections)
    if not connections:
        yield Finding("connections", LOOK, "There are none yet.", f"Make one: {Do('connect', NAME)}.")
    for connection in connections:
        yield _signed_in(workspace, connection)
        yield _consents(connection)
    checked: set[str] = set()
    if any(each.environment == "emulator" for each in connections):
        yield _emulator(workspace)
    for connection in connections:
        if connection.environment not in checked:
            checked.add(connection.environment)
            yield from _services(workspace, connection)


def _signed_in(workspace: Workspace, connection: Connection) -> Finding:
    check = f"sign-in to '{connection.name}'"
    if connection.environment == "emulator":
        return Finding(check, GOOD, "As the emulator's user.")
    if os.environ.get("CI_MAGICS_REFRESH_TOKEN"):
        return Finding(check, GOOD, "By CI_MAGICS_REFRESH_TOKEN, for unattended runs too.")
    if noted_sign_in(workspace, connection.id) is None:
        return Finding(check, LOOK, "Not signed in.", f"{Do('connections.sign_in', connection.name)} signs in.")
    return Finding(check, GOOD, "Signed in; the next request shows whether Microsoft still accepts it.")


def _consents(connection: Connection) -> Finding:
    check = f"terms of '{connection.name}'"
    given = {"agree": connection.agreed, "accept_terms": connection.terms_accepted}
    missing = {name: True for name, is_given in given.items() if not is_given}
    if not missing:
        return Finding(check, GOOD, "Both consents are given.")
    remedy = Do("connect", connection.name, **missing)
    return Finding(check, LOOK, "A consent is missing, so nothing is sent.", str(remedy))


def _emulator(workspace: Workspace) -> Finding:
    named = os.environ.get(ADDRESS_VARIABLE)
    if named:
        return Finding("emulator", GOOD, f"{ADDRESS_VARIABLE} is set to {named}.")
    try:
        running = workspace_emulator(workspace.emulator_folder)
    except CiError as error:
        return Finding("emulator", BAD, error.sentence, error.next_step)
    found = f"At {running.base_url}, process {running.process_id}, for all kernels of this workspace."
    return Finding("emulator", GOOD, f"{found} Its state is in {workspace.emulator_folder}.")


def _services(workspace: Workspace, connection: Connection) -> Iterator[Finding]:
    try:
        answers = ask_services(connection_endpoints(workspace, connection))
    except CiError as error:
        yield Finding(f"services of {connection.environment}", BAD, error.sentence, error.next_step)
        return
    silent = [(each.host, each.cause) for each in answers if each.cause is not None]
    check = f"services of {connection.environment}"
    for host, cause in silent:
        remedy = str(EMULATOR_GONE) if connection.environment == "emulator" else cause.next_step
        yield Finding(check, BAD, cause.sentence(host), remedy)
    if not silent:
        yield Finding(check, GOOD, f"{len(answers)} of {len(answers)} answer.")
    yield from _clock(connection, answers)


def _clock(connection: Connection, answers: Sequence[Answer]) -> Iterator[Finding]:
    known = [each.ahead for each in answers if each.ahead is not None]
    if not known:
        return
    ahead = max(known, key=abs)
    check = f"clock against {connection.environment}"
    if abs(ahead) > _MOST_AHEAD:
        direction = "ahead" if ahead > 0 else "behind"
        yield Finding(check, BAD, f"This machine is {abs(ahead):.0f} s {direction}.", "Set the clock by NTP.")
    else:
        yield Finding(check, GOOD, "Correct to within five minutes.")
