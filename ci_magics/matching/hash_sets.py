"""Create, compare and combine lists of hashes: in memory, or part by part through files if they are long."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from ci_magics.matching.hash_list import HashFile, HashList, Scratch
from ci_magics.matching.hashes import EMPTY, Hashes, chosen, first_occurrences, split, within

#: A list up to this length has one part; a longer one has 64.
SHORT = 2_000_000
_BITS = 6


def distinct(batches: Iterable[Hashes], rows: int, scratch: Scratch) -> HashList:
    """Return the hashes without duplicates.

    Parameters
    ----------
    batches
        Hashes in any order.
    rows
        An upper bound on their number; decides whether files are needed.
    scratch
        Temporary storage for those files.
    """
    return by_rank(((0, batch) for batch in batches), 0, rows, scratch)[1]


def by_rank(
    batches: Iterable[tuple[int, Hashes]], wanted: int, rows: int, scratch: Scratch
) -> tuple[Counter[int], HashList]:
    """Deduplicate hashes, keeping the lowest rank of each, and count them by rank.

    Parameters
    ----------
    batches
        Hashes with their ranks, in any order.
    wanted
        The rank whose hashes are returned.
    rows
        An upper bound on their number; decides whether files are needed.
    scratch
        Temporary storage for those files.

    Returns
    -------
    Counter, HashList
        The number of hashes of each rank, and the hashes of the wanted rank.
    """
    counts: Counter[int] = Counter()
    if not bits_for(rows):
        groups: defaultdict[int, list[Hashes]] = defaultdict(list)
        for rank, batch in batches:
            groups[rank].append(batch)
        arrays = {rank: np.concatenate(parts) for rank, parts in groups.items()}
        return counts, HashList.of(_first_of_rank(arrays, wanted, counts))
    piles: defaultdict[int, list[HashFile]] = defaultdict(lambda: [scratch.file() for _ in range(2**_BITS)])
    for rank, batch in batches:
        for pile, part in zip(piles[rank], split(batch, _BITS), strict=True):
            pile.append(part)
    combined_parts = scratch.file()
    return counts, combined_parts.listed(combined_parts.write(_drain(piles, wanted, counts)))


def _first_of_rank(groups: Mapping[int, Hashes], wanted: int, counts: Counter[int]) -> Hashes:
    """Return the deduplicated hashes of a rank, without those that also have a lower rank; count all ranks."""
    ranks = sorted(groups)
    if not ranks:
        return EMPTY
    hashes = groups[ranks[0]] if len(ranks) == 1 else np.concatenate([EMPTY, *(groups[rank] for rank in ranks)])
    first = first_occurrences(hashes)
    start, found = 0, EMPTY
    for rank in ranks:
        part = slice(start, start + len(groups[rank]))
        counts[rank] += len(groups[rank]) if first is None else int(first[part].sum())
        if rank == wanted:
            found = hashes[part] if first is None else chosen(hashes[part], first[part])
        start = part.stop
    return found


def combined(one: HashList, other: HashList, combine: Callable[[Hashes, Hashes], Hashes], scratch: Scratch) -> HashList:
    """Combine two lists part by part.

    Parameters
    ----------
    one, other
        The lists.
    combine
        Combines two parts with the same prefix.
    scratch
        Temporary storage for a long result.
    """
    parts = (combine(*pair) for pair in paired(one, other))
    if not max(one.bits, other.bits):
        return HashList.of(next(parts))
    file = scratch.file()
    return file.listed(file.write(parts))


def paired(one: HashList, other: HashList) -> Iterator[tuple[Hashes, Hashes]]:
    """Yield the parts of two lists that can have hashes in common, pair by pair.

    Parameters
    ----------
    one, other
        The lists.
    """
    bits = max(one.bits, other.bits)
    yield from zip(one.parts(bits), other.parts(bits), strict=True)


def shared(one: HashList, other: HashList) -> int:
    """Return the number of hashes of the first list that are also in the second.

    Parameters
    ----------
    one, other
        The two lists.
    """
    return sum(len(within(*pair)) for pair in paired(one, other))


def bits_for(rows: int) -> int:
    """Return the number of prefix bits that split a list of this length."""
    return 0 if rows <= SHORT else _BITS


def _drain(piles: Mapping[int, Sequence[HashFile]], wanted: int, counts: Counter[int]) -> Iterator[Hashes]:
    """Yield the hashes of a rank prefix by prefix, and release the files."""
    for prefix in range(2**_BITS):
        same_prefix = {rank: files[prefix] for rank, files in piles.items()}
        yield _first_of_rank({rank: pile.all() for rank, pile in same_prefix.items()}, wanted, counts)
        for pile in same_prefix.values():
            pile.close()
