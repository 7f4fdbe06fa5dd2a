"""Validate the names of saved exports."""

from __future__ import annotations

from collections.abc import Container

from ci_magics.advice import Do
from ci_magics.errors import ArgumentError
from ci_magics.naming import require_name as require_text

#: Verbs of the saved exports. An export cannot have one of these names.
EXPORT_VERBS = ("run", "run-all", "show", "duplicate", "edit", "detach", "remove", "schedule")


def require_name(name: str) -> None:
    """Check that an export can have a name.

    Raises
    ------
    ArgumentError
        The name is empty, too long, or a verb.
    """
    require_text(name, "export")
    if name.strip().casefold() in EXPORT_VERBS:
        raise ArgumentError(
            f"An export cannot be called '{name}': {Do('exports')} has a verb of that name.",
            "Choose another name.",
            code="name",
        )


def require_free(exports: Container[str], name: str) -> None:
    """Check that a name is valid and not taken.

    Parameters
    ----------
    exports
        The saved exports of the workspace.
    name
        Proposed name of an export.

    Raises
    ------
    ArgumentError
        The name is not valid, or another export has it.
    """
    require_name(name)
    if name in exports:
        raise name_taken(name)


def name_taken(name: str) -> ArgumentError:
    """Return the error for a name that another export has."""
    return ArgumentError(
        f"There is an export '{name}' already.", "Choose another name, or remove that one first.", code="name_taken"
    )
