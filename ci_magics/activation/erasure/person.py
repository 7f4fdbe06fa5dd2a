"""One person as the workspace stores them: hashes with both normalizations, and keys. Addresses are never stored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pyarrow as pa

from ci_magics.advice import Opt, advise
from ci_magics.errors import ArgumentError, NotFoundError, names_somebody, quoted_list
from ci_magics.forking import require_threads
from ci_magics.matching.hashes import Hashes, as_series, of_column
from ci_magics.matching.normalize import normalize
from ci_magics.segmentation.columns import same_key
from ci_magics.segmentation.key_text import text_of_value, text_series
from ci_magics.segmentation.segment import ROW_NUMBER
from ci_magics.workspace.models import SegmentRecord
from ci_magics.workspace.store import Workspace

HASHES = ("sha256_basic", "sha256_enhanced")
_HEX = re.compile("[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class Person:
    """A person to forget.

    Parameters
    ----------
    basic, enhanced
        Hashes with each normalization. A hash of unknown normalization is in both.
    key_column, key
        Key of the person, and the key column it belongs to. None if a hash or an address was given.
    """

    basic: frozenset[bytes] = field(repr=False)
    enhanced: frozenset[bytes] = field(repr=False)
    key_column: str | None = None
    key: str | None = field(default=None, repr=False)

    @property
    def hashes(self) -> frozenset[bytes]:
        """All hashes, with either normalization."""
        return self.basic | self.enhanced

    def under(self, normalization: str) -> frozenset[bytes]:
        """Return the hashes that an audience with this normalization may hold."""
        return {"basic": self.basic, "enhanced": self.enhanced}.get(normalization, self.hashes)

    def is_keyed(self, record: SegmentRecord) -> bool:
        """Return whether the person's key identifies profiles of a segment: both have the same key column."""
        return self.key is not None and same_key(record.definition["key"], str(self.key_column))

    def rows_of(self, batch: pa.RecordBatch, *, keyed: bool) -> pa.Array:
        """Return a Boolean mask of the profiles in a batch that belong to this person.

        Parameters
        ----------
        batch
            Profiles with the columns ``key``, ``sha256_basic``, and ``sha256_enhanced``.
        keyed
            Also match by key; see `is_keyed`.
        """
        found = np.zeros(batch.num_rows, dtype=np.bool_)
        listed = as_series(as_rows(self.hashes)).implode()
        for name in HASHES:
            values = pl.Series(pl.from_arrow(batch.column(name).cast(pa.large_binary())))
            found |= values.is_in(listed).fill_null(value=False).to_numpy()
        if keyed:
            found |= (text_series(batch.column("key")) == self.key).fill_null(value=False).to_numpy()
        return pa.array(found)


def as_rows(hashes: frozenset[bytes] | set[bytes]) -> Hashes:
    """Return hashes as an array of bytes, sorted, of shape (n, 32)."""
    return np.frombuffer(b"".join(sorted(hashes)), dtype=np.uint8).reshape(-1, 32)


def find_person(
    workspace: Workspace,
    *,
    key: str | None = None,
    key_column: str | None = None,
    sha256: str | None = None,
    address: str | None = None,
) -> Person:
    """Find a person by key, hash, or address, and collect the matching hashes from all segments.

    Parameters
    ----------
    workspace
        Workspace to use.
    key
        Key of the person in segments.
    key_column
        Key column, if segments with different key columns have the same key.
    sha256
        Hash of the address, 64 hexadecimal digits, with either normalization.
    address
        The address.

    Raises
    ------
    ArgumentError
        Not exactly one of ``key``, ``sha256``, and ``address`` was given; it is not valid; or segments with different
        key columns have the key.
    NotFoundError
        No segment has the key.
    """
    require_threads()
    if sum(each is not None for each in (key, sha256, address)) != 1:
        given = [name for name, value in (("key", key), ("hash", sha256), ("address", address)) if value is not None]
        raise ArgumentError(
            f"A {' and a '.join(given)} are given." if given else "Nothing says who is to be forgotten.",
            "Give one of them: a key, a hash or an address.",
            code="who",
        )
    if address is not None:
        return _completed(workspace, _by_address(address))
    if sha256 is not None:
        return _completed(workspace, _by_hash(sha256))
    return _completed(workspace, _by_key(workspace, text_of_value(key) or "", key_column))


def _by_address(address: str) -> Person:
    row = normalize([address], normalization="both").to_pylist()[0]
    basic, enhanced = (bytes.fromhex(row[each]) if row[each] else None for each in ("sha256", "sha256_enhanced"))
    if basic is None and enhanced is None:
        raise ArgumentError("This is not a valid e-mail address.", "Check it and enter it again.", code="no_address")
    return Person(frozenset({basic} - {None}), frozenset({enhanced} - {None}))  # type: ignore[arg-type]  # None is removed


def _by_hash(text: str) -> Person:
    if not _HEX.fullmatch(text.strip()):
        raise ArgumentError(
            "A hash has 64 hexadecimal digits.", "Give the SHA-256 value of the address.", code="no_hash"
        )
    value = frozenset({bytes.fromhex(text.strip())})
    return Person(value, value)


def _by_key(workspace: Workspace, key: str, key_column: str | None) -> Person:
    if names_somebody(key):
        raise ArgumentError(
            "The key is an e-mail address, and an address is never given as an argument: it would stay in histories "
            "and logs.",
            advise("Use ", Opt("address"), ", which asks for it; or the hash."),
            code="address_as_key",
        )
    columns: set[str] = set()
    keys = {record.definition["key"] for record in _all_records(workspace)} - {ROW_NUMBER}
    for record in _all_records(workspace):
        column = record.definition["key"]
        if column == ROW_NUMBER or any(same_key(column, each) for each in columns):
            continue
        if key_column is not None and not same_key(column, key_column):
            continue
        if any(_has_key(batch, key) for batch in _batches(workspace, record)):
            columns.add(column)
    if not columns and key_column is not None and not any(same_key(each, key_column) for each in keys):
        raise NotFoundError(
            f"No segment has the key column '{key_column}'.",
            f"The key columns are {quoted_list(sorted(keys))}." if keys else "No segment has a key column.",
            code="no_such_key",
        )
    if not columns:
        raise NotFoundError(
            "No segment has a profile with this key.",
            advise("If the person is still in an audience, give the hash or ", Opt("address"), "."),
            code="no_such_key",
        )
    if len(columns) > 1:
        raise ArgumentError(
            f"Segments with different keys have this value: {quoted_list(sorted(columns))}.",
            advise("Say which one is meant with ", Opt("key_column"), "."),
            code="which_key",
        )
    return Person(frozenset(), frozenset(), columns.pop(), key)


def _completed(workspace: Workspace, person: Person) -> Person:
    """Return a person with all hashes of the profiles that match a known hash or the key."""
    found: dict[str, set[bytes]] = {"sha256_basic": set(person.basic), "sha256_enhanced": set(person.enhanced)}
    for record in _all_records(workspace):
        for batch in _batches(workspace, record):
            rows = batch.filter(person.rows_of(batch, keyed=person.is_keyed(record)))
            for name, hashes in found.items():
                hashes.update(row.tobytes() for row in of_column(rows.column(name).drop_null()))
    return Person(frozenset(found["sha256_basic"]), frozenset(found["sha256_enhanced"]), person.key_column, person.key)


def _all_records(workspace: Workspace) -> list[SegmentRecord]:
    """Return all segments and their earlier versions."""
    return [*workspace.segments, *(each.as_record() for each in workspace.versions)]


def _batches(workspace: Workspace, record: SegmentRecord) -> Iterator[pa.RecordBatch]:
    if workspace.snapshots.exists(record.id):
        yield from workspace.snapshots.batches(record.id, ["key", *HASHES])


def _has_key(batch: pa.RecordBatch, key: str) -> bool:
    return bool((text_series(batch.column("key")) == key).any())
