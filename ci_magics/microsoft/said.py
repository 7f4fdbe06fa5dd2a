"""Names and other words in answers: anybody may have written them, so they come in as one harmless line."""

from __future__ import annotations

from typing import Any

from ci_magics.discretion import without_people
from ci_magics.naming import writable


def said(value: Any) -> str:
    """Return a text of an answer as it may be shown, kept and written into code; nothing where there is none.

    It is one line without control characters and marks that reorder text, and names nobody by an address.
    """
    return without_people(writable(value if isinstance(value, str) else "" if value is None else str(value)))
