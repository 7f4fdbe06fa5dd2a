"""Find the workspace without opening it and without importing a database library."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from ci_magics.errors import WorkspaceError

_IN_MEMORY = re.compile(r"sqlite(\+\w+)?://(/?(\?.*)?$|/(file:)?:memory:|/.*[?&]mode=memory\b)")
_SQLITE_URL = re.compile(r"sqlite(?:\+\w+)?:///(?P<file>[^?]+)")
_NAME = "workspace.sqlite"


def default_location() -> str:
    """Return ``CI_MAGICS_WORKSPACE``, else the user's folder for application data."""
    return os.environ.get("CI_MAGICS_WORKSPACE") or str(data_folder())


def data_folder() -> Path:
    """Return the user's folder for application data.

    Raises
    ------
    WorkspaceError
        The machine does not define it; see `in_home`.
    """
    with _translated_errors():
        return platformdirs.user_data_path("ci-magics").expanduser()


def settings_folder() -> Path:
    """Return the user's folder for settings; raises the errors of `data_folder`."""
    with _translated_errors():
        return platformdirs.user_config_path("ci-magics").expanduser()


def in_home(path: Path) -> Path:
    """Replace ``~`` in a path by the home folder.

    Raises
    ------
    WorkspaceError
        There is none: ``HOME`` is not set, and the user id has no account, as in many containers.
    """
    with _translated_errors():
        return path.expanduser()


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except RuntimeError:
        raise WorkspaceError(
            "Your home folder is not known on this machine.",
            "Set HOME to your home folder, or CI_MAGICS_WORKSPACE to where the workspace is.",
            code="no_home",
        ) from None


def folder_of(location: str) -> Path | None:
    """Return the folder that a location names, or None for a database URL."""
    if "://" in location:
        return None
    return in_home(Path(location)).absolute()  # a notebook may change its working directory


def database_in(folder: Path) -> Path:
    """Return the database file of a workspace in a folder."""
    return folder / _NAME


def is_in_memory(location: str) -> bool:
    """Return whether a database URL names a SQLite database without a file."""
    return _IN_MEMORY.match(location) is not None


def file_of(location: str) -> Path | None:
    """Return the database file of a workspace, or None if it is on a server or in memory."""
    folder = folder_of(location)
    if folder is not None:
        return database_in(folder)
    found = _SQLITE_URL.match(location)
    if found is None or found["file"].startswith((":memory:", "file:")):
        return None
    return Path(found["file"]).absolute()
