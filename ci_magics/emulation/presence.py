"""Manage the lifetime of a workspace's emulator: how clients find its process, and when it ends.

A client holds a lease: an open connection. The operating system closes it when the client ends for any reason, and
keeps it open while the client is suspended. Client and emulator first prove to each other that they know the control
token, which only the owner of the state folder can read, because another program may have taken over the port.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable

#: In the state folder: the emulator's last address. It does not prove that the emulator still runs.
PROCESS_FILE = "process.json"
LEASE_PATH = "/_emulator/lease"
#: Exit statuses of a failed start: another process uses the folder, or its content cannot be read.
TAKEN, DAMAGED = 3, 4
#: Seconds that an emulator waits for another client after the last one is gone; at the start, for the first one.
GRACE, FIRST_GRACE = 3.0, 30.0


def proof(control_token: str, side: str, nonce: str) -> str:
    """Return the answer of a side to a nonce; computing it requires the control token.

    Parameters
    ----------
    control_token
        The shared secret.
    side
        ``client`` or ``emulator``.
    nonce
        The challenge.
    """
    return hmac.new(control_token.encode(), f"{side}\n{nonce}".encode(), "sha256").hexdigest()


class Leases:
    """The leases of all clients."""

    def __init__(self) -> None:
        self._held: list[Callable[[], None]] = []
        self._grace = FIRST_GRACE
        self._quiet_since = time.monotonic()

    def take(self, hang_up: Callable[[], None]) -> None:
        """Add a client; ``hang_up`` closes its connection."""
        self._held.append(hang_up)
        self._grace = GRACE

    def release(self, hang_up: Callable[[], None]) -> None:
        """Remove a client."""
        self._held.remove(hang_up)
        self.note_request()

    def end_all(self) -> None:
        """Close all leases, so that clients look for the next process."""
        for hang_up in self._held:
            hang_up()

    def note_request(self) -> None:
        """Record the time of a request."""
        self._quiet_since = time.monotonic()

    def quiet_seconds(self) -> float:
        """Return the seconds since the last request."""
        return time.monotonic() - self._quiet_since

    def unused(self) -> bool:
        """Return whether there are no leases and no recent requests."""
        return not self._held and self.quiet_seconds() > self._grace
