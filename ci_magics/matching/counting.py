"""Count matched profiles under a normalization, and collect their hashes, in one pass of bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.matching.consents import Consenting
from ci_magics.matching.hash_list import HashList, Scratch
from ci_magics.matching.hash_sets import combined, distinct
from ci_magics.matching.hashes import EMPTY, Hashes, chosen, of_column, present_in, without
from ci_magics.matching.hashes import unique as unique_hashes
from ci_magics.matching.matched import DOUBT, Profiles
from ci_magics.matching.normalize import INVALID, rules_of
from ci_magics.matching.suppression import Suppression
from ci_magics.segmentation.consent.reading import STATE


@dataclass(frozen=True)
class Counted:
    """The numbers of a segment under one normalization.

    Parameters
    ----------
    rows, valid, unique
        Profiles: all, those with a hash, those with a different address.
    suppressed
        Profiles with a different address that must not be sent.
    refused, unconsented
        Those of the rest that refused, and those of whom no consent is known.
    reasons
        Profiles without a hash, by reason.
    prehashed
        Profiles whose value was a hash already.
    differs
        Profiles whose hash depends on the normalization.
    hashes
        What would be sent, each hash once.
    held_back
        Hashes of those that must not be sent or that refused, under both rules.
    doubts
        Profiles with a hash whose address is doubtful, by one of `ci_magics.matching.doubts.DOUBTS`.
    """

    rows: int
    valid: int
    unique: int
    suppressed: int
    refused: int
    unconsented: int
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
        self.suppressed: list[Hashes] = []
        self.refused: list[Hashes] = []

    @property
    def valid(self) -> int:
        return self.rows - sum(self.reasons.values())


@dataclass(frozen=True)
class _Held:
    """What keeps profiles from being sent."""

    suppression: Suppression | None
    consenting: Consenting | None

    def columns(self, columns: Sequence[str]) -> list[str]:
        """Return some columns and those that deciding needs, each once."""
        needed = [*(self.suppression.columns() if self.suppression else ()), *([STATE] if self.consenting else ())]
        return list(dict.fromkeys([*columns, *needed]))

    def suppressed(self, batch: pa.RecordBatch) -> pa.Array:
        """Tell which profiles must not be sent whether they agreed or not."""
        held = self.suppression.holds(batch) if self.suppression else np.zeros(batch.num_rows, np.bool_)
        return pa.array(held)

    def divided(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch, pa.RecordBatch, pa.RecordBatch]:
        """Return the profiles that are sent, those that must not be, those that refused, and those without consent."""
        if self.suppression is None and self.consenting is None:
            return batch, batch.slice(0, 0), batch.slice(0, 0), batch.slice(0, 0)
        suppressed = self.suppressed(batch)
        left = batch.filter(pc.invert(suppressed))
        if self.consenting is None:
            return left, batch.filter(suppressed), left.slice(0, 0), left.slice(0, 0)
        sends, refuses = self.consenting.sends(left), self.consenting.refuses(left)
        silent = pc.invert(pc.or_(sends, refuses))
        return left.filter(sends), batch.filter(suppressed), left.filter(refuses), left.filter(silent)


def count_profiles(
    profiles: Profiles,
    normalization: str,
    scratch: Scratch,
    suppression: Suppression | None = None,
    consenting: Consenting | None = None,
) -> Counted:
    """Count profiles, and collect their hashes.

    Parameters
    ----------
    profiles
        The segment's profiles.
    normalization
        The rule whose hashes are collected.
    scratch
        Where long lists of hashes go for the moment.
    suppression
        Who must not be sent; such a profile counts as suppressed unless it is a duplicate.
    consenting
        Who agreed; everybody is sent unless given. A profile that refused or of whom nothing is known counts so unless
        it is a duplicate or suppressed.
    """
    counts = _Counts()
    held = _Held(suppression, consenting)
    rules = rules_of(normalization)
    most = profiles.rows * len(rules)
    hashes = distinct(_counted_hashes(profiles, rules, counts, held), most, scratch)
    held_back, suppressed = unique_of(counts.held_back), unique_of(counts.suppressed)
    refused = without(unique_of(counts.refused), suppressed)
    hashes = _without(hashes, held_back, scratch)
    identities = hashes
    if len(rules) > 1:
        sent = distinct(_identities(profiles, held), profiles.rows, scratch)
        identities = _without(_without(sent, suppressed, scratch), refused, scratch)
    unconsented = 0
    if consenting is not None and consenting.silent:
        silent = distinct(_silent(profiles, rules, held), profiles.rows, scratch)
        silent = _without(_without(silent, suppressed, scratch), refused, scratch)
        unconsented = len(combined(silent, identities, without, scratch))
    return Counted(
        rows=counts.rows,
        valid=counts.valid,
        unique=len(identities) + len(suppressed) + len(refused) + unconsented,
        suppressed=len(suppressed),
        refused=len(refused),
        unconsented=unconsented,
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


def _counted_hashes(profiles: Profiles, rules: tuple[str, ...], counts: _Counts, held: _Held) -> Iterator[Hashes]:
    columns = ["prehashed", "sha256_basic", "sha256_enhanced", *(f"reason_{rule}" for rule in rules), DOUBT]
    for whole in profiles.batches(held.columns(columns)):
        _count(whole.select([each for each in columns if each in whole.schema.names]), rules, counts)
        batch, suppressed, refused, _silent = held.divided(whole)
        for left_out, identities in ((suppressed, counts.suppressed), (refused, counts.refused)):
            if left_out.num_rows:
                counts.held_back += [present_in(left_out.column(f"sha256_{rule}")) for rule in ("basic", "enhanced")]
                identities.append(present_in(_identity(left_out, rules)))
        if len(rules) == 1:
            yield present_in(batch.column(f"sha256_{rules[0]}"))
        else:
            yield _interleaved(batch)


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


def _identities(profiles: Profiles, held: _Held) -> Iterator[Hashes]:
    """Return one hash for each address that may be sent."""
    for batch in profiles.batches(held.columns(["sha256_basic", "sha256_enhanced"])):
        yield present_in(_identity(held.divided(batch)[0], ("basic", "enhanced")))


def _silent(profiles: Profiles, rules: tuple[str, ...], held: _Held) -> Iterator[Hashes]:
    """Return one hash for each address of whom no consent is known."""
    for batch in profiles.batches(held.columns(["sha256_basic", "sha256_enhanced"])):
        yield present_in(_identity(held.divided(batch)[3], rules))


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
