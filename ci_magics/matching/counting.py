"""Count matched profiles under a normalization, and collect their hashes, in one pass of bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.matching.hash_list import HashList, Scratch
from ci_magics.matching.hash_sets import combined, distinct
from ci_magics.matching.hashes import EMPTY, Hashes, chosen, of_column, present_in, without
from ci_magics.matching.hashes import unique as unique_hashes
from ci_magics.matching.matched import DOUBT, Profiles
from ci_magics.matching.normalize import INVALID, rules_of
from ci_magics.matching.suppression import Suppression


@dataclass(frozen=True)
class Counted:
    """The numbers of a segment under one normalization.

    Parameters
    ----------
    rows, valid, unique
        Profiles: all, those with a hash, those with a different address.
    suppressed
        Profiles with a different address that must not be sent.
    reasons
        Profiles without a hash, by reason.
    prehashed
        Profiles whose value was a hash already.
    differs
        Profiles whose hash depends on the normalization.
    hashes
        What would be sent, each hash once.
    held_back
        Hashes of those that must not be sent, under both rules.
    doubts
        Profiles with a hash whose address is doubtful, by one of `ci_magics.matching.doubts.DOUBTS`.
    """

    rows: int
    valid: int
    unique: int
    suppressed: int
    reasons: dict[str, int]
    prehashed: int
    differs: int
    hashes: HashList = field(repr=False)
    held_back: Hashes = field(repr=False)
    doubts: dict[str, int] = field(default_factory=dict)


class _Counts:
    """Sums over batches."""

    def __init__(self) -> None:
        self.rows = self.prehashed = self.differs = 0
        self.reasons = dict.fromkeys(INVALID, 0)
        self.doubts: Counter[str] = Counter()
        self.held_back: list[Hashes] = []
        self.held_back_identities: list[Hashes] = []

    @property
    def valid(self) -> int:
        return self.rows - sum(self.reasons.values())


def count_profiles(
    profiles: Profiles, normalization: str, scratch: Scratch, suppression: Suppression | None = None
) -> Counted:
    """Count profiles, and collect their hashes.

    Parameters
    ----------
    suppression
        Who must not be sent; such a profile counts as suppressed unless it is a duplicate.
    """
    counts = _Counts()
    rules = rules_of(normalization)
    most = profiles.rows * len(rules)
    hashes = distinct(_counted_hashes(profiles, rules, counts, suppression), most, scratch)
    held_back, suppressed = unique_of(counts.held_back), unique_of(counts.held_back_identities)
    hashes = _without(hashes, held_back, scratch)
    unique = len(hashes)
    if len(rules) > 1:
        identities = distinct(_identities(profiles, suppression), profiles.rows, scratch)
        unique = len(_without(identities, suppressed, scratch))
    return Counted(
        rows=counts.rows,
        valid=counts.valid,
        unique=unique + len(suppressed),
        suppressed=len(suppressed),
        reasons=counts.reasons,
        prehashed=counts.prehashed,
        differs=counts.differs,
        hashes=hashes,
        held_back=held_back,
        doubts=dict(counts.doubts),
    )


def _without(hashes: HashList, others: Hashes, scratch: Scratch) -> HashList:
    """Leave out an address that somebody else shares who must not be sent."""
    return combined(hashes, HashList.of(others), without, scratch) if len(others) else hashes


def unique_of(parts: list[Hashes]) -> Hashes:
    """Return each hash of some parts once."""
    return unique_hashes(np.concatenate([EMPTY, *parts]))


def _counted_hashes(
    profiles: Profiles, rules: tuple[str, ...], counts: _Counts, suppression: Suppression | None
) -> Iterator[Hashes]:
    columns = ["prehashed", "sha256_basic", "sha256_enhanced", *(f"reason_{rule}" for rule in rules), DOUBT]
    for whole in profiles.batches(_with_keys(columns, suppression)):
        _count(whole.select([each for each in columns if each in whole.schema.names]), rules, counts)
        batch, left_out = _divided(whole, suppression)
        if left_out is not None:
            counts.held_back += [present_in(left_out.column(f"sha256_{rule}")) for rule in ("basic", "enhanced")]
            counts.held_back_identities.append(present_in(_identity(left_out, rules)))
        if len(rules) == 1:
            yield present_in(batch.column(f"sha256_{rules[0]}"))
        else:
            yield _interleaved(batch)


def _with_keys(columns: list[str], suppression: Suppression | None) -> list[str]:
    return columns if suppression is None else list(dict.fromkeys([*columns, *suppression.columns()]))


def _divided(batch: pa.RecordBatch, suppression: Suppression | None) -> tuple[pa.RecordBatch, pa.RecordBatch | None]:
    """Return the profiles that may be sent, and those that may not."""
    if suppression is None:
        return batch, None
    held = pa.array(suppression.holds(batch))
    return batch.filter(pc.invert(held)), batch.filter(held)


def _count(batch: pa.RecordBatch, rules: tuple[str, ...], counts: _Counts) -> None:
    frame = pl.DataFrame({name: _series(batch.column(name)) for name in batch.schema.names})
    reason = pl.col(f"reason_{rules[0]}")
    if len(rules) > 1:
        reason = pl.when(pl.col("sha256_basic").is_null() & pl.col("sha256_enhanced").is_null()).then(reason)
    differs = pl.col("sha256_basic").ne_missing(pl.col("sha256_enhanced")) & ~pl.col("prehashed")
    sums = frame.select(
        reason.alias("reason"), differs.alias("differs"), (pl.col("prehashed") & reason.is_null()).alias("prehashed")
    )
    counts.rows += batch.num_rows
    counts.differs += int(sums["differs"].sum())
    counts.prehashed += int(sums["prehashed"].sum())
    for name, count in sums["reason"].drop_nulls().value_counts().iter_rows():
        counts.reasons[name] += count
    if DOUBT in frame.columns:
        doubtful = frame[DOUBT].filter(frame[DOUBT].is_not_null() & sums["reason"].is_null())
        counts.doubts.update(dict(doubtful.value_counts().iter_rows()))


def _identities(profiles: Profiles, suppression: Suppression | None) -> Iterator[Hashes]:
    """Return one hash for each address that may be sent."""
    for batch in profiles.batches(_with_keys(["sha256_basic", "sha256_enhanced"], suppression)):
        yield present_in(_identity(_divided(batch, suppression)[0], ("basic", "enhanced")))


def _identity(batch: pa.RecordBatch, rules: tuple[str, ...]) -> pa.Array:
    """Return one hash for each address: the basic one, the enhanced one where there is no other."""
    return pc.coalesce(*(batch.column(f"sha256_{rule}") for rule in rules))


def _interleaved(batch: pa.RecordBatch) -> Hashes:
    """Return the two hashes of each profile next to each other, so that their order is that of the profiles."""
    columns = [batch.column(f"sha256_{rule}") for rule in ("basic", "enhanced")]
    present = np.stack([column.is_valid().to_numpy(zero_copy_only=False) for column in columns], axis=1).reshape(-1)
    pairs = np.stack([_rows(column) for column in columns], axis=1).reshape(-1, 32)
    return chosen(pairs, present)


def _rows(column: pa.Array) -> Hashes:
    """Return all values as rows of bytes; what stands where there is none does not matter."""
    return of_column(column) if len(column) else EMPTY


def _series(column: pa.Array) -> pl.Series:
    if pa.types.is_dictionary(column.type):
        return pl.Series(pl.from_arrow(column.cast(pa.string())))
    if pa.types.is_fixed_size_binary(column.type):
        column = column.cast(pa.large_binary())
    return pl.Series(pl.from_arrow(column))
