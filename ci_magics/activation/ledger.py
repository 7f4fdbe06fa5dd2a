"""The ledger: which hashes an audience holds because we sent them. Microsoft can never list them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from ci_magics.matching.matched import Hashes, as_series
from ci_magics.workspace.store import Workspace

_MEMBER = 1
_MAYBE = 2
EMPTY: Hashes = np.empty((0, 32), dtype=np.uint8)


@dataclass(frozen=True)
class Ledger:
    """What an audience holds.

    Parameters
    ----------
    members
        Hashes that Microsoft accepted, shape (n, 32).
    maybe
        Hashes whose outcome is not known: sent, but no usable answer came back.
    """

    members: Hashes = field(default_factory=lambda: EMPTY, repr=False)
    maybe: Hashes = field(default_factory=lambda: EMPTY, repr=False)

    @property
    def all(self) -> Hashes:
        """Everything that may be in the audience."""
        return np.concatenate([self.members, self.maybe])


@dataclass(frozen=True)
class Difference:
    """What turns an audience into a segment."""

    adds: Hashes = field(repr=False)
    removes: Hashes = field(repr=False)
    unchanged: int


def read_ledger(workspace: Workspace, identity: str) -> Ledger:
    """Return the ledger of an audience record.

    Raises
    ------
    WorkspaceError
        It is missing or damaged.
    """
    table = workspace.ledgers.read(identity)
    states = table["state"].to_numpy()
    packed = table["hash"].combine_chunks()
    hashes = np.frombuffer(packed.buffers()[1] or b"", dtype=np.uint8).reshape(-1, 32)[: len(packed)]
    return Ledger(hashes[states == _MEMBER], hashes[states == _MAYBE])


def write_ledger(workspace: Workspace, identity: str, ledger: Ledger) -> None:
    """Replace the ledger of an audience record."""
    hashes = np.ascontiguousarray(ledger.all)
    states = np.repeat(np.array([_MEMBER, _MAYBE], np.int8), [len(ledger.members), len(ledger.maybe)])
    column = pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), len(hashes), [None, pa.py_buffer(hashes)])
    workspace.ledgers.write(identity, pa.table({"hash": column, "state": states}))


def difference(wanted: Hashes, ledger: Ledger) -> Difference:
    """Return what to add and what to remove, so that the audience holds exactly the wanted hashes.

    Hashes whose outcome is not known are sent again: added if wanted, removed if not.
    """
    adds = without(wanted, ledger.members)
    return Difference(adds, without(ledger.all, wanted), len(wanted) - len(adds))


def without(hashes: Hashes, others: Hashes) -> Hashes:
    """Return the hashes that are not among the others, in their order."""
    if not len(hashes) or not len(others):
        return hashes
    numbered = as_series(hashes).to_frame().with_row_index("position")
    kept = numbered.join(as_series(others).to_frame(), on="hash", how="anti")["position"].sort().to_numpy()
    remaining: Hashes = hashes[kept]
    return remaining


def after(ledger: Ledger, *, added: Hashes, removed: Hashes, unknown: Hashes) -> Ledger:
    """Return the ledger after a run: accepted hashes are in or out, those without an answer may be in."""
    touched = np.concatenate([added, removed, unknown])
    members = np.concatenate([without(ledger.members, touched), added])
    maybe = np.concatenate([without(ledger.maybe, touched), unknown])
    return Ledger(members, maybe)
