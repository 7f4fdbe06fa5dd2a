"""The members of a Customer Match list."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ci_magics.emulation.hashes import Hashes

_UNSETTLED = 200_000

#: One change of the members: sorted hashes, or the set of a small call; None for ``clear``.
Change = tuple[Literal["add", "remove", "clear"], "Hashes | set[bytes] | None"]


class Members:
    """A set of SHA-256 hashes.

    Most are in a sorted array of 32 bytes each, a seventh of the memory of a Python set. Changes by small calls are
    buffered in sets until the members are read, so that a thousand calls do not copy millions of members a thousand
    times.

    Parameters
    ----------
    stored
        Reads the members from disk when they are first needed.

    Attributes
    ----------
    changes
        The changes since the members were last written to disk.
    """

    def __init__(self, stored: Callable[[], Hashes] | None = None) -> None:
        self._stored = stored
        self._sorted: Hashes | None = None
        self._added: set[bytes] = set()
        self._removed: set[bytes] = set()
        self.changes: list[Change] = []

    def add(self, members: set[bytes]) -> None:
        """Add the members of a small call."""
        self._added |= members
        self._removed -= members
        self.changes.append(("add", members))
        self._settle_when_many()

    def remove(self, members: set[bytes]) -> None:
        """Remove the members of a small call."""
        self._added -= members
        self._removed |= members
        self.changes.append(("remove", members))
        self._settle_when_many()

    def add_many(self, members: Hashes) -> None:
        """Add sorted members."""
        from ci_magics.emulation import hashes

        self._sorted = hashes.union(self.sorted(), members)
        self.changes.append(("add", members))

    def remove_many(self, members: Hashes) -> None:
        """Remove sorted members."""
        from ci_magics.emulation import hashes

        self._sorted = hashes.difference(self.sorted(), members)
        self.changes.append(("remove", members))

    def clear(self) -> None:
        """Remove all members."""
        self._stored, self._sorted, self._added, self._removed = None, None, set(), set()
        self.changes = [("clear", None)]

    def sorted(self) -> Hashes:
        """Return all members, sorted."""
        from ci_magics.emulation import hashes

        if self._sorted is None:
            self._sorted = self._stored() if self._stored else hashes.of_bytes(b"")
            self._stored = None
        if self._removed:
            self._sorted = hashes.difference(self._sorted, packed(self._removed))
        if self._added:
            self._sorted = hashes.union(self._sorted, packed(self._added))
        self._added, self._removed = set(), set()
        return self._sorted

    def __len__(self) -> int:
        if self._sorted is None and self._stored is None:
            return len(self._added)  # the list was empty, so removals have no effect
        return len(self.sorted())

    def _settle_when_many(self) -> None:
        if len(self._added) + len(self._removed) > _UNSETTLED:
            self.sorted()


def packed(members: set[bytes]) -> Hashes:
    """Return a set of hashes as a sorted array."""
    from ci_magics.emulation import hashes

    return hashes.distinct(hashes.of_bytes(b"".join(members)))
