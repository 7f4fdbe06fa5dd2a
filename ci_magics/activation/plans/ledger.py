"""The ledger: which hashes an audience holds because we sent them. Microsoft never lists the members."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ci_magics.errors import ExportRefusedError, WorkspaceError
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
    """The ledger of an audience is missing or out of date, so its members are unknown."""


@dataclass(frozen=True)
class Ledger:
    """The hashes that an audience holds.

    Parameters
    ----------
    members
        Hashes that Microsoft accepted.
    maybe
        Hashes with an unknown outcome: sent, but no usable answer came back. Split into the same parts as ``members``.
    """

    members: HashList = field(default=NOTHING, repr=False)
    maybe: HashList = field(default=NOTHING, repr=False)

    @property
    def all(self) -> HashList:
        """All hashes that may be in the audience."""
        lengths = [sum(pair) for pair in zip(self.members.lengths, self.maybe.lengths, strict=True)]

        def part(number: int) -> Callable[[], Hashes]:
            return lambda: np.concatenate([self.members.part(number), self.maybe.part(number)])

        return HashList([part(number) for number in range(len(lengths))], lengths)


def read_ledger(workspace: Workspace, record: AudienceRecord) -> Ledger:
    """Return the ledger of an audience; its hashes are read on demand.

    Parameters
    ----------
    workspace
        The workspace that stores the ledger.
    record
        The audience.

    Raises
    ------
    LedgerLostError
        The ledger is missing, damaged, for another audience, or older than the record.
    ExportRefusedError
        Later, when hashes are read: another run has replaced the ledger meanwhile.
    """
    if not workspace.ledgers.is_intact(record.id):
        raise _lost(record)
    try:
        with workspace.ledgers.opened(record.id) as file:
            generation, normalization = _generation(file), _notes(file).get(b"normalization")
            states = [file.read_row_group(group, ["state"])["state"].to_numpy() for group in range(file.num_row_groups)]
    except WorkspaceError:
        raise _lost(record) from None
    # The file is written before the row, so a crash in between leaves it one generation ahead. An older file is a
    # restored copy and not to be trusted.
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
    """Replace the ledger of an audience; the file also records the generation and the normalization.

    Parameters
    ----------
    workspace
        The workspace that stores the ledger.
    record
        The audience.
    parts
        One part, or one for each prefix of the hashes.
    """
    notes = {"generation": str(record.generation), "normalization": record.normalization}
    workspace.ledgers.write_parts(record.id, _SCHEMA.with_metadata(notes), map(_table, parts))


def after(before: Part, *, added: Hashes, removed: Hashes, unknown: Hashes) -> Part:
    """Return a part of the ledger after a run. It is idempotent, so that it can be repeated after a crash.

    Parameters
    ----------
    before
        The part before the run.
    added
        Hashes that are now members.
    removed
        Hashes that are no longer members.
    unknown
        Hashes whose outcome is unknown, added or removed.
    """
    # Take every hash of the run out of both lists first: its newest outcome replaces whatever was known of it.
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
    return LedgerLostError(said.sentence, said.advice, code=said.code)


def outdated(changed: Sequence[str]) -> ExportRefusedError:
    """Return the error for an outdated plan, with everything that changed."""
    return ExportRefusedError(
        f"The plan is out of date, so nothing was sent: {'; '.join(changed)}.",
        "Make the plan again.",
        code="plan_outdated",
    )


def sent_to(audience: str) -> str:
    """Return the sentence that another run has sent to an audience since."""
    return f"something was sent to the audience '{audience}'"
