"""Count matched profiles under a normalization and collect their hashes, in one pass with bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.forking import require_threads
from ci_magics.matching.consents import ConsentPolicy
from ci_magics.matching.hash_list import HashList, Scratch
from ci_magics.matching.hash_sets import by_rank, combined, distinct
from ci_magics.matching.hashes import EMPTY, Hashes, chosen, of_column, without
from ci_magics.matching.hashes import unique as unique_hashes
from ci_magics.matching.matched import DOUBT, Profiles
from ci_magics.matching.normalize import INVALID, rules_of
from ci_magics.matching.suppression import Suppression
from ci_magics.segmentation.consent.reading import STATE

#: Ranks of profiles: if several profiles share an address, the lowest rank applies. OTHER_HASH marks the second hash of
#: a profile that must not be sent: it keeps out profiles with the same hash, and is not counted as a profile.
SUPPRESSED, REFUSED, OTHER_HASH, SENT, SILENT = range(5)


@dataclass(frozen=True)
class Counted:
    """The counts of a segment under one normalization.

    Parameters
    ----------
    rows, valid, unique
        The number of profiles: all, those with a hash, and those left after deduplication by address.
    suppressed
        Deduplicated profiles that must not be sent.
    refused, unconsented
        Of the remaining profiles, those that refused, and those whose consent is not known.
    reasons
        Profiles without a hash, by reason.
    prehashed
        Profiles whose value was already a hash.
    differs
        Profiles that are valid under both rules and have another hash under each.
    hashes
        The hashes to send, without duplicates.
    held_back
        The hashes of profiles that must not be sent or that refused, under both rules.
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
    """Running totals over batches."""

    def __init__(self) -> None:
        self.rows = self.prehashed = self.differs = 0
        self.reasons = Counter(dict.fromkeys(INVALID, 0))
        self.doubts: Counter[str] = Counter()
        self.held_back: list[Hashes] = []

    @property
    def valid(self) -> int:
        return self.rows - sum(self.reasons.values())


@dataclass(frozen=True)
class _Exclusions:
    """The profiles that must not be sent."""

    suppression: Suppression | None
    consenting: ConsentPolicy | None

    def columns(self, columns: Sequence[str]) -> list[str]:
        """Return the columns together with those needed to decide, without duplicates."""
        needed = [*(self.suppression.columns() if self.suppression else ()), *([STATE] if self.consenting else ())]
        return list(dict.fromkeys([*columns, *needed]))

    def ranks(self, batch: pa.RecordBatch) -> npt.NDArray[np.uint8]:
        """Return the rank of each profile; among profiles that share an address, the lowest rank applies."""
        ranks = np.full(batch.num_rows, SENT, np.uint8)
        if self.consenting is not None:
            states = batch.column(STATE).dictionary_encode(null_encoding="encode")
            of_state = [_rank(self.consenting, each) for each in states.dictionary.to_pylist()]
            ranks = np.array(of_state, np.uint8)[states.indices.to_numpy()]
        if self.suppression is not None:
            ranks[self.suppression.contains_profiles(batch)] = SUPPRESSED
        return ranks


def _rank(consenting: ConsentPolicy, state: str | None) -> int:
    """Return the rank of a profile from its consent state."""
    if state in consenting.refused:
        return REFUSED
    return SENT if state in consenting.sent else SILENT


def count_profiles(
    profiles: Profiles,
    normalization: str,
    scratch: Scratch,
    suppression: Suppression | None = None,
    consenting: ConsentPolicy | None = None,
) -> Counted:
    """Count profiles and collect their hashes.

    Parameters
    ----------
    profiles
        The segment's profiles.
    normalization
        The rule whose hashes are collected.
    scratch
        Temporary storage for long lists of hashes.
    suppression
        The profiles that must not be sent. Such a profile counts as suppressed unless it is a duplicate.
    consenting
        The states of consent to send; by default all profiles are sent. A profile that refused or whose consent is not
        known counts as such unless it is a duplicate or suppressed.
    """
    require_threads()
    counts = _Counts()
    exclusions = _Exclusions(suppression, consenting)
    rules = rules_of(normalization)
    people, hashes = by_rank(_people(profiles, rules, counts, exclusions), SENT, profiles.rows, scratch)
    held_back = unique_of(counts.held_back)
    if len(rules) > 1:
        hashes = distinct(_pairs(profiles, exclusions), profiles.rows * len(rules), scratch)
        hashes = combined(hashes, HashList.of(held_back), without, scratch) if len(held_back) else hashes
    return Counted(
        rows=counts.rows,
        valid=counts.valid,
        unique=people.total() - people[OTHER_HASH],
        suppressed=people[SUPPRESSED],
        refused=people[REFUSED],
        unconsented=people[SILENT],
        reasons=dict(counts.reasons),
        prehashed=counts.prehashed,
        differs=counts.differs,
        hashes=hashes,
        held_back=held_back,
        doubts=dict(counts.doubts),
    )


def unique_of(parts: list[Hashes]) -> Hashes:
    """Return the hashes of several arrays without duplicates."""
    return unique_hashes(np.concatenate([EMPTY, *parts]))


def _people(
    profiles: Profiles, rules: tuple[str, ...], counts: _Counts, exclusions: _Exclusions
) -> Iterator[tuple[int, Hashes]]:
    """Yield one hash per profile, grouped by rank; update the counts."""
    columns = ["prehashed", "sha256_basic", "sha256_enhanced", *(f"reason_{rule}" for rule in rules), DOUBT]
    for batch in profiles.batches(exclusions.columns(columns)):
        differs = _differs(batch)
        _count(batch, rules, counts, differs)
        identity = _identity(batch, rules)
        ranks, valid, values = exclusions.ranks(batch), _true(identity.is_valid()), _rows(identity)
        excluded = ranks <= REFUSED
        if excluded.any():
            others = _other_hashes(batch, rules, excluded & differs)
            counts.held_back += [chosen(values, excluded & valid), others]
            yield OTHER_HASH, others
        for rank in np.flatnonzero(np.bincount(ranks[valid])):
            yield int(rank), chosen(values, valid & (ranks == rank))


def _pairs(profiles: Profiles, exclusions: _Exclusions) -> Iterator[Hashes]:
    """Yield both hashes of each profile that may be sent."""
    for batch in profiles.batches(exclusions.columns(["sha256_basic", "sha256_enhanced"])):
        yield _interleaved(batch.filter(pa.array(exclusions.ranks(batch) == SENT)))


def _count(batch: pa.RecordBatch, rules: tuple[str, ...], counts: _Counts, differs: npt.NDArray[np.bool_]) -> None:
    prehashed = _true(batch.column("prehashed"))
    invalid = ~_true(_identity(batch, rules).is_valid())
    counts.rows += batch.num_rows
    counts.differs += int((differs & _valid_under_both(batch) & ~prehashed).sum())
    counts.prehashed += int((prehashed & ~invalid).sum())
    counts.reasons.update(_value_counts(batch.column(f"reason_{rules[0]}"), invalid))
    if DOUBT in batch.schema.names:
        counts.doubts.update(_value_counts(batch.column(DOUBT), ~invalid))


def _value_counts(column: pa.Array, which: npt.NDArray[np.bool_]) -> dict[str, int]:
    """Count the values of a column in the selected rows."""
    found = pc.value_counts(column.filter(pa.array(which)))
    return {str(each["values"]): each["counts"].as_py() for each in found if each["values"].is_valid}


def _valid_under_both(batch: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """Return for each profile whether it has a hash under either rule; without one, there are no two to compare."""
    return _true(batch.column("sha256_basic").is_valid()) & _true(batch.column("sha256_enhanced").is_valid())


def _differs(batch: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """Return for each profile whether its hash depends on the rule."""
    basic, enhanced = (batch.column(f"sha256_{rule}") for rule in ("basic", "enhanced"))
    one, other = _true(basic.is_valid()), _true(enhanced.is_valid())
    differs: npt.NDArray[np.bool_] = one != other
    basic_words, enhanced_words = (_rows(each).view(np.uint64) for each in (basic, enhanced))
    for word in range(basic_words.shape[1]):  # word by word: seven times as fast as comparing whole rows
        differs |= one & (basic_words[:, word] != enhanced_words[:, word])
    return differs


def _other_hashes(batch: pa.RecordBatch, rules: tuple[str, ...], which: npt.NDArray[np.bool_]) -> Hashes:
    """Return the second hash of the selected profiles, the one that does not identify them in the counts."""
    column = batch.column("sha256_basic" if rules == ("enhanced",) else "sha256_enhanced")
    present = _true(column.is_valid())
    if len(rules) > 1:  # without a basic hash, the enhanced hash is the first
        present &= _true(batch.column("sha256_basic").is_valid())
    return chosen(_rows(column), which & present)


def _identity(batch: pa.RecordBatch, rules: tuple[str, ...]) -> pa.Array:
    """Return one hash per address: the basic hash, or the enhanced hash if there is no basic one."""
    columns = [batch.column(f"sha256_{rule}") for rule in rules]
    return columns[0] if len(columns) == 1 else pc.coalesce(*columns)


def _interleaved(batch: pa.RecordBatch) -> Hashes:
    """Return both hashes of each profile next to each other, in the order of the profiles."""
    columns = [batch.column(f"sha256_{rule}") for rule in ("basic", "enhanced")]
    present = np.stack([column.is_valid().to_numpy(zero_copy_only=False) for column in columns], axis=1).reshape(-1)
    pairs = np.stack([_rows(column) for column in columns], axis=1).reshape(-1, 32)
    return chosen(pairs, present)


def _true(values: pa.BooleanArray) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = values.to_numpy(zero_copy_only=False)
    return found


def _rows(column: pa.Array) -> Hashes:
    """Return the values as rows of bytes; rows of nulls are arbitrary."""
    return of_column(column) if len(column) else EMPTY
