"""Quote names and other values for code: a magic's line, Python, and a shell.

All code that we generate, also in errors and hints, is quoted here. ``labextension/static/cells.js`` does the same for
magics in the page; `html.escape` escapes HTML.
"""

from __future__ import annotations

import re
import shlex
from typing import Any

from ci_magics.one_line import invalid_character


def magic_word(text: str) -> str:
    """Return a text as one word of a magic's line, quoted unless it is a plain word."""
    return text if re.fullmatch(r"\w[\w.:-]*|-?\d+", text) else magic_quoted(text)


def magic_quoted(text: str) -> str:
    """Quote a text so that a magic reads it unchanged.

    A text that cannot be written on one line, such as a name from an earlier version, becomes an expression in braces.
    """
    if invalid_character(text):
        return "{'" + "".join(map(_escaped, text)) + "'}"
    if '"' not in text:
        return f'"{text}"'
    # Put each double quote in single quotes: adjacent quoted parts form one word.
    return '"' + text.replace('"', '"\'"\'"') + '"' if "'" in text else f"'{text}'"


def python_literal(value: Any) -> str:
    """Return a value as a Python literal on one line, with invisible characters escaped."""
    return repr(value)


def python_quoted(text: str) -> str:
    """Return a text as a Python literal on one line, in double quotes unless it contains one."""
    quoted = repr(text)
    return quoted if '"' in quoted else f'"{quoted[1:-1]}"'


def shell_word(text: str) -> str:
    """Return a text as one word of a POSIX shell, with line breaks and control characters escaped."""
    if invalid_character(text) is None:
        return shlex.quote(text)
    escaped = "".join(letter if letter.isascii() and letter.isalnum() else _in_shell(letter) for letter in text)
    return f"$'{escaped}'"


def _escaped(letter: str) -> str:
    return letter if letter.isascii() and (letter.isalnum() or letter == " ") else _in_python(letter)


def _in_python(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"


def _in_shell(letter: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in letter.encode("utf-8", "surrogatepass"))
