"""Write a zip archive with one member, deflated by ISA-L.

The standard library's ``zipfile`` supports only zlib, which is several times slower for half a million hashes and would
dominate the time of an export. The container consists of a few fixed fields (PKWARE's APPNOTE 4.3).
"""

from __future__ import annotations

import struct
from pathlib import Path
from types import TracebackType

from isal import isal_zlib

_VERSION = 20  # deflate needs 2.0
_DEFLATED = 8
_DOS_EPOCH = (0, 0x21)  # 1980-01-01: the same content always gives the same file


class SingleMemberZip:
    """Write one member of less than 4 GiB into a new zip file; use it in a ``with`` statement.

    Parameters
    ----------
    path
        The file to create; only its owner can read it.
    member
        Name of the member, ASCII.
    """

    def __init__(self, path: Path, member: str) -> None:
        self._name = member.encode("ascii")
        path.touch(mode=0o600)
        self._file = path.open("wb")
        self._deflate = isal_zlib.compressobj(1, isal_zlib.DEFLATED, -15)
        self._crc = 0
        self._expanded = 0
        self._deflated = 0
        self._file.write(self._local_header())

    def write(self, data: bytes | memoryview) -> None:
        """Append data to the member.

        Parameters
        ----------
        data
            The next bytes.
        """
        self._crc = isal_zlib.crc32(data, self._crc)
        self._expanded += len(data)
        self._append(self._deflate.compress(data))

    def __enter__(self) -> SingleMemberZip:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if kind is None:
                self._finish()

    def _append(self, deflated: bytes) -> None:
        self._deflated += len(deflated)
        self._file.write(deflated)

    def _finish(self) -> None:
        self._append(self._deflate.flush())
        directory = self._file.tell()
        central = self._central_header()
        self._file.write(central)
        self._file.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(central), directory, 0))
        # Only now are the checksum and sizes known: rewrite the header at the beginning.
        self._file.seek(0)
        self._file.write(self._local_header())

    def _common(self) -> bytes:
        return struct.pack(
            "<5H3L2H",
            _VERSION,
            0,
            _DEFLATED,
            *_DOS_EPOCH,
            self._crc,
            self._deflated,
            self._expanded,
            len(self._name),
            0,
        )

    def _local_header(self) -> bytes:
        return b"PK\3\4" + self._common() + self._name

    def _central_header(self) -> bytes:
        return (
            b"PK\1\2" + struct.pack("<H", _VERSION) + self._common() + struct.pack("<3H2L", 0, 0, 0, 0, 0) + self._name
        )
