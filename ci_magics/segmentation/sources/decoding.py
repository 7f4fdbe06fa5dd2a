"""Read a text file as a UTF-8 stream, whatever its encoding and compression.

The whole file decides the encoding, not a sample. A byte order mark takes precedence; otherwise UTF-8 if all bytes are
valid, then UTF-16 if the zero bytes indicate it, then Windows-1252. Nothing is written to disk, and only one block is
in memory.
"""

from __future__ import annotations

import codecs
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa

from ci_magics.advice import Opt, advise
from ci_magics.errors import SegmentError, nearest_name
from ci_magics.segmentation.sources.files import USUAL_ENCODINGS, compression, refuse

#: The number of bytes to read at a time.
PIECE = 1 << 20
_MARKS = (  # longer marks first, because the UTF-32 mark begins like the UTF-16 mark
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SHOWN = {
    "cp1252": "Windows-1252",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
}
_ALIASES = {"ansi": "cp1252", "windows": "cp1252", "macintosh": "mac_roman", "unicode": "utf-16"}
_ZEROS = 0.4
_PROPER = re.compile("[^\x00-\x7f\udc80-\udcff]")  # non-ASCII characters that are valid UTF-8
_ESCAPED = re.compile("[\udc80-\udcff]")  # bytes that are not UTF-8
_UNDEFINED = bytes((0x81, 0x8D, 0x8F, 0x90, 0x9D))  # not used by Windows-1252
#: A file counts as mixed if its UTF-8 characters exceed this share of its bytes that are not UTF-8.
_MIXED = 0.1
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, pa.ArrowException)


@dataclass(frozen=True)
class Decoded:
    """A text file and its encoding.

    Parameters
    ----------
    path
        The file.
    encoding
        A Python codec.
    given
        Whether the user named the encoding.
    """

    path: str
    encoding: str
    given: bool = False

    @property
    def is_utf8(self) -> bool:
        """Whether the file is UTF-8 and needs no conversion."""
        return self.encoding == "utf-8"

    @property
    def shown(self) -> str:
        """The display name of the encoding."""
        return _SHOWN.get(self.encoding, self.encoding)

    @contextmanager
    def opened(self, skipped: int = 0) -> Iterator[BinaryIO]:
        """Open the file as a UTF-8 stream.

        Parameters
        ----------
        skipped
            The number of UTF-8 bytes to skip at the start.

        Raises
        ------
        SegmentError
            The compressed data is damaged, or a byte is not valid in the encoding.
        """
        with _bytes_of(self.path) as source:
            stream: Any = source if self.is_utf8 else io.BufferedReader(_Transcoded(source, self), PIECE)
            while skipped:
                skipped -= len(_read(stream, self.path, min(skipped, PIECE))) or skipped
            yield io.BufferedReader(_ErrorTranslatingStream(stream, self.path), PIECE)

    def pieces(self, skipped: int = 0) -> Iterator[bytes]:
        """Yield the text as UTF-8, block by block."""
        with self.opened(skipped) as stream:
            while piece := stream.read(PIECE):
                yield piece


def decoded(path: str, encoding: str | None = None) -> Decoded:
    """Detect the encoding of a text file.

    Parameters
    ----------
    path
        The file.
    encoding
        The encoding that the user named; a byte order mark in the file takes precedence.

    Raises
    ------
    SegmentError
        The encoding does not exist, the file is not in this encoding, or no encoding fits.
    """
    given = None if encoding is None else _codec(encoding)
    with _bytes_of(path) as source:
        start = _read(source, path, PIECE)
    marked = next((name for mark, name in _MARKS if start.startswith(mark)), None)
    found = marked or given or _utf16(start)
    if found is None:
        found = _utf8_or_windows(path)
    elif found == "utf-8":
        _require_utf8(path)
    return Decoded(path, found, given is not None and marked is None)


def _codec(name: str) -> str:
    wanted = _ALIASES.get(name.strip().lower(), name.strip())
    try:
        info = codecs.lookup(wanted)
        "".encode(wanted)  # some Python codecs are not text encodings
    except (LookupError, UnicodeError, ValueError):
        nearest = nearest_name(name, USUAL_ENCODINGS)
        hint = f" Did you mean {nearest}?" if nearest else ""
        raise SegmentError(
            f"There is no encoding '{name}'.{hint}", f"Usual ones are {', '.join(USUAL_ENCODINGS)}.", code="no_encoding"
        ) from None
    return "utf-8" if info.name in ("utf-8", "utf-8-sig", "ascii") else info.name


def _utf16(start: bytes) -> str | None:
    """Detect UTF-16 without a mark by its zero bytes, which delimiters and digits have in every language."""
    looked_at = start[:4096]
    half = len(looked_at) // 2
    if half < 2:
        return None
    first, second = (looked_at[side::2].count(0) / half for side in (0, 1))
    if second > _ZEROS and first < second / 4:
        return "utf-16-le"
    return "utf-16-be" if first > _ZEROS and second < first / 4 else None


def _utf8_or_windows(path: str) -> str:
    """Return utf-8 if the whole file is valid, else cp1252 if possible."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    characters, wrong, undefined = 0, 0, False
    with _bytes_of(path) as source:
        while piece := _read(source, path, PIECE):
            if piece.isascii() and not decoder.getstate()[0]:
                continue
            text = decoder.decode(piece)
            characters += len(_PROPER.findall(text))
            wrong += len(_ESCAPED.findall(text))
            undefined = undefined or len(piece.translate(None, _UNDEFINED)) < len(piece)
    wrong += len(decoder.decode(b"", final=True))
    if not wrong:
        return "utf-8"
    if characters > wrong * _MIXED:
        raise refuse(
            path,
            "mixes encodings: a part of it is UTF-8, another part is not",
            advise("Export it again as UTF-8, or say how to read it, for example ", Opt("encoding", "cp1252"), "."),
            code="mixed_encoding",
        )
    if undefined:
        raise refuse(
            path,
            "is neither UTF-8 nor UTF-16 nor Windows-1252",
            advise("Name its encoding with ", Opt("encoding"), f", for example {', '.join(USUAL_ENCODINGS)}."),
            code="unknown_encoding",
        )
    return "cp1252"


def _require_utf8(path: str) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with _bytes_of(path) as source:
        try:
            while piece := _read(source, path, PIECE):
                if not piece.isascii() or decoder.getstate()[0]:
                    decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise _not_encoded(path, "UTF-8") from None


def _not_encoded(path: str, encoding: str) -> SegmentError:
    return refuse(
        path,
        f"is not valid {encoding}",
        advise("Name another encoding with ", Opt("encoding"), "."),
        code="wrong_encoding",
    )


@contextmanager
def _bytes_of(path: str) -> Iterator[BinaryIO]:
    """Open a file and decompress it."""
    packed = compression(path)
    try:
        if packed == "zip":
            with zipfile.ZipFile(path) as archive:
                name = next(each for each in archive.namelist() if not each.endswith("/") and "__MACOSX" not in each)
                with archive.open(name) as member:
                    yield member  # type: ignore[misc]
        elif packed is not None:
            with pa.OSFile(path) as file, pa.CompressedInputStream(file, packed) as stream:
                yield stream
        else:
            with pa.OSFile(path) as file:
                yield file
    except FileNotFoundError:
        raise SegmentError(
            "A file is no longer there.", "Put it back, or name another one.", code="file_vanished"
        ) from None


def _read(stream: Any, path: str, size: int) -> bytes:
    try:
        return bytes(stream.read(size))
    except _BROKEN as error:
        raise refuse(
            path,
            f"cannot be read to the end: its compressed data is cut off or damaged ({type(error).__name__})",
            "Copy or export it again.",
        ) from None


class _Transcoded(io.RawIOBase):
    """Convert bytes of any encoding to UTF-8."""

    def __init__(self, source: Any, file: Decoded) -> None:
        self._source = source
        self._file = file
        self._decoder = codecs.getincrementaldecoder(file.encoding)()
        self._ready = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._ended:
            piece = _read(self._source, self._file.path, PIECE)
            self._ended = not piece
            try:
                self._ready = self._decoder.decode(piece, final=self._ended).encode("utf-8")
            except UnicodeError:
                raise _not_encoded(self._file.path, self._file.shown) from None
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size


class _ErrorTranslatingStream(io.RawIOBase):
    """A stream that translates read errors into ours."""

    def __init__(self, stream: Any, path: str) -> None:
        self._stream = stream
        self._path = path

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = _read(self._stream, self._path, len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)
