"""The ledger: which hashes an audience holds because we sent them. Microsoft can never list them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ci_magics.activation.plans.outdated_plan import outdated, sent_to
from ci_magics.errors import WorkspaceError
from ci_magics.matching.hash_list import NOTHING, HashList
from ci_magics.matching.hashes import Hashes, as_column, of_column, without
from ci_magics.workspace.missing_files import ledger_lost
from ci_magics.workspace.models import AudienceRecord
from ci_magics.workspace.store import Workspace

_MEMBER = 1
_MAYBE = 2
_SCHEMA = pa.schema([("hash", pa.binary(32)), ("state", pa.int8())])

Part = tuple[Hashes, Hashes]
"""Members, and hashes whose outcome is not known, of one prefix."""


class LedgerLostError(WorkspaceError):
    """What an audience holds is not known any more."""


@dataclass(frozen=True)
class Ledger:
    """What an audience holds.

    Parameters
    ----------
    members
        Hashes that Microsoft accepted.
    maybe
        Hashes whose outcome is not known: sent, but no usable answer came back. In parts as the members are.
    """

    members: HashList = field(default=NOTHING, repr=False)
    maybe: HashList = field(default=NOTHING, repr=False)

    @property
    def all(self) -> HashList:
        """Everything that may be in the audience."""
        lengths = [sum(pair) for pair in zip(self.members.lengths, self.maybe.lengths, strict=True)]

        def part(number: int) -> Callable[[], Hashes]:
            return lambda: np.concatenate([self.members.part(number), self.maybe.part(number)])

        return HashList([part(number) for number in range(len(lengths))], lengths)


def read_ledger(workspace: Workspace, record: AudienceRecord) -> Ledger:
    """Return the ledger of an audience; its hashes are read when they are asked for.

    Raises
    ------
    LedgerLostError
        It is missing, damaged, of another audience, or older than the workspace says.
    ExportRefusedError
        Later, when hashes are asked for: another run has replaced it meanwhile.
    """
    if not workspace.ledgers.is_whole(record.id):
        raise _lost(record)
    try:
        with workspace.ledgers.opened(record.id) as file:
            generation, normalization = _generation(file), _notes(file).get(b"normalization")
            states = [file.read_row_group(group, ["state"])["state"].to_numpy() for group in range(file.num_row_groups)]
    except WorkspaceError:
        raise _lost(record) from None
    # A crash between file and row leaves the file one ahead; behind, it is an old copy.
    if generation < record.generation or normalization != record.normalization.encode():
        raise _lost(record)

    def part(group: int, state: int) -> Callable[[], Hashes]:
        def read() -> Hashes:
            try:
                with workspace.ledgers.opened(record.id) as file:
                    if _generation(file) != generation:
                        raise outdated([sent_to(record.name)])
                    hashes = of_column(file.read_row_group(group, ["hash"])["hash"])
            except WorkspaceError:
                raise _lost(record) from None
            chosen: Hashes = hashes[states[group] == state]
            return chosen

        return read

    lists = [
        HashList([part(group, state) for group in range(len(states))], [int((each == state).sum()) for each in states])
        for state in (_MEMBER, _MAYBE)
    ]
    return Ledger(*lists)


def write_ledger(workspace: Workspace, record: AudienceRecord, parts: Iterable[Part]) -> None:
    """Replace the ledger of an audience as a whole; the record's generation and normalization are noted in it.

    Parameters
    ----------
    parts
        One part, or one for each prefix of the hashes.
    """
    notes = {"generation": str(record.generation), "normalization": record.normalization}
    workspace.ledgers.write_parts(record.id, _SCHEMA.with_metadata(notes), map(_table, parts))


def after(before: Part, *, added: Hashes, removed: Hashes, unknown: Hashes) -> Part:
    """Return a part of the ledger after a run: accepted hashes are in or out, those without an answer may be in.

    The same outcome twice gives the same ledger, so that it can be written again after a crash.
    """
    touched = np.concatenate([added, removed, unknown])
    members = np.concatenate([without(before[0], touched), added])
    maybe = np.concatenate([without(before[1], touched), unknown])
    return members, maybe


def _generation(file: pq.ParquetFile) -> int:
    return int(_notes(file).get(b"generation", b"-1"))


def _notes(file: pq.ParquetFile) -> dict[bytes, bytes]:
    return file.schema_arrow.metadata or {}


def _table(part: Part) -> pa.Table:
    members, maybe = part
    states = np.repeat(np.array([_MEMBER, _MAYBE], np.int8), [len(members), len(maybe)])
    return pa.table({"hash": as_column(np.concatenate([members, maybe])), "state": states})


def _lost(record: AudienceRecord) -> LedgerLostError:
    said = ledger_lost(record.name)
    return LedgerLostError(said.sentence, said.next_step, code=said.code)
