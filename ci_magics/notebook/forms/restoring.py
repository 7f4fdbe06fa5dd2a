"""One form per cell: running the cell again shows the same form, with its choices and running work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from IPython.core.getipython import get_ipython

from ci_magics.notebook.forms.pattern import Form

_Kind = TypeVar("_Kind", bound=Form)
#: Key of the forms in the shell's metadata; unloading the extension removes it.
_PLACE = "ci_magics.forms"


def restored(kind: type[_Kind], make: Callable[[], _Kind] | None = None) -> _Kind:
    """Return this cell's form, refreshed, or a new one.

    Parameters
    ----------
    kind
        The class of the form.
    make
        Creates a new form; by default the class.
    """
    shell = get_ipython()
    make = make or kind
    cell = _cell_of(shell)
    if shell is None or cell is None:
        return make()
    known: dict[tuple[str, str], Form] = shell.meta.setdefault(_PLACE, {})
    form = known.get((cell, kind.__name__))
    if isinstance(form, kind) and form.comm is not None:
        form.refresh()
        return form
    made = make()
    known[cell, kind.__name__] = made
    return made


def notebook_variables() -> Mapping[str, Any]:
    """Return a live view of the notebook's variables."""
    shell = get_ipython()
    return shell.user_ns if shell else {}


def _cell_of(shell: Any) -> str | None:
    """Return the id of the running cell; None in a terminal."""
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    cell = (parent or {}).get("metadata", {}).get("cellId")
    return str(cell) if cell else None
