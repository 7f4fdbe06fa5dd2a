"""Where a workspace's files are: beside a SQLite file, in a server's database, or in a folder that a team shares."""

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

#: The folder that all kernels of a team share; without it the files are in the database.
STORE = "CI_MAGICS_STORE"


def open_files(
    engine: Engine, folder: Path, names: tuple[str, ...], rooms: ScratchFolders, locks: Locks
) -> Iterator[Files]:
    """Return the files of a workspace, one for each name.

    Parameters
    ----------
    engine
        The workspace's database.
    folder
        Where private files of a workspace on SQLite are.
    names
        What the folders are called.
    rooms
        Where drafts of private files are.
    locks
        Tell which processes live that write files of a team.
    """
    if engine.dialect.name == "sqlite":
        yield from (PrivateFiles(folder / name, Checksums(engine, name), rooms) for name in names)
        return
    store = os.environ.get(STORE)
    contents = FolderContents(engine, in_home(Path(store)).absolute()) if store else DatabaseContents(engine)
    yield from (TeamFiles(engine, name, contents, locks) for name in names)


def folder_beside(engine: Engine) -> Path:
    """Return the folder for what is not in a database: beside a SQLite file, else that of this user."""
    if _is_beside(engine):
        return Path(engine.url.database or "").absolute().with_suffix(".files")
    return data_folder()


def emulator_folder(engine: Engine, folder: Path) -> Path:
    """Return where the emulator of a workspace keeps its state; nothing is made.

    The state is in the workspace's own folder. A server's database has none: there every user has an emulator of their
    own on each machine, since it serves this machine only.

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
    """Tell whether the database is a file, which the private files are kept beside."""
    database = engine.url.database or ""
    return engine.dialect.name == "sqlite" and database != "" and not database.startswith((":memory:", "file:"))
