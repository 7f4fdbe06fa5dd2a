"""What a saved export may be called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_magics.errors import ArgumentError
from ci_magics.naming import require_name as require_text

if TYPE_CHECKING:
    from ci_magics.workspace.store import Workspace

#: What can be done with saved exports; none of them can be the name of one.
EXPORT_VERBS = ("run", "run-all", "show", "duplicate", "edit", "detach", "remove", "schedule")


def require_name(name: str) -> None:
    """Refuse a name that no export can have.

    Raises
    ------
    ArgumentError
        It is empty, too long, or one of the verbs.
    """
    require_text(name, "export")
    if name.strip().casefold() in EXPORT_VERBS:
        raise ArgumentError(
            f"An export cannot be called '{name}': %ci_exports has a verb of that name.",
            "Choose another name.",
            code="name",
        )


def require_free(workspace: Workspace, name: str) -> None:
    """Refuse a name that another export has; see `require_name` too."""
    require_name(name)
    if name in workspace.exports:
        raise name_taken(name)


def name_taken(name: str) -> ArgumentError:
    """Return the error for a name that another export has."""
    return ArgumentError(
        f"There is an export '{name}' already.", "Choose another name, or remove that one first.", code="name_taken"
    )
