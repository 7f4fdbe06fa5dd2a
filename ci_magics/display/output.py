"""Print text on any console: limited encodings, closed pipes, or no console at all."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Callable
from typing import Literal, TextIO

from ci_magics.preferences import options

_ERRORS = "ci-magics"
#: Python's default error handlers, in the C locale and for standard error too.
_STRICT_HANDLERS = ("strict", "surrogateescape", "backslashreplace")
#: Replacements for our symbols on consoles that cannot show them. Other characters are escaped as in Python.
_PLAIN = {"✓": "ok", "✗": "x", "…": "...", "•": "*", **dict.fromkeys("▁▂▃▄▅▆▇█", "#")}

#: Streams with lost output that someone may still read: after a full disk, not after a closed pipe.
unwritten: set[str] = set()


def adapt_streams() -> None:
    """Make standard output and error replace characters they cannot encode instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in _STRICT_HANDLERS:
            stream.reconfigure(errors=_ERRORS)


def tell(sentence: str) -> None:
    """Print a sentence on a console of any encoding; the default way to report progress."""
    write(f"{sentence}\n")


def announce(sentence: str) -> None:
    """Print a sentence if ``ci.options.verbose`` is set; the default ``show`` of functions."""
    if options.verbose:
        tell(sentence)


def asking(show: Callable[[str], None]) -> Callable[[str], None]:
    """Return a function that shows what the user must act on, such as a sign-in code, even if messages are off.

    Parameters
    ----------
    show
        How a function shows its messages.
    """
    return tell if show is announce else show


def write(text: str, stream: Literal["stdout", "stderr"] = "stdout") -> None:
    """Write text. If no one can read it any longer, the work continues.

    Parameters
    ----------
    text
        What to write, including line breaks.
    stream
        Which stream to write to.
    """
    file = getattr(sys, stream)
    if file is None:  # closed before Python started
        return
    try:
        _write_encoded(file, text)
        if isinstance(file, io.TextIOWrapper):  # a kernel flushes its own streams
            file.flush()
    except BrokenPipeError:
        _redirect_to_null(file)
    except (OSError, ValueError):
        unwritten.add(stream)
        _redirect_to_null(file)


def _write_encoded(file: TextIO, text: str) -> None:
    try:
        file.write(text)
    except UnicodeEncodeError:
        encoding = getattr(file, "encoding", None) or "ascii"
        file.write(text.encode(encoding, _ERRORS).decode(encoding))


def _redirect_to_null(file: object) -> None:
    """Redirect a file to the null device, so that neither the next write nor Python's exit fails."""
    try:
        null_device = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null_device, file.fileno())  # type: ignore[attr-defined]  # every stream has one or raises
        os.close(null_device)
    except (AttributeError, OSError, ValueError):
        return  # not a file, or closed: nothing can fail at exit


def _replace_unencodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    escaped = (
        _PLAIN.get(each) or each.encode("ascii", "backslashreplace").decode("ascii")
        for each in error.object[error.start : error.end]
    )
    return "".join(escaped), error.end


codecs.register_error(_ERRORS, _replace_unencodable)
