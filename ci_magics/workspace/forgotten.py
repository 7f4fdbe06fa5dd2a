"""The suppression list of people who asked to be forgotten: marks that match their hashes, and nothing else.

A mark consists of the first three bytes of a hash and most of the hash of that hash. It shows whether a given hash is
on the list, but does not reveal the hash, and a search for the hash does not find it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Engine, func, insert, select

from ci_magics.clock import present
from ci_magics.discreet import discreet_methods
from ci_magics.display.numbers import pluralize
from ci_magics.workspace.tables import forgotten_hashes
from ci_magics.workspace.transactions import change, read_transaction

Hashes = npt.NDArray[np.uint8]
"""SHA-256 values, shape (n, 32)."""

_PREFIX = 3


@discreet_methods
class ForgottenHashes:
    """SHA-256 values that are only sent to be removed.

    Parameters
    ----------
    engine
        The workspace's database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, hashes: Sequence[bytes]) -> None:
        """Add hashes to the list; those already on it stay unchanged."""
        marks = {_mark(each) for each in hashes}

        def work(database: Connection) -> None:
            rows = [{"sha256": each, "forgotten_at": present()} for each in marks - self._listed(database)]
            if rows:
                database.execute(insert(forgotten_hashes), rows)

        change(self._engine, work)

    def marks(self) -> set[bytes]:
        """Return the marks of all hashes on the list."""
        with read_transaction(self._engine) as database:
            return self._listed(database)

    def find(self, parts: Iterable[Hashes], marks: set[bytes] | None = None) -> Hashes:
        """Return the hashes that are on the list.

        If the list is empty, the parts are not read.

        Parameters
        ----------
        parts
            The hashes to check, in arrays of shape (n, 32).
        marks
            The marks to match; those on the list if None.
        """
        marks = self.marks() if marks is None else marks
        found: list[bytes] = []
        if marks:
            # A lookup table of prefixes skips nearly all hashes before the slow check of the whole mark.
            wanted = np.zeros(2 ** (8 * _PREFIX), np.bool_)
            wanted[[int.from_bytes(each[:_PREFIX], "big") for each in marks]] = True
            for part in parts:
                first = part[:, 0].astype(np.uint32) << 16 | part[:, 1].astype(np.uint32) << 8 | part[:, 2]
                found += [row for row in map(bytes, part[wanted[first]]) if _mark(row) in marks]
        return np.frombuffer(b"".join(found), np.uint8).reshape(-1, 32)

    def __len__(self) -> int:
        with read_transaction(self._engine) as database:
            return int(database.execute(select(func.count()).select_from(forgotten_hashes)).scalar_one())

    def __repr__(self) -> str:
        return f"{pluralize(len(self), 'hash')} of people who asked to be forgotten"

    def _listed(self, database: Connection) -> set[bytes]:
        return {bytes(each) for each in database.execute(select(forgotten_hashes.c.sha256)).scalars()}


def _mark(sha256: bytes) -> bytes:
    """Return the mark of a hash; must match the schema migration that introduced marks."""
    return sha256[:_PREFIX] + hashlib.sha256(b"ci-magics suppression list\0" + sha256).digest()[_PREFIX:]
