"""Lists of hashes made, compared and combined: in memory, or by way of files and part by part when they are long."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

import numpy as np

from ci_magics.matching.hash_list import HashFile, HashList, Scratch
from ci_magics.matching.hashes import EMPTY, WIDTH, Hashes, split, unique, within

#: A list up to this length has one part; a longer one has 64.
SHORT = 2_000_000
_BITS = 6


def distinct(batches: Iterable[Hashes], rows: int, scratch: Scratch) -> HashList:
    """Return each hash once.

    Parameters
    ----------
    batches
        Hashes in any order and number.
    rows
        At most how many there are; decides whether files are needed.
    scratch
        Where they go then.
    """
    if not bits_for(rows):
        return HashList.of(unique(np.concatenate([EMPTY, *batches])))
    piles = [scratch.file() for _ in range(2**_BITS)]
    with _open_all(piles) as files:
        for batch in batches:
            for file, part in zip(files, split(batch, _BITS), strict=True):
                file.write(part.data)
    whole = scratch.file()
    return whole.listed(whole.write(_emptied(piles)))


def combined(one: HashList, other: HashList, combine: Callable[[Hashes, Hashes], Hashes], scratch: Scratch) -> HashList:
    """Combine two lists part by part."""
    parts = (combine(*pair) for pair in paired(one, other))
    if not max(one.bits, other.bits):
        return HashList.of(next(parts))
    file = scratch.file()
    return file.listed(file.write(parts))


def paired(one: HashList, other: HashList) -> Iterator[tuple[Hashes, Hashes]]:
    """Return the parts of two lists that may have hashes in common, pair by pair."""
    bits = max(one.bits, other.bits)
    yield from zip(one.parts(bits), other.parts(bits), strict=True)


def shared(one: HashList, other: HashList) -> int:
    """Return how many hashes of the first list are in the second."""
    return sum(len(within(*pair)) for pair in paired(one, other))


def bits_for(rows: int) -> int:
    """Return by how many bits a list of some length is cut."""
    return 0 if rows <= SHORT else _BITS


@contextmanager
def _open_all(piles: list[HashFile]) -> Iterator[list[BinaryIO]]:
    """Open files for appending, and close them all."""
    with ExitStack() as stack:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        yield [stack.enter_context(os.fdopen(os.open(pile.path, flags, 0o600), "ab")) for pile in piles]


def _emptied(piles: list[HashFile]) -> Iterator[Hashes]:
    """Return each pile's hashes once, and delete the pile."""
    for pile in piles:
        part = unique(np.fromfile(pile.path, dtype=np.uint8).reshape(-1, WIDTH))
        pile.path.unlink()
        yield part
