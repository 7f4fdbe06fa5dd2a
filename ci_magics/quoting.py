"""Names and other values written into code: for a magic's line, for Python, and for a shell.

Everything that writes code, also in an error or a hint, quotes here. ``labextension/static/cells.js`` does the same for
magics in the page, and HTML is escaped by `html.escape`.
"""

from __future__ import annotations

import re
import shlex
from typing import Any

from ci_magics.naming import unwritable


def magic_word(text: str) -> str:
    """Return a text as one word of a magic's line: in quotes when it is more than a plain word."""
    return text if re.fullmatch(r"\w[\w.-]*|-?\d+", text) else magic_quoted(text)


def magic_quoted(text: str) -> str:
    """Return a text in quotes, so that a magic reads it as it is.

    A text that cannot be written in one line, such as a name from an earlier version, becomes an expression in braces.
    """
    if unwritable(text):
        return "{'" + "".join(map(_escaped, text)) + "'}"
    if '"' not in text:
        return f'"{text}"'
    # Each double quote stands between single ones: neighboring quotes are one word.
    return '"' + text.replace('"', '"\'"\'"') + '"' if "'" in text else f"'{text}'"


def python_literal(value: Any) -> str:
    """Return a value as Python reads it; a text is on one line, and what nobody would see in it is escaped."""
    return repr(value)


def shell_word(text: str) -> str:
    """Return a text as one word of a POSIX shell; a line break or a control character is never raw."""
    if unwritable(text) is None:
        return shlex.quote(text)
    escaped = "".join(letter if letter.isascii() and letter.isalnum() else _in_shell(letter) for letter in text)
    return f"$'{escaped}'"


def _escaped(letter: str) -> str:
    return letter if letter.isascii() and (letter.isalnum() or letter == " ") else _in_python(letter)


def _in_python(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"


def _in_shell(letter: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in letter.encode("utf-8", "surrogatepass"))
