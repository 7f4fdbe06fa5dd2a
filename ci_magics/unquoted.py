"""Replace errors of other libraries, whose messages may quote data."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from ci_magics.discretion import without_addresses


class UnquotedError(Exception):
    """Placeholder for an error whose message may quote data: it keeps the type and the stack.

    Parameters
    ----------
    error
        The error to replace.
    """

    def __init__(self, error: BaseException) -> None:
        self.kind = type(error).__name__
        super().__init__(f"{self.kind} (its words may quote data and are left out)")
        self.__traceback__ = error.__traceback__


def type_of(error: BaseException) -> str:
    """Return the type name of an error, or of the error that a placeholder replaces."""
    return error.kind if isinstance(error, UnquotedError) else type(error).__name__


def unquoted(error: BaseException, outside: BaseException | None = None) -> BaseException:
    """Return an error, or a placeholder if its message may quote data; the same for its whole chain.

    Parameters
    ----------
    error
        What was raised.
    outside
        The exception that the caller was already handling. It and its chain belong to the caller and stay unchanged.
    """
    return _unquoted(error, {id(outside): outside}) or error


def _unquoted(error: BaseException | None, known: dict[int, BaseException | None]) -> BaseException | None:
    if error is None or id(error) in known:
        return error and known[id(error)]
    found = UnquotedError(error) if isinstance(error, Exception) and _may_quote(error) else error
    known[id(error)] = found
    hides = error.__suppress_context__
    found.__cause__, found.__context__ = _unquoted(error.__cause__, known), _unquoted(error.__context__, known)
    found.__suppress_context__ = hides
    return found


def _may_quote(error: Exception) -> bool:
    """Return whether an error's text may quote data: another library wrote it, or it contains an address."""
    frames = [frame for frame, _line in traceback.walk_tb(error.__traceback__)]
    raised_in = str(frames[-1].f_globals.get("__name__", "")) if frames else ""
    foreign = any(_is_installed(each) for each in (type(error).__module__, raised_in))
    message = "\n".join([str(error), *getattr(error, "__notes__", ())])
    return foreign or isinstance(error, ExceptionGroup) or without_addresses(message) != message


def _is_installed(module: str) -> bool:
    """Return whether a module belongs to another installed package."""
    file = getattr(sys.modules.get(module.partition(".")[0]), "__file__", None) or ""
    return bool({"site-packages", "dist-packages"} & set(Path(file).parts)) and not module.startswith("ci_magics")
