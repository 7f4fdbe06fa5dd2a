"""SHA-256 values as 32 bytes each, from the hexadecimal text in which they are computed."""

from __future__ import annotations

import binascii

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from ci_magics.matching.hashes import as_column
from ci_magics.matching.normalize import Hashed
from ci_magics.matching.text_column import as_text

#: One hash as one value: numpy copies these several times as fast as rows of bytes.
_ROW = np.dtype("V32")


def digests_of(addresses: Hashed, rule: str) -> pa.FixedSizeBinaryArray:
    """Return the hash of each address under a rule; null if it has none."""
    digests = np.zeros(len(addresses.is_plain), dtype=_ROW)
    present = addresses.is_plain.copy()
    digests[present] = _packed(addresses.plain[f"sha256_{rule}"])
    others = addresses.others[f"sha256_{rule}"]
    places = np.flatnonzero(~present)[others.is_not_null().to_numpy()]
    digests[places] = _packed(others)
    present[places] = True
    return as_column(digests.view(np.uint8).reshape(-1, _ROW.itemsize), present)


def _packed(hexadecimal: pl.Series) -> npt.NDArray[np.void]:
    """Return hexadecimal hashes as bytes, without those that are null."""
    text = as_text(hexadecimal.drop_nulls())
    # Arrow may have reserved more memory than the text needs.
    letters = memoryview(text.buffers()[2] or b"")[: 2 * _ROW.itemsize * len(text)]
    return np.frombuffer(binascii.unhexlify(letters), dtype=_ROW)
