"""Lists of SHA-256 hashes of any length: short ones in memory, long ones in a file, partitioned by prefix.

The parts follow the first bits of the hashes, so two lists can be compared part by part, with at most one part of each
in memory.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np

from ci_magics.display.numbers import pluralize
from ci_magics.matching.hashes import EMPTY, WIDTH, Hashes, split


class HashList:
    """Hashes in parts: part ``i`` holds the hashes whose first bits are ``i``.

    Parameters
    ----------
    parts
        Functions that return the parts in order, read on demand: a single one, or one for each prefix of `bits` bits.
    lengths
        The length of each part.
    """

    def __init__(self, parts: list[Callable[[], Hashes]], lengths: list[int]) -> None:
        self._parts = parts
        self._lengths = lengths

    @classmethod
    def of(cls, hashes: Hashes) -> HashList:
        """Return a list with a single part in memory."""
        return cls([lambda: hashes], [len(hashes)])

    def __len__(self) -> int:
        return sum(self._lengths)

    def __repr__(self) -> str:
        return f"HashList({pluralize(len(self), 'hash')})"

    @property
    def bits(self) -> int:
        """The number of prefix bits that select a part: 0 for a list of one part."""
        return (len(self._parts) - 1).bit_length()

    @property
    def lengths(self) -> tuple[int, ...]:
        """The length of each part."""
        return tuple(self._lengths)

    def parts(self, bits: int | None = None) -> Iterator[Hashes]:
        """Yield the parts in order.

        Parameters
        ----------
        bits
            Split a list of one part by this number of bits.
        """
        if bits and not self.bits:
            yield from split(self._parts[0](), bits)
            return
        for part in self._parts:
            yield part()

    def part(self, number: int) -> Hashes:
        """Return one part."""
        return self._parts[number]()

    def all(self) -> Hashes:
        """Return all hashes at once; for short lists."""
        return np.concatenate([EMPTY, *self.parts()]) if len(self._parts) > 1 else self._parts[0]()


NOTHING = HashList.of(EMPTY)


class Scratch:
    """Temporary storage for lists that do not fit in memory.

    Parameters
    ----------
    root
        A private folder; by default the system's temporary folder.
    """

    def __init__(self, root: Path | None = None) -> None:
        self._root = root

    def file(self) -> HashFile:
        """Return a new file in the folder."""
        return HashFile(TemporaryFile(dir=self._root, prefix="scratch-", buffering=0))


class HashFile:
    """A file of hashes that is written once, in order, and read in slices.

    The file has no name, so nobody else can open it, and it disappears when its last list or the process ends. It
    contains only the hashes, 32 bytes each.

    Parameters
    ----------
    file
        The file, open for reading and writing.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._turn = threading.Lock()

    def append(self, part: Hashes) -> None:
        """Append hashes."""
        left = np.ascontiguousarray(part).reshape(-1).data
        while left:
            left = left[self._file.write(left) :]

    def write(self, parts: Iterable[Hashes]) -> list[int]:
        """Append several parts; returns their lengths."""
        lengths = []
        for part in parts:
            self.append(part)
            lengths.append(len(part))
        return lengths

    def read(self, start: int, stop: int) -> Hashes:
        """Return a slice of the hashes.

        Parameters
        ----------
        start
            Index of the first hash.
        stop
            Index after the last hash.
        """
        found = np.empty((stop - start, WIDTH), np.uint8)
        left = found.reshape(-1).data
        with self._turn:
            self._file.seek(start * WIDTH)
            while left and (count := self._file.readinto(left)):  # type: ignore[attr-defined]  # a raw file has it
                left = left[count:]
        return found

    def all(self) -> Hashes:
        """Return all hashes written so far."""
        return self.read(0, self._file.seek(0, os.SEEK_END) // WIDTH)

    def close(self) -> None:
        """Close the file, which deletes its content."""
        self._file.close()

    def __del__(self) -> None:
        self._file.close()

    def listed(self, lengths: Sequence[int]) -> HashList:
        """Return the file's hashes as a list, given the lengths of its parts."""
        bounds = np.cumsum([0, *lengths])

        def reader(start: int, stop: int) -> Callable[[], Hashes]:
            return lambda: self.read(start, stop)

        return HashList([reader(int(start), int(stop)) for start, stop in pairwise(bounds)], list(lengths))
