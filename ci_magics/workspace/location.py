"""Where a workspace is, told without opening it and without a library of databases."""

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
    """Return ``CI_MAGICS_WORKSPACE``, else the folder for application data of this user."""
    return os.environ.get("CI_MAGICS_WORKSPACE") or str(data_folder())


def data_folder() -> Path:
    """Return the folder for application data of this user.

    Raises
    ------
    WorkspaceError
        The machine does not say where it is; see `in_home`.
    """
    with _needing_a_home():
        return platformdirs.user_data_path("ci-magics").expanduser()


def settings_folder() -> Path:
    """Return the folder for settings of this user; see `data_folder`."""
    with _needing_a_home():
        return platformdirs.user_config_path("ci-magics").expanduser()


def in_home(path: Path) -> Path:
    """Return a path with ``~`` replaced by the home folder.

    Raises
    ------
    WorkspaceError
        The machine knows none: ``HOME`` is not set, and the user id has no account, as in many containers.
    """
    with _needing_a_home():
        return path.expanduser()


@contextmanager
def _needing_a_home() -> Iterator[None]:
    try:
        yield
    except RuntimeError:
        raise WorkspaceError(
            "This machine does not say where your home folder is.",
            "Set HOME to a folder of yours, or CI_MAGICS_WORKSPACE to where the workspace is.",
            code="no_home",
        ) from None


def folder_of(location: str) -> Path | None:
    """Return the folder that a location names; None where it is a database URL."""
    if "://" in location:
        return None
    return in_home(Path(location)).absolute()  # a notebook may change its folder, and the workspace stays


def database_in(folder: Path) -> Path:
    """Return the database's file of a workspace that is in a folder."""
    return folder / _NAME


def is_in_memory(location: str) -> bool:
    """Tell whether a database URL names a SQLite database without a file."""
    return _IN_MEMORY.match(location) is not None


def file_of(location: str) -> Path | None:
    """Return the file that a workspace's database is in; None where a server keeps it, or memory."""
    folder = folder_of(location)
    if folder is not None:
        return database_in(folder)
    found = _SQLITE_URL.match(location)
    if found is None or found["file"].startswith((":memory:", "file:")):
        return None
    return Path(found["file"]).absolute()
