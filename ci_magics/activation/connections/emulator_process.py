"""The one place that starts the emulator of a workspace, or finds it running.

One process serves all kernels of a workspace. Its state is in the workspace, so that it can end at any time: the next
request starts it again. A kernel holds a lease, a connection that stays open; when the last one has closed, the process
ends by itself.
"""

from __future__ import annotations

import contextlib
import hmac
import http.client
import json
import os
import platform
import re
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from ci_magics.clock import SystemClock
from ci_magics.errors import ConnectionSetupError
from ci_magics.microsoft.endpoints import loopback
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.store import Workspace, open_workspace

ADDRESS_VARIABLE = "CI_MAGICS_EMULATOR"
_SECONDS = 60.0
_HANDSHAKE_SECONDS = 5.0
_AGAIN = 0.05  # seconds between two looks at a process that is just starting
_PROCESS_FILE = "process.json"
_LEASE = "/_emulator/lease"
#: Control calls for viewers, and those for contributors: reads that show hashes, and changes.
_LOOKS = frozenset({"audiences", "settings", "schema"})
_READS = frozenset({"requests"})
_MEMBERS = re.compile("audiences/[0-9]+/members")
_CHANGES = frozenset({"clock", "faults", "settings", "people", "credentials", "devicecode", "stop"})
_TAKEN, _DAMAGED = 3, 4  # exit statuses of the emulator

#: The leases of this process, by state folder.
held: dict[Path, RunningEmulator] = {}
_children: list[subprocess.Popen[bytes]] = []
_one_at_a_time = threading.RLock()


@dataclass(frozen=True)
class RunningEmulator:
    """The emulator of a workspace, which runs for as long as the lease is held.

    Parameters
    ----------
    base_url
        Where it is.
    process_id
        Its process.
    control_token, subscription_key
        What its control calls and its Customer Insights ask for.
    """

    base_url: str
    process_id: int
    control_token: str = field(repr=False)
    subscription_key: str = field(repr=False)
    _lease: http.client.HTTPConnection = field(repr=False)
    _answer: http.client.HTTPResponse = field(repr=False)

    @property
    def alive(self) -> bool:
        """Whether the process still holds its end of the lease."""
        if self._lease.sock is None:
            return False
        try:
            return self._lease.sock.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def control(self, call: str, body: Any = None) -> Any:
        """Send a control call; see `control_emulator`."""
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(
                "GET" if body is None else "POST",
                f"{self.base_url}/_emulator/{call}",
                json=body,
                headers={"X-Control-Token": self.control_token},
                timeout=_SECONDS,
            )
        if not answer.ok:
            raise ConnectionSetupError(
                f"The emulator does not take the control call '{call}'.",
                "GET /_emulator/schema describes all of them.",
                code=f"HTTP {answer.status_code}",
            )
        return answer.text if answer.headers["Content-Type"].startswith("text/plain") else answer.json()

    def release(self) -> None:
        """Give the lease back."""
        self._answer.close()
        self._lease.close()


def emulator_url(workspace: Workspace) -> str:
    """Return the base address of the emulator to use.

    That is the running one named by ``CI_MAGICS_EMULATOR``, else the one of the workspace, which is started if need be.

    Raises
    ------
    ConnectionSetupError
        The named address is not on this machine, or the emulator did not start.
    """
    named = os.environ.get(ADDRESS_VARIABLE)
    return loopback(named) if named else workspace_emulator(workspace.emulator_folder).base_url


def emulator_locator(workspace: Workspace) -> Callable[[], str] | None:
    """Return what finds the workspace's emulator at any later moment; None for one that the environment names."""
    if os.environ.get(ADDRESS_VARIABLE):
        return None
    folder = workspace.emulator_folder
    return lambda: workspace_emulator(folder).base_url


def emulator_subscription_key(workspace: Workspace) -> str | None:
    """Return the key of the emulated Customer Insights; None where ``CI_MAGICS_EMULATOR`` names the emulator."""
    named = os.environ.get(ADDRESS_VARIABLE)
    return None if named else workspace_emulator(workspace.emulator_folder).subscription_key


def control_emulator(call: str, body: Any = None, *, workspace: Workspace | None = None) -> Any:
    """Look behind the curtain of the workspace's emulator: for demonstrations.

    Parameters
    ----------
    call
        The control call, such as ``clock`` or ``faults``.
    body
        What to send; without it the call only asks.
    workspace
        Whose emulator; the default workspace's unless given.

    Raises
    ------
    AccessError
        A viewer may only look; ``reset``, which removes every audience, is for administrators.
    ConnectionSetupError
        The emulator does not know the call, or does not take what was sent.

    Examples
    --------
    >>> control_emulator("clock", {"advance_hours": 48})  # doctest: +SKIP
    """
    workspace = workspace or open_workspace()
    verb = _verb_of(call, body)
    require(workspace, verb)
    answered = workspace_emulator(workspace.emulator_folder).control(call, body)
    if verb is Verb.DELETE_AUDIENCE:
        workspace.audit.note(verb, "emulator", control=call)
    return answered


def _verb_of(call: str, body: Any) -> Verb:
    """Return what a control call counts as; one that is not known here may do as much as a reset."""
    if body is None and call in _LOOKS:
        return Verb.SHOW_STATUS
    known = call in _CHANGES if body is not None else call in _READS or _MEMBERS.fullmatch(call)
    return Verb.RUN_EXPORT if known else Verb.DELETE_AUDIENCE


def settle_emulator(workspace: Workspace) -> None:
    """Let the workspace's emulator leave nothing on disk of who was removed from its lists."""
    if not os.environ.get(ADDRESS_VARIABLE) and workspace.emulator_folder.exists():
        workspace_emulator(workspace.emulator_folder).control("settle", {})


def workspace_emulator(folder: Path) -> RunningEmulator:
    """Return the emulator that keeps its state in a folder, and start it if it does not run.

    The answer holds a lease until this process ends, and costs next to nothing while the emulator is alive.

    Parameters
    ----------
    folder
        The state folder; see `Workspace.emulator_folder`.

    Raises
    ------
    ConnectionSetupError
        It did not start, its state cannot be read, or its process does not answer.
    """
    with _one_at_a_time:
        known = held.get(folder)
        if known is not None:
            if known.alive:
                return known
            known.release()
        held[folder] = found = find_emulator(folder) or _start(folder)
        return found


def find_emulator(folder: Path) -> RunningEmulator | None:
    """Return the emulator that runs on a folder; None where none does.

    The file in the folder only says where to look. The process there has to prove that it knows the control token
    before anything is sent to it.
    """
    try:
        known = json.loads((folder / _PROCESS_FILE).read_text("utf-8"))
        return _lease(**{name: known[name] for name in ("base_url", "pid", "control_token", "subscription_key")})
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        return None


def _lease(base_url: str, pid: int, control_token: str, subscription_key: str) -> RunningEmulator | None:
    nonce = secrets.token_hex(16)
    connection = http.client.HTTPConnection(base_url.removeprefix("http://"), timeout=_HANDSHAKE_SECONDS)
    try:
        connection.request("GET", f"{_LEASE}?nonce={nonce}&proof={_proof(control_token, 'client', nonce)}")
        answer = connection.getresponse()
        proof = answer.readline(200).decode("ascii", "replace").strip()
    except BaseException:
        connection.close()
        raise
    if not hmac.compare_digest(proof, _proof(control_token, "emulator", nonce)) or connection.sock is None:
        connection.close()
        return None
    connection.sock.setblocking(False)
    return RunningEmulator(base_url, pid, control_token, subscription_key, connection, answer)


def _proof(control_token: str, side: str, nonce: str) -> str:
    """Return what only a side that knows the control token can answer; the emulator makes it in the same way."""
    return hmac.new(control_token.encode(), f"{side}\n{nonce}".encode(), "sha256").hexdigest()


def _start(folder: Path) -> RunningEmulator:
    """Start the emulator of a folder; where two kernels do so at once, both get the one that was first."""
    clock = SystemClock()
    deadline, status = clock.monotonic() + _SECONDS, _TAKEN
    while clock.monotonic() < deadline:
        status = _spawned(folder)
        found = find_emulator(folder)
        if found is not None:
            return found
        if status == _DAMAGED:
            raise ConnectionSetupError(
                "What the emulator of this workspace has kept cannot be read.",
                "Run ci-magics emulator reset in a terminal: its audiences are lost, and the next export creates them.",
                code="emulator_damaged",
            )
        if status != _TAKEN:
            break
        threading.Event().wait(_AGAIN)  # another kernel's is just starting or ending; the stop button still works
    if _elsewhere(folder):
        raise ConnectionSetupError(
            "The emulator of this workspace runs on another machine.",
            "End the kernels there that use the workspace, or choose another one with CI_MAGICS_WORKSPACE.",
            code="emulator_elsewhere",
        )
    if status == _TAKEN:
        raise ConnectionSetupError(
            "The emulator of this workspace does not answer.",
            "Run ci-magics emulator stop in a terminal, then run this again.",
            code="emulator_silent",
        )
    raise ConnectionSetupError(
        "The emulator did not start.",
        "Run python -m ci_magics.emulator in a terminal to see why.",
        code="emulator_not_started",
    )


def _spawned(folder: Path) -> int:
    """Start a process and wait until it serves or ends; returns 0 or its exit status."""
    _children[:] = [each for each in _children if each.poll() is None]
    child = subprocess.Popen(  # noqa: S603 - our own module, and a folder of the workspace
        [sys.executable, "-m", "ci_magics.emulator", "--state", folder, "--results-after", "0", "--until-unused"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # neither the stop button nor the end of this kernel reaches it
    )
    _children.append(child)
    with contextlib.closing(child.stdout) if child.stdout else contextlib.nullcontext() as output:
        ready = output.readline() if output else b""
    return 0 if ready else child.wait(timeout=_SECONDS)


def _elsewhere(folder: Path) -> bool:
    try:
        known = json.loads((folder / _PROCESS_FILE).read_text("utf-8"))
        return bool(known["host"] != platform.node())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _begin_again() -> None:
    """Give a forked process its own lease, and leave its parent's lease alone."""
    global _one_at_a_time
    _one_at_a_time = threading.RLock()
    _children.clear()
    for each in held.values():
        each.release()
    held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_again)
