"""Forget a person: erase the person from stored data, and remove them from audiences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.activation.connections.emulator_process import settle_emulator
from ci_magics.activation.erasure.person import HASHES, Person, find_person
from ci_magics.activation.erasure.removal import RemovalResult, remove_from_audience, require_no_open_run
from ci_magics.activation.retention import forget_finished
from ci_magics.activation.segments.kept_counts import keep_counts
from ci_magics.display.displayable import Displayable
from ci_magics.display.output import announce
from ci_magics.errors import quoted_list
from ci_magics.grammar.operation import operation
from ci_magics.grammar.option import Option
from ci_magics.segmentation.key_text import key_text
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.models import SegmentRecord, SegmentVersion
from ci_magics.workspace.orphans import READING, REJECTED, sweep
from ci_magics.workspace.store import Workspace, WorkspaceLike, store_of


@dataclass(frozen=True)
class Forgotten(Displayable):
    """Result of a request to forget a person. It contains no personal data.

    Parameters
    ----------
    audiences
        Result for each audience that was filled from this workspace.
    segments
        Segments that the person was deleted from.
    erased
        Whether the stored data is erased. False while the person may still be in an audience.
    """

    audiences: tuple[RemovalResult, ...]
    segments: tuple[str, ...]
    erased: bool

    def __repr__(self) -> str:
        lines = ["On the suppression list: no export sends this person again."]
        lines += [f"  {each}" for each in self.audiences]
        if self.erased:
            lines += [f"Deleted from what is stored here: {quoted_list(self.segments) or 'no segment contained it'}."]
        else:
            lines += ["Nothing stored here was deleted: run it again."]
        return "\n".join(lines)

    def document(self) -> dict[str, object]:
        """Return the result as JSON-compatible data."""
        return {
            "audiences": [vars(each) for each in self.audiences],
            "segments": list(self.segments),
            "erased": self.erased,
        }


@operation(Verb.FORGET_PERSON, example="--key 4711")
def forget(
    *,
    key: Annotated[str | None, Option("what identifies the person in segments", value="KEY")] = None,
    key_column: Annotated[str | None, Option("which key, where several columns have this value", kind="column")] = None,
    sha256: Annotated[str | None, Option("SHA-256 of the address, under either rule", value="HASH")] = None,
    address: Annotated[str | None, Option("e-mail address, which is not shown", kind="secret")] = None,
    workspace: WorkspaceLike | None = None,
    show: Callable[[str], None] = announce,
) -> Forgotten:
    """Forget a person: add the hashes to the suppression list, send Remove, then erase all stored data.

    Remove goes to every audience that was filled from this workspace, with the normalization that it was filled with.
    If the source of a dynamic segment still contains the person, a refresh reads them again; the suppression list still
    keeps them from being sent.

    Parameters
    ----------
    key
        Key of the person in segments. Give exactly one of ``key``, ``sha256``, and ``address``.
    key_column
        Key column, if segments with different key columns have the same key.
    sha256
        Hash of the address, 64 hexadecimal digits, with either normalization.
    address
        The address. Take it only from a hidden prompt or another secret input, never from a command line.
    workspace
        Workspace to use; None opens the default one.
    show
        Called with each message for the user, such as a sign-in code.

    Raises
    ------
    AccessError
        The current user is not an administrator.
    ExportRefusedError
        An unfinished run still holds the person's hashes. The person is on the suppression list by then.
    NotFoundError
        No segment has the key.
    """
    workspace = store_of(workspace)
    require(workspace, Verb.FORGET_PERSON)
    person = find_person(workspace, key=key, key_column=key_column, sha256=sha256, address=address)
    workspace.forgotten.add(list(person.hashes))
    require_no_open_run(workspace, person)
    audiences = tuple(remove_from_audience(workspace, record, person, show) for record in list(workspace.audiences))
    done = all(each.done for each in audiences)
    segments = erase(workspace, person) if done else ()
    if any(each.environment == "emulator" for each in audiences):
        settle_emulator(workspace)
    workspace.audit.note(
        Verb.FORGET_PERSON, "a person", audiences=len(audiences), segments=len(segments), completed=done
    )
    return Forgotten(audiences, segments, done)


def erase(workspace: Workspace, person: Person) -> tuple[str, ...]:
    """Erase a person from every segment, its earlier versions, lists of rejected profiles, and leftover files.

    Segments come last, because the key is looked up in them. After an interruption, the next attempt can still find
    what is left.

    Parameters
    ----------
    workspace
        Workspace to use.
    person
        Person to erase.

    Returns
    -------
    tuple of str
        Names of the segments that held the person in any version.
    """
    sweep(workspace, at_all=True)
    forget_finished(workspace)
    # Files of interrupted readings of Customer Insights. The next attempt starts over.
    workspace.spool.remove_all(READING)
    records = {each.id: each for each in (*workspace.segments, *(each.as_record() for each in workspace.versions))}
    keys = {each.id: _keys_in(workspace, each, person) for each in records.values()}
    every = {key for found in keys.values() for key in found} | ({person.key} if person.key is not None else set())
    _erase_refused(workspace, every)
    for version in list(workspace.versions):
        if keys.get(version.id):
            _erase_from_version(workspace, version, person)
    for record in list(workspace.segments):
        if keys.get(record.id):
            _erase_from_segment(workspace, record, person)
    workspace.compact()
    return tuple(dict.fromkeys(records[each].name for each, found in keys.items() if found))


def _erase_from_segment(workspace: Workspace, record: SegmentRecord, person: Person) -> None:
    """Write the snapshot of a segment without a person.

    The record changes first: if an interruption comes before the snapshot is written, the next attempt finds the person
    again.
    """
    rows = sum(len(each) for each in _others(workspace, record, person))
    # A masked example may belong to the person. The next refresh collects new ones.
    workspace.segments.change(lambda now: replace(now, rows=rows, examples={}, kept_counts={}), id=record.id)
    _rewrite(workspace, record, person)
    for left in workspace.segments.where(id=record.id):
        keep_counts(workspace, left)


def _erase_from_version(workspace: Workspace, version: SegmentVersion, person: Person) -> None:
    """Write the snapshot of an earlier version without a person; see `_erase_from_segment`."""
    rows = sum(len(each) for each in _others(workspace, version.as_record(), person))
    counts: dict[str, object] = {"examples": {}, "kept_counts": {}}
    workspace.versions.change(lambda now: replace(now, rows=rows, record={**now.record, **counts}), id=version.id)
    _rewrite(workspace, version.as_record(), person)


def _keys_in(workspace: Workspace, record: SegmentRecord, person: Person) -> set[str]:
    """Return the keys of a person in a snapshot."""
    files, keyed = workspace.snapshots, person.is_keyed(record)
    found: set[str] = set()
    if files.exists(record.id):
        for batch in files.batches(record.id, ["key", *HASHES]):
            mine = batch.filter(person.rows_of(batch, keyed=keyed))
            found |= set(key_text(mine.column("key")).to_pylist())
    return found


def _rewrite(workspace: Workspace, record: SegmentRecord, person: Person) -> None:
    """Write a snapshot without a person."""
    files = workspace.snapshots
    files.write_parts(record.id, files.schema(record.id), _others(workspace, record, person))


def _others(workspace: Workspace, record: SegmentRecord, person: Person) -> Iterator[pa.RecordBatch]:
    """Yield the profiles of a snapshot that do not belong to a person."""
    files, keyed = workspace.snapshots, person.is_keyed(record)
    for batch in files.batches(record.id, files.columns(record.id)):
        yield batch.filter(pc.invert(person.rows_of(batch, keyed=keyed)))


def _erase_refused(workspace: Workspace, keys: set[str]) -> None:
    """Delete keys from the lists of rejected profiles of all segments, including renamed ones."""
    for file_name in workspace.spool.names(REJECTED):
        name = file_name.removesuffix(".parquet")
        table = workspace.spool.read(name)
        gone = [key in keys for key in table["key"].to_pylist()]
        if any(gone):
            workspace.spool.write(name, table.filter(pa.array([not each for each in gone])))
