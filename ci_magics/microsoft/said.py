"""Sanitize names and other text in responses, which anyone may have written."""

from __future__ import annotations

from typing import Any

from ci_magics.discretion import without_people
from ci_magics.naming import writable


def said(value: Any) -> str:
    """Return text from a response that is safe to show, store, and write into code; empty for None.

    The result is one line without control characters, marks that reorder text, and e-mail addresses.
    """
    return without_people(writable(value if isinstance(value, str) else "" if value is None else str(value)))
