"""Read anywhere in what is kept in chunks, each of which is checked when it is read."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from ci_magics.workspace.seekable import SeekableReader

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

#: Bytes of a chunk: a Parquet file's index and one of its smaller parts fit into one.
CHUNK = 2**18


class Writer(io.RawIOBase):
    """A file that is written from its beginning to its end."""

    def __init__(self) -> None:
        self.written = 0

    def writable(self) -> bool:
        """Tell that it can be written."""
        return True

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self.written


class Chunked(Writer):
    """Hand what is written on in chunks of equal size; the last one may be shorter.

    Parameters
    ----------
    keep
        Called with each chunk, in order; what it is given may change afterwards.
    """

    def __init__(self, keep: Callable[[memoryview], None]) -> None:
        super().__init__()
        self._keep = keep
        self._pending = bytearray()

    def write(self, data: ReadableBuffer) -> int:
        """Take some bytes."""
        view = memoryview(data).cast("B")
        size = len(view)
        self.written += size
        if self._pending:
            missing = CHUNK - len(self._pending)
            self._pending += view[:missing]
            view = view[missing:]
            if len(self._pending) == CHUNK:
                self._hand_on()
        while len(view) >= CHUNK:
            self._keep(view[:CHUNK])
            view = view[CHUNK:]
        self._pending += view
        return size

    def finish(self) -> None:
        """Hand on what is left."""
        if self._pending:
            self._hand_on()

    def _hand_on(self) -> None:
        whole, self._pending = self._pending, bytearray()
        self._keep(memoryview(whole))


class ChunkReader(SeekableReader):
    """Read anywhere in a content, chunk by chunk.

    Parameters
    ----------
    size
        Of the content in bytes.
    chunk
        Returns a chunk by its number; it raises an error when the chunk is damaged.
    """

    def __init__(self, size: int, chunk: Callable[[int], bytes | memoryview]) -> None:
        super().__init__()
        self._size = size
        self._chunk = chunk

    def _end(self) -> int:
        return self._size

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read on."""
        view = memoryview(buffer).cast("B")
        wanted = max(min(len(view), self._size - self._at), 0)
        done = 0
        while done < wanted:
            number, offset = divmod(self._at, CHUNK)
            piece = memoryview(self._chunk(number))[offset : offset + wanted - done]
            view[done : done + len(piece)] = piece
            done += len(piece)
            self._at += len(piece)
        return done
