"""Explain why a workspace cannot be opened or written, from the error of the disk or database, with a next step."""

from __future__ import annotations

import errno
import re

from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from ci_magics.advice import Advice, Do, advise
from ci_magics.errors import WorkspaceError

Told = tuple[str, str | Advice]

#: The error code for a missing or damaged file about which nothing else is known.
MISSING = "file_missing"

_ROOM = advise("Make room there: ", Do("purge"), " removes what is kept too long.")
_RIGHT = "Set CI_MAGICS_WORKSPACE to a folder that you may write to, or ask for the right."
_AWAY = "Check that the disk or network drive is there, then run it again."
#: By error number of the operating system.
_FILES: dict[int, Told] = {
    errno.ENOSPC: ("the disk is full", _ROOM),
    errno.EDQUOT: ("you have used all the room that you may use", _ROOM),
    errno.EACCES: ("you have no right to", _RIGHT),
    errno.EPERM: ("you have no right to", _RIGHT),
    errno.EROFS: ("the file system is read-only", _RIGHT),
    errno.ENOTDIR: ("a file is where a folder should be", "Set CI_MAGICS_WORKSPACE to a folder."),
    errno.EEXIST: ("a file is where a folder should be", "Set CI_MAGICS_WORKSPACE to a folder."),
    errno.ENAMETOOLONG: ("its path is too long", "Set CI_MAGICS_WORKSPACE to a folder with a shorter path."),
    **dict.fromkeys(
        (errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENODEV),
        ("the disk does not answer", _AWAY),
    ),
}
#: By error message of the SQLite and PostgreSQL libraries.
_DATABASES: tuple[tuple[re.Pattern[str], Told], ...] = tuple(
    (re.compile(words, re.IGNORECASE), told)
    for words, told in (
        (r"disk is full|no space left|disk full", ("the disk of its database is full", _ROOM)),
        (
            r"not a database|malformed|file is encrypted",
            (
                "its file is damaged, or is no workspace",
                "Put a copy of the file from a backup in its place, or set CI_MAGICS_WORKSPACE to another folder.",
            ),
        ),
        (
            r"readonly database|attempt to write a readonly|unable to open database file|permission denied to",
            ("you have no right to write to its database", _RIGHT),
        ),
        (
            r"database is locked|lock timeout",
            ("another program holds its database", "Wait until that is done, then run it again."),
        ),
        (
            r"no such (table|column)|relation \"[^\"]*\" does not exist",
            (
                "its tables are not as ci-magics made them",
                "Put a copy of the database from a backup in its place, or set CI_MAGICS_WORKSPACE to another folder.",
            ),
        ),
        (r"disk I/O error", ("the disk of its database does not answer", _AWAY)),
        (
            r"password|authentication|no pg_hba|role \"[^\"]*\" does not exist",
            (
                "its database does not let you in",
                "Check the user and the password in CI_MAGICS_WORKSPACE, or ask the administrator of the database.",
            ),
        ),
        (
            r"database \"[^\"]*\" does not exist",
            ("its server has no database of this name", "Check the name at the end of CI_MAGICS_WORKSPACE."),
        ),
        (
            r"translate host|resolve host|name or service|nodename nor",
            ("the name of its server cannot be looked up", "Check the host in CI_MAGICS_WORKSPACE, and a VPN."),
        ),
        (
            r"certificate|SSL|TLS",
            (
                "no encrypted connection to its server came about",
                "Check sslmode and sslrootcert in CI_MAGICS_WORKSPACE, or ask the administrator of the database.",
            ),
        ),
        (
            r"too many (clients|connections)|remaining connection slots|QueuePool limit",
            ("its server has no connection left", "Run it again in a minute."),
        ),
        (
            r"refused|timed? ?out|unreachable|server closed|terminat|no route|connection failed|starting up",
            ("its server does not answer", "Check that it runs and can be reached from here, then run it again."),
        ),
    )
)


def told_of_file(error: OSError) -> Told:
    """Return why a file cannot be used, as the end of a sentence, and the next step."""
    return _FILES.get(error.errno or 0, (f"{type(error).__name__}", f"{_RIGHT} {_AWAY}"))


def cannot_be_opened(error: Exception) -> WorkspaceError:
    """Build the error for a workspace that cannot be opened."""
    why, step = _told(error)
    return WorkspaceError(f"The workspace cannot be opened: {why}.", step, code=type(error).__name__)


def told_of_database(error: Exception) -> Told | None:
    """Translate an error of a database or its driver; None if the cause is unknown."""
    words = str(getattr(error, "orig", None) or error)
    return next((told for pattern, told in _DATABASES if pattern.search(words)), None)


def _told(error: Exception) -> Told:
    if isinstance(error, NoSuchModuleError | ImportError):
        return (
            "the driver of its database is not installed",
            "For PostgreSQL: pip install 'ci-magics[postgresql]'. Or check how CI_MAGICS_WORKSPACE begins.",
        )
    if isinstance(error, ArgumentError | ValueError):
        return (
            "CI_MAGICS_WORKSPACE is neither a folder nor the address of a database",
            "Write it as in /data/workspace, or postgresql://user@host/database.",
        )
    found = told_of_database(error)
    if found is not None:
        return found
    if isinstance(error, OSError):
        return told_of_file(error)
    if isinstance(error, DBAPIError):
        return (
            f"its database refuses ({type(error.orig).__name__})",
            "Show this to the administrator of the database, or set CI_MAGICS_WORKSPACE to a folder.",
        )
    return type(error).__name__, "Set CI_MAGICS_WORKSPACE to a folder that you may write to, or to a database URL."


def missing() -> WorkspaceError:
    """Build the error for a file that cannot be read."""
    return WorkspaceError("A file of the workspace is missing or damaged.", "Make the segment again.", code=MISSING)


def cannot_be_written(error: OSError) -> WorkspaceError:
    """Build the error for a file that cannot be written."""
    why, step = told_of_file(error)
    return WorkspaceError(f"A file of the workspace cannot be written: {why}.", step, code=error.strerror)
