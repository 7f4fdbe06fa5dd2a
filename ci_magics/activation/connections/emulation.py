"""The one place that starts the emulator, or finds a running one."""

from __future__ import annotations

import atexit
import functools
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

import requests

from ci_magics.errors import ConnectionSetupError
from ci_magics.microsoft.endpoints import loopback

ADDRESS_VARIABLE = "CI_MAGICS_EMULATOR"
_SECONDS = 60.0


@dataclass(frozen=True)
class OwnEmulator:
    """The emulator that this process has started."""

    base_url: str
    control_token: str = field(repr=False)
    subscription_key: str = field(repr=False)


def emulator_url() -> str:
    """Return the base address of the emulator to use.

    That is the running one named by ``CI_MAGICS_EMULATOR``, else a child process that ends with this one.

    Raises
    ------
    ConnectionSetupError
        The named address is not on this machine, or the child did not start.
    """
    named = os.environ.get(ADDRESS_VARIABLE)
    return loopback(named) if named else _own_emulator(os.getpid()).base_url


def emulator_subscription_key() -> str | None:
    """Return the key of the emulated Customer Insights, when this process has started the emulator itself."""
    return None if os.environ.get(ADDRESS_VARIABLE) else _own_emulator(os.getpid()).subscription_key


def control_emulator(call: str, body: Any = None) -> Any:
    """Look behind the curtain of the emulator that this process has started: for demonstrations.

    Parameters
    ----------
    call
        The control call, such as ``clock`` or ``faults``.
    body
        What to send; without it the call only asks.

    Raises
    ------
    ConnectionSetupError
        The emulator does not know the call, or does not take what was sent.

    Examples
    --------
    >>> control_emulator("clock", {"advance_hours": 48})  # doctest: +SKIP
    """
    own = _own_emulator(os.getpid())
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(
            "GET" if body is None else "POST",
            f"{own.base_url}/_emulator/{call}",
            json=body,
            headers={"X-Control-Token": own.control_token},
            timeout=_SECONDS,
        )
    if not answer.ok:
        raise ConnectionSetupError(
            f"The emulator does not take the control call '{call}'.",
            "GET /_emulator/schema describes all of them.",
            code=f"HTTP {answer.status_code}",
        )
    return answer.text if answer.headers["Content-Type"].startswith("text/plain") else answer.json()


@functools.lru_cache(maxsize=1)
def _own_emulator(process_id: int) -> OwnEmulator:
    """Start the emulator once for this process; a forked process gets its own."""
    # The child's input is a pipe that nobody writes to: it closes when this process is gone, however it ended.
    child = subprocess.Popen(
        [sys.executable, "-m", "ci_magics.emulator", "--port", "0", "--until-stdin-closes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # the stop button interrupts the notebook, not the emulator
    )
    atexit.register(_stop, child, process_id)
    line = child.stdout.readline() if child.stdout else b""
    try:
        ready = json.loads(line)
        return OwnEmulator(ready["base_url"], ready["control_token"], ready["subscription_key"])
    except (ValueError, KeyError):
        _stop(child, process_id)
        raise ConnectionSetupError(
            "The emulator did not start.",
            "Run python -m ci_magics.emulator in a terminal to see why.",
            code="emulator_not_started",
        ) from None


def _stop(child: subprocess.Popen[bytes], owner: int) -> None:
    if os.getpid() != owner or child.poll() is not None:
        return
    if child.stdin:
        child.stdin.close()
    try:
        child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        child.terminate()
        child.wait(timeout=5)
