"""Where a workspace is, told without opening it and without a library of databases."""

from __future__ import annotations

import os
import re
from pathlib import Path

import platformdirs

_SQLITE_URL = re.compile(r"sqlite(?:\+\w+)?:///(?P<file>[^?]+)")
_NAME = "workspace.sqlite"


def default_location() -> str:
    """Return ``CI_MAGICS_WORKSPACE``, else the folder for application data of this user."""
    return os.environ.get("CI_MAGICS_WORKSPACE") or str(platformdirs.user_data_path("ci-magics"))


def folder_of(location: str) -> Path | None:
    """Return the folder that a location names; None where it is a database URL."""
    if "://" in location:
        return None
    return Path(location).expanduser().absolute()  # a notebook may change its folder, and the workspace stays


def database_in(folder: Path) -> Path:
    """Return the database's file of a workspace that is in a folder."""
    return folder / _NAME


def file_of(location: str) -> Path | None:
    """Return the file that a workspace's database is in; None where a server keeps it, or memory."""
    folder = folder_of(location)
    if folder is not None:
        return database_in(folder)
    found = _SQLITE_URL.match(location)
    if found is None or found["file"].startswith((":memory:", "file:")):
        return None
    return Path(found["file"]).absolute()
