"""Ask for a secret: without showing it, or from the first line of standard input."""

from __future__ import annotations

import getpass
import sys

from ci_magics.errors import ArgumentError


def typed(question: str) -> str:
    """Prompt for a secret without echoing it, or read the first line of standard input.

    Parameters
    ----------
    question
        What is asked for.

    Raises
    ------
    ArgumentError
        There is nothing to read, or it is not text.
    """
    try:
        if sys.stdin is not None and sys.stdin.isatty():
            return getpass.getpass(f"{question}: ").strip()
        line = sys.stdin.readline() if sys.stdin is not None else ""
    except UnicodeDecodeError:
        raise ArgumentError(
            "Standard input is not text in the encoding of this terminal.",
            "Set PYTHONIOENCODING to its encoding, for example to latin-1.",
            code="not_text",
        ) from None
    except (EOFError, ValueError, OSError):
        line = ""
    if not line.strip():
        raise ArgumentError("Nothing was typed.", f"Type it, or pipe it in: {question}.", code="nothing_typed")
    return line.strip()
