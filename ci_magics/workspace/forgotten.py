"""The suppression list of people who asked to be forgotten: their hashes, and nothing else of them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, func, insert, select

from ci_magics.clock import present
from ci_magics.showing.numbers import counted_in_words
from ci_magics.workspace.tables import forgotten_hashes
from ci_magics.workspace.transactions import at_one_moment, change


class ForgottenHashes:
    """SHA-256 values that are never sent, but to be removed.

    Parameters
    ----------
    engine
        The workspace's database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, hashes: Sequence[bytes]) -> None:
        """Put hashes on the list; those that are on it stay as they are."""

        def work(database: Connection) -> None:
            there = self._listed(database)
            rows = [{"sha256": each, "forgotten_at": present()} for each in set(hashes) - there]
            if rows:
                database.execute(insert(forgotten_hashes), rows)

        change(self._engine, work)

    def all(self) -> set[bytes]:
        """Return every hash on the list."""
        with at_one_moment(self._engine) as database:
            return self._listed(database)

    def __len__(self) -> int:
        with at_one_moment(self._engine) as database:
            return int(database.execute(select(func.count()).select_from(forgotten_hashes)).scalar_one())

    def __repr__(self) -> str:
        return f"{counted_in_words(len(self), 'hash')} of people who asked to be forgotten"

    def _listed(self, database: Connection) -> set[bytes]:
        return {bytes(each) for each in database.execute(select(forgotten_hashes.c.sha256)).scalars()}
