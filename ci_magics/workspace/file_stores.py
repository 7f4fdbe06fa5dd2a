"""Choose where a workspace's files are: beside a SQLite file, in a server's database, or in a shared folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine

from ci_magics.workspace.checksums import Checksums
from ci_magics.workspace.contents import DatabaseContents, FolderContents
from ci_magics.workspace.files import Files, PrivateFiles
from ci_magics.workspace.location import data_folder, in_home
from ci_magics.workspace.locks import Locks
from ci_magics.workspace.scratch_folders import ScratchFolders
from ci_magics.workspace.team_files import TeamFiles

#: The folder that a team's kernels share; if not set, the files are in the database.
STORE = "CI_MAGICS_STORE"


def open_files(
    engine: Engine, folder: Path, names: tuple[str, ...], scratch_folders: ScratchFolders, locks: Locks
) -> Iterator[Files]:
    """Yield the files of a workspace, one object for each folder.

    Parameters
    ----------
    engine
        The workspace's database.
    folder
        Where a workspace on SQLite keeps its private files.
    names
        The names of the folders.
    scratch_folders
        Where to write drafts of private files.
    locks
        Detects which writers of a team's files are alive.
    """
    if engine.dialect.name == "sqlite":
        yield from (PrivateFiles(folder / name, Checksums(engine, name), scratch_folders) for name in names)
        return
    store = os.environ.get(STORE)
    contents = FolderContents(engine, in_home(Path(store)).absolute()) if store else DatabaseContents(engine)
    yield from (TeamFiles(engine, name, contents, locks) for name in names)


def folder_beside(engine: Engine) -> Path:
    """Return the folder for data outside of the database: beside a SQLite file, else the user's data folder."""
    if _is_beside(engine):
        return Path(engine.url.database or "").absolute().with_suffix(".files")
    return data_folder()


def emulator_folder(engine: Engine, folder: Path) -> Path:
    """Return where the emulator of a workspace keeps its state, without creating it.

    The state is in the workspace's own folder. A server's database has no folder: there, every user has their own
    emulator on each machine, because it serves only this machine.

    Parameters
    ----------
    engine
        The workspace's database.
    folder
        Where its private files are.
    """
    if _is_beside(engine):
        return folder / "emulator"
    place = engine.url.set(drivername=engine.dialect.name, password=None).render_as_string()
    return folder / "emulators" / hashlib.sha256(place.encode()).hexdigest()[:16]


def _is_beside(engine: Engine) -> bool:
    """Return whether the database is a file next to which the private files are."""
    database = engine.url.database or ""
    return engine.dialect.name == "sqlite" and database != "" and not database.startswith((":memory:", "file:"))
