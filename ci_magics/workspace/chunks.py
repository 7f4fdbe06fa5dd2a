"""Random access to content stored in chunks, each checked when read."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from ci_magics.workspace.seekable import SeekableReader

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

#: Bytes per chunk: a Parquet file's index, or a smaller part of it, fits into one.
CHUNK = 2**18


class Writer(io.RawIOBase):
    """A file that is written sequentially."""

    def __init__(self) -> None:
        self.written = 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the number of bytes written."""
        return self.written


class Chunked(Writer):
    """Split written data into chunks of equal size; the last one may be shorter.

    Parameters
    ----------
    keep
        Called with each chunk, in order; must copy it, because the buffer may be reused.
    """

    def __init__(self, keep: Callable[[memoryview], None]) -> None:
        super().__init__()
        self._keep = keep
        self._pending = bytearray()

    def write(self, data: ReadableBuffer) -> int:
        """Add data."""
        view = memoryview(data).cast("B")
        size = len(view)
        self.written += size
        if self._pending:
            missing = CHUNK - len(self._pending)
            self._pending += view[:missing]
            view = view[missing:]
            if len(self._pending) == CHUNK:
                self._pass_on()
        while len(view) >= CHUNK:
            self._keep(view[:CHUNK])
            view = view[CHUNK:]
        self._pending += view
        return size

    def finish(self) -> None:
        """Pass on the remaining data."""
        if self._pending:
            self._pass_on()

    def _pass_on(self) -> None:
        end, self._pending = self._pending, bytearray()
        self._keep(memoryview(end))


class ChunkReader(SeekableReader):
    """Random access to content, chunk by chunk.

    Parameters
    ----------
    size
        Size of the content in bytes.
    chunk
        Returns a chunk by its number; raises an error if the chunk is damaged.
    """

    def __init__(self, size: int, chunk: Callable[[int], bytes | memoryview]) -> None:
        super().__init__()
        self._size = size
        self._chunk = chunk

    def _end(self) -> int:
        return self._size

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read the next bytes."""
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
