"""A limit that takes too long to reach over HTTP is checked in the file reader."""

from __future__ import annotations

from ci_magics.emulation.advertising import bulk_file


def test_four_million_rows_are_accepted() -> None:
    text = b"\xef\xbb\xbfType,Name\nFormat Version,6.0\n" + b"x,\n" * (bulk_file.MAX_ROWS - 1)
    assert bulk_file.parse(text, ",").table.num_rows == bulk_file.MAX_ROWS
