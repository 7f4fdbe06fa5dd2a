"""Who uses the emulator of a workspace: how clients find its process, and when it may end.

A client holds a lease: a connection that stays open. The operating system closes it when the client ends, however it
ends, and leaves it open while the client is suspended. Before either side trusts the other, both prove that they know
the control token, which only the owner of the state folder can read: a port may have gone to another program.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable

#: In the state folder: where the emulator was reached last. It proves nothing about whether it still runs.
PROCESS_FILE = "process.json"
LEASE_PATH = "/_emulator/lease"
#: Exit statuses of a process that could not begin: another one has the folder, or what is in it cannot be read.
TAKEN, DAMAGED = 3, 4
#: Seconds that an emulator waits for the next client after the last one is gone; at the start, for the first one.
GRACE, FIRST_GRACE = 3.0, 30.0


def proof(control_token: str, side: str, nonce: str) -> str:
    """Return what a side ("client" or "emulator") answers to a nonce, which it can only with the control token."""
    return hmac.new(control_token.encode(), f"{side}\n{nonce}".encode(), "sha256").hexdigest()


class Leases:
    """The leases that clients hold."""

    def __init__(self) -> None:
        self._held: list[Callable[[], None]] = []
        self._grace = FIRST_GRACE
        self._quiet_since = time.monotonic()

    def take(self, hang_up: Callable[[], None]) -> None:
        """Note a client; ``hang_up`` closes its connection."""
        self._held.append(hang_up)
        self._grace = GRACE

    def release(self, hang_up: Callable[[], None]) -> None:
        """Note that a client is gone."""
        self._held.remove(hang_up)
        self.note_request()

    def end_all(self) -> None:
        """Let all clients know that they have to look for the next process."""
        for hang_up in self._held:
            hang_up()

    def note_request(self) -> None:
        """Note that somebody asked for something just now."""
        self._quiet_since = time.monotonic()

    def quiet_seconds(self) -> float:
        """Return for how long nobody has asked for anything."""
        return time.monotonic() - self._quiet_since

    def unused(self) -> bool:
        """Tell whether nobody holds a lease any more, nor has asked for anything in a while."""
        return not self._held and self.quiet_seconds() > self._grace
