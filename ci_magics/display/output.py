"""Print text on any console: one that knows few characters, one whose reader has gone, or none at all."""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import Literal, TextIO

_ERRORS = "ci-magics"
#: What Python begins with: to fail, in the C locale too, and for errors to escape every sign.
_FAILING = ("strict", "surrogateescape", "backslashreplace")
#: What stands for our own signs on a console that cannot show them; any other character is escaped as Python does it.
_PLAIN = {"✓": "ok", "✗": "x", "…": "...", "•": "*", **dict.fromkeys("▁▂▃▄▅▆▇█", "#")}

#: Streams that could not be written to the end although somebody may still read them: a full disk, not a closed pipe.
unwritten: set[str] = set()


def adapt_streams() -> None:
    """Let standard output and error replace what they cannot encode, instead of failing in the middle of the work."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in _FAILING:
            stream.reconfigure(errors=_ERRORS)


def tell(sentence: str) -> None:
    """Print a sentence on a console of any encoding: what is called to tell something unless another way is given."""
    write(f"{sentence}\n")


def write(text: str, stream: Literal["stdout", "stderr"] = "stdout") -> None:
    """Write text as it is. The work that it tells of goes on where nobody can read it any more.

    Parameters
    ----------
    text
        What to write, line breaks included.
    stream
        Where.
    """
    file = getattr(sys, stream)
    if file is None:  # closed before Python started
        return
    try:
        _write_on(file, text)
        if isinstance(file, io.TextIOWrapper):  # a kernel sends its output by itself
            file.flush()
    except BrokenPipeError:
        _lead_nowhere(file)
    except (OSError, ValueError):
        unwritten.add(stream)
        _lead_nowhere(file)


def _write_on(file: TextIO, text: str) -> None:
    try:
        file.write(text)
    except UnicodeEncodeError:
        encoding = getattr(file, "encoding", None) or "ascii"
        file.write(text.encode(encoding, _ERRORS).decode(encoding))


def _lead_nowhere(file: object) -> None:
    """Let a file write into nothing, so that neither the next text nor the end of Python fails by it."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, file.fileno())  # type: ignore[attr-defined]  # every stream has one, or says that it has not
        os.close(nowhere)
    except (AttributeError, OSError, ValueError):
        return  # it is no file, or closed: there is nothing that could fail at the end


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    escaped = (
        _PLAIN.get(each) or each.encode("ascii", "backslashreplace").decode("ascii")
        for each in error.object[error.start : error.end]
    )
    return "".join(escaped), error.end


codecs.register_error(_ERRORS, _plainly)
