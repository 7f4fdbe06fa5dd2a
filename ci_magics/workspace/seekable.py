"""Base class of readers with random access."""

from __future__ import annotations

import io
from abc import abstractmethod


class SeekableReader(io.RawIOBase):
    """A reader with a position; subclasses read from ``_at`` and advance it."""

    def __init__(self) -> None:
        self._at = 0

    @abstractmethod
    def _end(self) -> int:
        """Return the size of the content in bytes."""

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position, but not before the beginning.

        Parameters
        ----------
        offset
            In bytes.
        whence
            Relative to the beginning, the position, or the end.
        """
        start = 0 if whence == io.SEEK_SET else self._at if whence == io.SEEK_CUR else self._end()
        self._at = max(start + offset, 0)
        return self._at
