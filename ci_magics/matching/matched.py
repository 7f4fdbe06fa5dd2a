"""Matched profiles: for each one its key, and under each rule its hash or the reason why it has none; no address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl
import pyarrow as pa

from ci_magics.matching.digests import digests_of
from ci_magics.matching.doubts import DOUBTS, doubts
from ci_magics.matching.normalize import INVALID, Hashed, hashed, rules_of
from ci_magics.matching.parallel import in_parallel
from ci_magics.matching.tally import Tally
from ci_magics.matching.text_column import text_column
from ci_magics.segmentation.key_text import stored_keys
from ci_magics.segmentation.values import is_text

_REASON = pa.dictionary(pa.int8(), pa.string())
#: The column that says why an address is doubtful. Segments of earlier versions do not have it.
DOUBT = "doubt"
_DOUBT = pa.dictionary(pa.int8(), pa.string())
_RULES = rules_of("both")


class Listener(Protocol):
    """An observer that receives each hashed batch; a `Tally` is one."""

    def add(self, addresses: Hashed) -> None:
        """Take a batch of addresses, hashed under both rules, into account."""
        ...


class Profiles(Protocol):
    """Matched profiles in batches, whatever their storage."""

    @property
    def rows(self) -> int:
        """An upper bound on their number."""
        ...

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield some columns, always in the same order; missing columns are left out."""
        ...


@dataclass(frozen=True)
class Matched:
    """What is stored of a segment's profiles.

    Parameters
    ----------
    profiles
        One row per profile: ``key``, ``prehashed``, for each rule ``reason_RULE`` (null where valid) and
        ``sha256_RULE`` (32 bytes, null where invalid), and ``doubt`` (one of `ci_magics.matching.doubts.DOUBTS`, or
        null); other columns are unchanged.
    domains
        Profiles by domain, most frequent first; rare domains are grouped under ``other``.
    examples
        A few masked values for each reason.
    """

    profiles: Profiles = field(repr=False)
    domains: Mapping[str, int]
    examples: Mapping[str, Sequence[str]]


def matched_schema(profiles: pa.Schema) -> pa.Schema:
    """Return the schema of matched profiles."""
    key = profiles.field("key").type
    columns: list[tuple[str, pa.DataType]] = [("key", pa.string() if is_text(key) else key), ("prehashed", pa.bool_())]
    for rule in _RULES:
        columns += [(f"reason_{rule}", _REASON), (f"sha256_{rule}", pa.binary(32))]
    columns.append((DOUBT, _DOUBT))
    return pa.schema(columns + [(each.name, each.type) for each in profiles if each.name not in ("key", "email")])


def match_batch(profiles: pa.RecordBatch, tally: Listener | None = None) -> pa.RecordBatch:
    """Match profiles under both rules: Arrow in, Arrow out, the same in every engine.

    Parameters
    ----------
    profiles
        Columns ``key`` and ``email``, and any others, which are passed through. A key that looks like an address
        is replaced by its hash.
    tally
        Receives the hashed addresses, to collect domains and examples.
    """
    schema = matched_schema(profiles.schema)
    emails = text_column(profiles.column("email"))
    addresses = hashed(emails, _RULES)
    if tally is not None:
        tally.add(addresses)
    results = addresses.columns("prehashed", *(pl.col(f"reason_{rule}").to_physical() for rule in _RULES))
    columns = [storable_keys(profiles.column("key"), emails), results["prehashed"].to_arrow()]
    for rule in _RULES:
        columns += [_words(results[f"reason_{rule}"], INVALID), digests_of(addresses, rule)]
    columns.append(_words(doubts(addresses), DOUBTS))
    columns += [profiles.column(each.name) for each in profiles.schema if each.name not in ("key", "email")]
    arrays = [_typed(column, each.type) for column, each in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def match_batches(batches: Iterable[pa.RecordBatch], tally: Tally) -> Iterator[pa.RecordBatch]:
    """Match batches of profiles on all processors; they stay in order."""

    def matched(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Tally]:
        own = Tally()
        return match_batch(batch, own), own

    for batch, own in in_parallel(matched, batches):
        tally.merge(own)
        yield batch


def _words(codes: pl.Series, words: Sequence[str]) -> pa.Array:
    """Convert indexes of words to a dictionary column."""
    return pa.DictionaryArray.from_arrays(codes.to_arrow().cast(pa.int8()), pa.array(words))


def _typed(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return column if column.type == kind else column.cast(kind)


def storable_keys(
    keys: pa.Array | pa.ChunkedArray, emails: pa.Array | pa.ChunkedArray | None = None
) -> pa.Array | pa.ChunkedArray:
    """Convert keys to the stored form: whole numbers or texts; a text that looks like an address becomes its hash.

    Parameters
    ----------
    keys
        The column of keys.
    emails
        The addresses of the same profiles, if known: a key that equals one of them is an address, well-formed or not.
    """
    keys = keys if is_text(keys.type) else stored_keys(keys)
    if not is_text(keys.type):
        return keys
    column = pl.Series("key", pl.from_arrow(keys))
    personal = column.str.contains("@", literal=True)
    if emails is not None:
        personal |= column == pl.Series("email", pl.from_arrow(emails)).cast(pl.String)
    if not personal.any():
        return keys
    import polars_hash as plh

    digest = plh.col("key").str.strip_chars().str.to_lowercase().chash.sha2_256()  # type: ignore[attr-defined]  # plugin
    kept = pl.when(personal).then(digest).otherwise(pl.col("key"))
    return column.to_frame().select(kept.alias("key"))["key"].to_arrow()
