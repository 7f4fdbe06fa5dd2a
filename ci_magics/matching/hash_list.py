"""Lists of SHA-256 values of any length: in memory while they are short, in a file by prefix when they are long.

A long list is cut into parts by the first bits of its hashes, so that two lists can be compared part by part, and no
more than one part of each has to be in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Hashes = npt.NDArray[np.uint8]
"""SHA-256 values, shape (n, 32)."""

EMPTY: Hashes = np.empty((0, 32), dtype=np.uint8)
#: A list up to this length has one part; a longer one has 64.
SHORT = 2_000_000
_BITS = 6
_WIDTH = 32


class HashList:
    """Hashes in parts: part ``i`` holds those whose first bits are ``i``.

    Parameters
    ----------
    parts
        One array, or one for each prefix of `bits` bits, in order; read when they are asked for.
    lengths
        How long each of them is.
    """

    def __init__(self, parts: list[Callable[[], Hashes]], lengths: list[int]) -> None:
        self._parts = parts
        self._lengths = lengths

    @classmethod
    def of(cls, hashes: Hashes) -> HashList:
        """Return a list of one part that is in memory."""
        return cls([lambda: hashes], [len(hashes)])

    def __len__(self) -> int:
        return sum(self._lengths)

    def __repr__(self) -> str:
        return f"HashList({len(self):,} hashes)"

    @property
    def bits(self) -> int:
        """How many bits of a hash decide which part it is in: 0 for a list of one part."""
        return (len(self._parts) - 1).bit_length()

    @property
    def lengths(self) -> tuple[int, ...]:
        """Length of each part."""
        return tuple(self._lengths)

    def parts(self, bits: int | None = None) -> Iterator[Hashes]:
        """Return the parts one after the other.

        Parameters
        ----------
        bits
            Cut a list of one part anew by so many bits.
        """
        if bits and not self.bits:
            yield from split(self._parts[0](), bits)
            return
        for part in self._parts:
            yield part()

    def part(self, number: int) -> Hashes:
        """Return one of the parts."""
        return self._parts[number]()

    def all(self) -> Hashes:
        """Return all hashes at once; for short lists."""
        return np.concatenate([EMPTY, *self.parts()]) if len(self._parts) > 1 else self._parts[0]()


NOTHING = HashList.of(EMPTY)


class Scratch:
    """A private folder for lists that are too long for memory; it goes when the last of them goes.

    Parameters
    ----------
    root
        Where the folder is made, once it is needed; the system's folder for such things unless given.
    """

    def __init__(self, root: Path | None = None) -> None:
        self._root = root
        self._folder: TemporaryDirectory[str] | None = None
        self._number = 0

    def file(self) -> HashFile:
        """Return a new file in it."""
        if self._folder is None:
            self._folder = TemporaryDirectory(dir=self._root, prefix="scratch-", ignore_cleanup_errors=True)
        self._number += 1
        return HashFile(Path(self._folder.name) / f"{self._number:04d}.bin", keeper=self)


class HashFile:
    """A file of hashes that is written once, in order, and read in pieces; readable by its owner only.

    The file holds the hashes and nothing else, 32 bytes each.

    Parameters
    ----------
    path
        Where it is.
    keeper
        Kept as long as the file is used, so that its folder stays.
    """

    def __init__(self, path: Path, keeper: object = None) -> None:
        self.path = path
        self._keeper = keeper

    def write(self, parts: Iterable[Hashes]) -> list[int]:
        """Write parts one after the other; returns their lengths."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        lengths = []
        with os.fdopen(descriptor, "wb") as file:
            for part in parts:
                file.write(np.ascontiguousarray(part).data)
                lengths.append(len(part))
            file.flush()
            os.fsync(file.fileno())
        return lengths

    def read(self, start: int, stop: int) -> Hashes:
        """Return the hashes from one position up to another."""
        count = (stop - start) * _WIDTH
        return np.fromfile(self.path, dtype=np.uint8, count=count, offset=start * _WIDTH).reshape(-1, _WIDTH)

    def listed(self, lengths: Sequence[int]) -> HashList:
        """Return the file's hashes as a list, given the lengths of its parts."""
        bounds = np.cumsum([0, *lengths])

        def reader(start: int, stop: int) -> Callable[[], Hashes]:
            return lambda: self.read(start, stop)

        return HashList([reader(int(start), int(stop)) for start, stop in pairwise(bounds)], list(lengths))


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


def bits_for(rows: int) -> int:
    """Return by how many bits a list of some length is cut."""
    return 0 if rows <= SHORT else _BITS


def split(hashes: Hashes, bits: int) -> Iterator[Hashes]:
    """Cut hashes by their first bits, at most eight; within a part they keep their order."""
    if bits:
        yield from (hashes.take(places, axis=0) for places in by_prefix(hashes, bits))
    else:
        yield hashes


def by_prefix(hashes: Hashes, bits: int) -> Iterator[npt.NDArray[np.intp]]:
    """Return the places of the hashes of each prefix."""
    prefixes = hashes[:, 0] >> (8 - bits)
    order = np.argsort(prefixes, kind="stable")
    bounds = np.searchsorted(prefixes[order], np.arange(2**bits + 1))
    for start, stop in pairwise(bounds):
        yield order[start:stop]


def unique(hashes: Hashes) -> Hashes:
    """Return each hash once, where it first stands.

    Sorting 64 bits is many times quicker than looking up hashes one by one. As many of the bits as the position needs
    give way to it; hashes whose remaining bits are alike are then compared in full.
    """
    bits = np.uint64(len(hashes).bit_length())
    marks = np.ascontiguousarray(hashes).view(np.uint64)[:, 0] >> bits
    marks <<= bits
    marks |= np.arange(len(hashes), dtype=np.uint64)
    marks = pl.Series(marks).sort().to_numpy()  # three times as quick as numpy on an AMD EPYC
    alike = np.flatnonzero((marks[1:] ^ marks[:-1]) >> bits == 0)
    if not len(alike):
        return hashes
    is_doubtful = np.zeros(len(hashes), dtype=np.bool_)
    positions = marks & ((np.uint64(1) << bits) - np.uint64(1))
    is_doubtful[positions[alike]] = is_doubtful[positions[alike + 1]] = True
    kept = ~is_doubtful
    kept[is_doubtful] = as_series(chosen(hashes, is_doubtful)).is_first_distinct().to_numpy()
    return chosen(hashes, kept)


def chosen(hashes: Hashes, which: npt.NDArray[np.bool_]) -> Hashes:
    """Return some of the hashes; eight times quicker than ``hashes[which]``."""
    some: Hashes = np.compress(which, hashes, axis=0)
    return some


def without(hashes: Hashes, others: Hashes) -> Hashes:
    """Return the hashes that are not among the others, in their order."""
    return _joined(hashes, others, "anti") if len(hashes) and len(others) else hashes


def within(hashes: Hashes, others: Hashes) -> Hashes:
    """Return the hashes that are among the others, in their order."""
    return _joined(hashes, others, "semi") if len(hashes) and len(others) else EMPTY


def paired(one: HashList, other: HashList) -> Iterator[tuple[Hashes, Hashes]]:
    """Return the parts of two lists that may have hashes in common, pair by pair."""
    bits = max(one.bits, other.bits)
    yield from zip(one.parts(bits), other.parts(bits), strict=True)


def shared(one: HashList, other: HashList) -> int:
    """Return how many hashes of the first list are in the second."""
    return sum(len(within(*pair)) for pair in paired(one, other))


def as_array(hashes: pl.Series) -> Hashes:
    """Return a column of 32-byte values as rows of bytes."""
    arrow = hashes.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.binary(_WIDTH))
    packed = np.frombuffer(arrow.buffers()[1] or b"", dtype=np.uint8)
    return packed.reshape(-1, _WIDTH)[arrow.offset : arrow.offset + len(arrow)]


def as_series(hashes: Hashes) -> pl.Series:
    """Return rows of bytes as a column."""
    return pl.Series("hash", pl.from_arrow(as_column(hashes).cast(pa.large_binary())))


def as_column(hashes: Hashes, present: npt.NDArray[np.bool_] | None = None) -> pa.FixedSizeBinaryArray:
    """Return rows of bytes as an Arrow column, without a copy where they lie together.

    Parameters
    ----------
    hashes
        The rows.
    present
        Which of them are values, the others being null; all unless given.
    """
    packed = pa.py_buffer(np.ascontiguousarray(hashes))
    valid = None if present is None else pa.py_buffer(np.packbits(present, bitorder="little"))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(_WIDTH), len(hashes), [valid, packed])


def of_column(column: pa.Array | pa.ChunkedArray) -> Hashes:
    """Return an Arrow column of 32-byte values without nulls as rows of bytes."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], pa.binary(_WIDTH))
    packed = np.frombuffer(array.buffers()[1] or b"", dtype=np.uint8)
    return packed[: (array.offset + len(array)) * _WIDTH].reshape(-1, _WIDTH)[array.offset :]


def present_in(column: pa.Array) -> Hashes:
    """Return the values of an Arrow column of 32-byte values that are not null."""
    return chosen(of_column(column), column.is_valid().to_numpy(zero_copy_only=False)) if len(column) else EMPTY


@contextmanager
def _open_all(piles: list[HashFile]) -> Iterator[list[BinaryIO]]:
    """Open files for appending, and close them all."""
    with ExitStack() as stack:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        yield [stack.enter_context(os.fdopen(os.open(pile.path, flags, 0o600), "ab")) for pile in piles]


def _emptied(piles: list[HashFile]) -> Iterator[Hashes]:
    """Return each pile's hashes once, and delete the pile."""
    for pile in piles:
        part = unique(np.fromfile(pile.path, dtype=np.uint8).reshape(-1, _WIDTH))
        pile.path.unlink()
        yield part


def _joined(hashes: Hashes, others: Hashes, how: str) -> Hashes:
    numbered = as_series(hashes).to_frame().with_row_index("position")
    kept = numbered.join(as_series(others).to_frame(), on="hash", how=how)["position"].sort().to_numpy()  # type: ignore[arg-type]
    remaining: Hashes = hashes[kept]
    return remaining
