"""A limit that would take too long over the wire is asked of the file reader itself."""

from __future__ import annotations

from ci_magics.emulation.advertising import bulk_file


def test_four_million_rows_are_taken() -> None:
    text = b"\xef\xbb\xbfType,Name\nFormat Version,6.0\n" + b"x,\n" * (bulk_file.MAX_ROWS - 1)
    assert bulk_file.parse(text, ",").table.num_rows == bulk_file.MAX_ROWS
