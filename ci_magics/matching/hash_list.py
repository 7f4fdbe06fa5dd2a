"""Lists of SHA-256 values of any length: in memory while they are short, in a file by prefix when they are long.

A long list is cut into parts by the first bits of its hashes, so that two lists can be compared part by part, and no
more than one part of each has to be in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ci_magics.matching.hashes import EMPTY, WIDTH, Hashes, split
from ci_magics.showing.numbers import counted_in_words


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
        return f"HashList({counted_in_words(len(self), 'hash')})"

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
            Cut a list of one part again by so many bits.
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
        count = (stop - start) * WIDTH
        return np.fromfile(self.path, dtype=np.uint8, count=count, offset=start * WIDTH).reshape(-1, WIDTH)

    def listed(self, lengths: Sequence[int]) -> HashList:
        """Return the file's hashes as a list, given the lengths of its parts."""
        bounds = np.cumsum([0, *lengths])

        def reader(start: int, stop: int) -> Callable[[], Hashes]:
            return lambda: self.read(start, stop)

        return HashList([reader(int(start), int(stop)) for start, stop in pairwise(bounds)], list(lengths))
