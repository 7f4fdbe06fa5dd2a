"""Write bulk files that add hashes to a Customer Match list or remove them.

Records and columns follow Microsoft's pages "Customer List Record", "Customer List Item Record", and "Format Version
Record" of the bulk file schema 6.0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ci_magics.display.numbers import pluralize
from ci_magics.microsoft.advertising import Action
from ci_magics.microsoft.zip_file import SingleMemberZip

Hashes = npt.NDArray[np.uint8]
"""SHA-256 values, shape (n, 32)."""

#: Limit of a zipped file in bytes (guide "Bulk download and upload"); it applies before the limit of 4,000,000 rows.
MAX_FILE_BYTES = 100_000_000
#: This many rows always fit: a deflated item takes 40 bytes, and always less than 50.
FILE_ROWS = 2_000_000
#: Limit of Microsoft's sandbox (guide "Sandbox").
SANDBOX_FILE_ROWS = 20_000

_COLUMNS = "Type,Id,Parent Id,Client Id,Name,Action Type,Accept Customer Match Term,Sub Type,Text"
_FORMAT_VERSION = "Format Version,,,,6.0,,,,"
_HEADING_ROWS = 2  # the Format Version and Customer List records
_BLOCK = 50_000
_CLIENT_ID_DIGITS = 9
_HEX = np.array([list(f"{byte:02x}".encode()) for byte in range(256)], dtype=np.uint8)


def write_upload_file(
    path: Path,
    hashes: Hashes,
    *,
    audience_id: str,
    action: Action,
    accept_terms: bool,
    max_rows: int = FILE_ROWS,
) -> None:
    """Write hashes into a zip file; each item's Client Id is its position.

    Parameters
    ----------
    path
        The file to create.
    hashes
        What to send, shape (n, 32), at most `rows_per_file` hashes.
    audience_id
        The id of the existing list.
    action
        What to do with the items.
    accept_terms
        Whether the Customer Match terms were accepted on the connection; written only if true.
    max_rows
        Maximum number of hashes in the environment, without heading rows.

    Raises
    ------
    ValueError
        The hashes do not fit into one file.
    """
    if len(hashes) > max_rows:
        raise ValueError(f"{pluralize(len(hashes), 'hash')} cannot fit into one file")
    with SingleMemberZip(path, "upload.csv") as archive:
        archive.write(_heading(audience_id, action, accept_terms))
        for start in range(0, len(hashes), _BLOCK):
            archive.write(_items(hashes[start : start + _BLOCK], start, audience_id))
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ValueError(f"{pluralize(len(hashes), 'hash', 'makes')} a file above {MAX_FILE_BYTES:,} bytes")


def rows_per_file(environment: str) -> int:
    """Return how many items fit into one file within the limits of an environment.

    Parameters
    ----------
    environment
        ``emulator``, ``sandbox``, or ``production``.
    """
    return (SANDBOX_FILE_ROWS if environment == "sandbox" else FILE_ROWS) - _HEADING_ROWS


def item_position(client_id: str) -> int | None:
    """Return the position of the hash in a result row, or None if the row is about the list.

    Parameters
    ----------
    client_id
        The Client Id of the row.
    """
    return int(client_id) if client_id.isascii() and client_id.isdigit() and len(client_id) < 19 else None


def _heading(audience_id: str, action: Action, accept_terms: bool) -> bytes:
    accepted = "True" if accept_terms else ""
    rows = (
        _COLUMNS,
        _FORMAT_VERSION,
        f"Customer List,{audience_id},,list,,{action},{accepted},,",
    )
    return b"\xef\xbb\xbf" + "".join(row + "\r\n" for row in rows).encode()


def _items(hashes: Hashes, first: int, audience_id: str) -> memoryview:
    """Build the item rows as one block of bytes; all rows have the same length."""
    before = f"Customer List Item,,{audience_id},".encode()
    between = b",,,,Email,"
    width = len(before) + _CLIENT_ID_DIGITS + len(between) + 64 + 2
    # Fill one column of all rows at a time with NumPy, instead of formatting each row in Python.
    rows = np.empty((len(hashes), width), dtype=np.uint8)
    place = 0
    for part in (
        _constant(before),
        _numbers(first, len(hashes)),
        _constant(between),
        _hex(hashes),
        _constant(b"\r\n"),
    ):
        rows[:, place : place + part.shape[1]] = part
        place += part.shape[1]
    return rows.reshape(-1).data


def _constant(text: bytes) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text, dtype=np.uint8)[None, :]


def _hex(hashes: Hashes) -> npt.NDArray[np.uint8]:
    # The table maps each byte to its two hexadecimal digits.
    return _HEX[hashes].reshape(len(hashes), 64)


def _numbers(first: int, count: int) -> npt.NDArray[np.uint8]:
    # One column of decimal digits for each power of ten, with leading zeros.
    digits = 10 ** np.arange(_CLIENT_ID_DIGITS - 1, -1, -1, dtype=np.int64)
    positions = np.arange(first, first + count, dtype=np.int64)[:, None]
    return (positions // digits % 10 + ord("0")).astype(np.uint8)
