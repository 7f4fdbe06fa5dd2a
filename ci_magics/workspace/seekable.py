"""What readers of a content that can be read from anywhere have in common: where they read next."""

from __future__ import annotations

import io
from abc import abstractmethod


class SeekableReader(io.RawIOBase):
    """A reader with a position; a subclass reads from ``_at`` and moves it on."""

    def __init__(self) -> None:
        self._at = 0

    @abstractmethod
    def _end(self) -> int:
        """Return the size of the content in bytes."""

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read from anywhere."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position; before the beginning there is nothing, so that it stays there.

        Parameters
        ----------
        offset
            In bytes.
        whence
            From where: the beginning, the position, or the end.
        """
        start = 0 if whence == io.SEEK_SET else self._at if whence == io.SEEK_CUR else self._end()
        self._at = max(start + offset, 0)
        return self._at
