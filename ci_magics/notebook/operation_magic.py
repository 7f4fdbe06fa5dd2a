"""Magics of one operation without a noun, such as ``%ci_status``: everything derives from its declaration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ci_magics.grammar.command import Command, Flag
from ci_magics.notebook.call import Call, Magic
from ci_magics.notebook.shared_options import QUIET
from ci_magics.operations.declarations import declaration

Form = Callable[[], Any]


def operation_magic(
    path: str,
    *more: Flag,
    without: Sequence[str] = (),
    form: Form | None = None,
    work: Callable[[Call], Any] | None = None,
) -> Magic:
    """Return the magic of an operation.

    Parameters
    ----------
    path
        The operation's name in Python.
    more
        Options that only a line has.
    without
        Parameters that the line does not take.
    form
        Shows the form of the operation, for an empty line.
    work
        Carries out a line; by default, it carries out the operation.
    """
    title = f"%ci_{path}"

    def declare() -> Command:
        return declaration(path).without(*without).command(title, *more, QUIET)

    def carried_out(call: Call) -> Any:
        if form is not None and not call.arguments.words and not call.arguments.options:
            return form()
        return call.carry_out(path) if work is None else work(call)

    return Magic(title, declare, carried_out)
