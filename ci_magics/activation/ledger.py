"""The ledger: which hashes an audience holds because we sent them. Microsoft can never list them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from ci_magics.errors import WorkspaceError
from ci_magics.matching.matched import Hashes, as_series
from ci_magics.workspace.models import AudienceRecord
from ci_magics.workspace.store import Workspace

_MEMBER = 1
_MAYBE = 2
EMPTY: Hashes = np.empty((0, 32), dtype=np.uint8)


class LedgerLostError(WorkspaceError):
    """What an audience holds is not known any more."""


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


def read_ledger(workspace: Workspace, record: AudienceRecord) -> Ledger:
    """Return the ledger of an audience.

    Raises
    ------
    LedgerLostError
        It is missing, damaged, of another audience, or older than the workspace says.
    """
    try:
        table = workspace.ledgers.read(record.id)
    except WorkspaceError:
        raise _lost(record) from None
    notes = table.schema.metadata or {}
    generation = notes.get(b"generation", b"-1")
    # A crash between file and row leaves the file one ahead; behind, it is an old copy.
    if notes.get(b"normalization") != record.normalization.encode() or int(generation) < record.generation:
        raise _lost(record)
    states = table["state"].to_numpy()
    packed = table["hash"].combine_chunks()
    hashes = np.frombuffer(packed.buffers()[1] or b"", dtype=np.uint8).reshape(-1, 32)[: len(packed)]
    return Ledger(hashes[states == _MEMBER], hashes[states == _MAYBE])


def write_ledger(workspace: Workspace, record: AudienceRecord, ledger: Ledger) -> None:
    """Replace the ledger of an audience as a whole; the record's generation and normalization are noted in it."""
    hashes = np.ascontiguousarray(ledger.all)
    states = np.repeat(np.array([_MEMBER, _MAYBE], np.int8), [len(ledger.members), len(ledger.maybe)])
    column = pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), len(hashes), [None, pa.py_buffer(hashes)])
    notes = {"generation": str(record.generation), "normalization": record.normalization}
    workspace.ledgers.write(record.id, pa.table({"hash": column, "state": states}).replace_schema_metadata(notes))


def without(hashes: Hashes, others: Hashes) -> Hashes:
    """Return the hashes that are not among the others, in their order."""
    if not len(hashes) or not len(others):
        return hashes
    return _joined(hashes, others, "anti")


def within(hashes: Hashes, others: Hashes) -> Hashes:
    """Return the hashes that are among the others, in their order."""
    return _joined(hashes, others, "semi") if len(hashes) and len(others) else EMPTY


def after(ledger: Ledger, *, added: Hashes, removed: Hashes, unknown: Hashes) -> Ledger:
    """Return the ledger after a run: accepted hashes are in or out, those without an answer may be in.

    The same outcome twice gives the same ledger, so that it can be written again after a crash.
    """
    touched = np.concatenate([added, removed, unknown])
    members = np.concatenate([without(ledger.members, touched), added])
    maybe = np.concatenate([without(ledger.maybe, touched), unknown])
    return Ledger(members, maybe)


def _joined(hashes: Hashes, others: Hashes, how: str) -> Hashes:
    numbered = as_series(hashes).to_frame().with_row_index("position")
    kept = numbered.join(as_series(others).to_frame(), on="hash", how=how)["position"].sort().to_numpy()  # type: ignore[arg-type]
    remaining: Hashes = hashes[kept]
    return remaining


def _lost(record: AudienceRecord) -> LedgerLostError:
    return LedgerLostError(
        f"What the audience '{record.name}' holds is not known any more: its ledger is missing, damaged or old.",
        "Fill the audience anew once with --mode replace.",
        code="ledger_lost",
    )
