"""Start the emulator of a workspace, or find the running one.

One process serves all kernels of a workspace. It stores its state in the workspace, so it can end at any time and the
next request starts it again. Each kernel holds a lease, which is an open HTTP connection; the process ends when the
last one closes.
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

from ci_magics.advice import Do, advise
from ci_magics.clock import SystemClock
from ci_magics.errors import ConnectionSetupError
from ci_magics.microsoft.endpoints import loopback
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.store import Workspace

ADDRESS_VARIABLE = "CI_MAGICS_EMULATOR"
_SECONDS = 60.0
_HANDSHAKE_SECONDS = 5.0
_AGAIN = 0.05  # seconds between two attempts to reach a process that is just starting
_PROCESS_FILE = "process.json"
_LEASE = "/_emulator/lease"
#: Control calls for viewers; below, those for contributors: reads that return hashes, and changes.
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
    """The emulator of a workspace; it runs at least as long as the lease is held.

    Parameters
    ----------
    base_url
        Its URL.
    process_id
        Its process.
    control_token, subscription_key
        Secrets for its control calls and its Customer Insights.
    """

    base_url: str
    process_id: int
    control_token: str = field(repr=False)
    subscription_key: str = field(repr=False)
    _lease: http.client.HTTPConnection = field(repr=False)
    _answer: http.client.HTTPResponse = field(repr=False)

    @property
    def alive(self) -> bool:
        """Whether the emulator's end of the lease is still open."""
        if self._lease.sock is None:
            return False
        try:
            return self._lease.sock.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def control(self, call: str, body: Any = None) -> Any:
        """Send a control call and return its answer, parsed from JSON unless it is plain text.

        Parameters
        ----------
        call
            The control call, such as ``clock``.
        body
            The JSON body to send; None sends a GET request, which only reads.

        Raises
        ------
        ConnectionSetupError
            The emulator refused the call.
        """
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
        """Close the lease."""
        self._answer.close()
        self._lease.close()


def emulator_url(workspace: Workspace) -> str:
    """Return the base URL of the emulator to use.

    It is the one in ``CI_MAGICS_EMULATOR``, or else that of the workspace, which is started if necessary.

    Raises
    ------
    ConnectionSetupError
        The URL is not on this machine, or the emulator did not start.
    """
    named = os.environ.get(ADDRESS_VARIABLE)
    return loopback(named) if named else workspace_emulator(workspace.emulator_folder).base_url


def emulator_locator(workspace: Workspace) -> Callable[[], str] | None:
    """Return a function that finds the workspace's emulator at any time; None if ``CI_MAGICS_EMULATOR`` is set."""
    if os.environ.get(ADDRESS_VARIABLE):
        return None
    folder = workspace.emulator_folder
    return lambda: workspace_emulator(folder).base_url


def emulator_subscription_key(workspace: Workspace) -> str | None:
    """Return the key of the emulated Customer Insights; None if ``CI_MAGICS_EMULATOR`` is set."""
    named = os.environ.get(ADDRESS_VARIABLE)
    return None if named else workspace_emulator(workspace.emulator_folder).subscription_key


def control_emulator(workspace: Workspace, call: str, body: Any) -> Any:
    """Send a control call to the workspace's emulator; see `Emulator.control`."""
    verb = _verb_of(call, body)
    require(workspace, verb)
    answered = workspace_emulator(workspace.emulator_folder).control(call, body)
    if verb is Verb.DELETE_AUDIENCE:
        workspace.audit.note(verb, "emulator", control=call)
    return answered


def _verb_of(call: str, body: Any) -> Verb:
    """Return the permission that a control call needs. An unknown call needs the same as a reset, the strictest one."""
    if body is None and call in _LOOKS:
        return Verb.SHOW_STATUS
    known = call in _CHANGES if body is not None else call in _READS or _MEMBERS.fullmatch(call)
    return Verb.RUN_EXPORT if known else Verb.DELETE_AUDIENCE


def settle_emulator(workspace: Workspace) -> None:
    """Make the workspace's emulator delete from disk all data about people who were removed from its lists."""
    if not os.environ.get(ADDRESS_VARIABLE) and workspace.emulator_folder.exists():
        workspace_emulator(workspace.emulator_folder).control("settle", {})


def workspace_emulator(folder: Path) -> RunningEmulator:
    """Return the emulator that stores its state in a folder; start it if it does not run.

    The returned emulator holds a lease until this process ends. Repeated calls are cheap while the emulator is alive.

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
    """Return the emulator that runs on a folder; None if none runs.

    The file in the folder may be outdated or forged. So the process must prove that it knows the control token before
    any other request is sent to it.
    """
    try:
        known = json.loads((folder / _PROCESS_FILE).read_text("utf-8"))
        return _lease(**{name: known[name] for name in ("base_url", "pid", "control_token", "subscription_key")})
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        return None


def _lease(base_url: str, pid: int, control_token: str, subscription_key: str) -> RunningEmulator | None:
    # Challenge and response: each side proves that it knows the control token without sending it. The lease is this
    # response, which the emulator never completes; it ends when one side closes its socket.
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
    connection.sock.setblocking(False)  # so that `alive` can look for the end of the stream without waiting
    return RunningEmulator(base_url, pid, control_token, subscription_key, connection, answer)


def _proof(control_token: str, side: str, nonce: str) -> str:
    """Return the proof of one side that it knows the control token; the emulator calculates it in the same way."""
    return hmac.new(control_token.encode(), f"{side}\n{nonce}".encode(), "sha256").hexdigest()


def _start(folder: Path) -> RunningEmulator:
    """Start the emulator of a folder. If two kernels do so at once, both get the first process."""
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
                advise("Run ", Do("emulator.reset"), ": its audiences are lost, and the next export creates them."),
                code="emulator_damaged",
            )
        if status != _TAKEN:
            break
        threading.Event().wait(_AGAIN)  # another kernel's process is just starting or ending; Ctrl-C still works
    if _elsewhere(folder):
        raise ConnectionSetupError(
            "The emulator of this workspace runs on another machine.",
            "End the kernels there that use the workspace, or choose another one with CI_MAGICS_WORKSPACE.",
            code="emulator_elsewhere",
        )
    if status == _TAKEN:
        raise ConnectionSetupError(
            "The emulator of this workspace does not answer.",
            advise("Run ", Do("emulator.stop"), ", then run this again."),
            code="emulator_silent",
        )
    raise ConnectionSetupError(
        "The emulator did not start.",
        "Run python -m ci_magics.emulation in a terminal to see why.",
        code="emulator_not_started",
    )


def _spawned(folder: Path) -> int:
    """Start a process and wait until it serves or ends; return 0 or its exit status."""
    _children[:] = [each for each in _children if each.poll() is None]
    child = subprocess.Popen(  # noqa: S603 - our own module, and a folder of the workspace
        [sys.executable, "-m", "ci_magics.emulation", "--state", folder, "--results-after", "0", "--until-unused"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # no interrupt or hang-up of this kernel reaches it
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
    """Give a forked process its own lease, without closing its parent's."""
    global _one_at_a_time
    _one_at_a_time = threading.RLock()
    _children.clear()
    for each in held.values():
        each.release()
    held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_again)
