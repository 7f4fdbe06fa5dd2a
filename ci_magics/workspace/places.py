"""Where a workspace's files are: beside a SQLite file, in a server's database, or in a folder that a team shares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine

from ci_magics.workspace.contents import DatabaseContents, FolderContents
from ci_magics.workspace.files import Files, PrivateFiles
from ci_magics.workspace.team_files import TeamFiles

#: The folder that all kernels of a team share; without it the files are in the database.
STORE = "CI_MAGICS_STORE"


def open_files(engine: Engine, folder: Path, names: tuple[str, ...]) -> Iterator[Files]:
    """Return the files of a workspace, one for each name.

    Parameters
    ----------
    engine
        The workspace's database.
    folder
        Where private files of a workspace on SQLite are.
    names
        What the folders are called.
    """
    if engine.dialect.name == "sqlite":
        yield from (PrivateFiles(folder / name) for name in names)
        return
    store = os.environ.get(STORE)
    contents = FolderContents(engine, Path(store).expanduser().absolute()) if store else DatabaseContents(engine)
    yield from (TeamFiles(engine, name, contents) for name in names)
