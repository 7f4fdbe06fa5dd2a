"""Explain why a workspace cannot be opened or written, from the error of the disk or database, with a next step."""

from __future__ import annotations

import errno
import re

from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from ci_magics.advice import Advice, Do, advise
from ci_magics.errors import WorkspaceError

Cause = tuple[str, str | Advice]

#: The error code for a missing or damaged file about which nothing else is known.
MISSING = "file_missing"

_FREE_SPACE = advise("Free up space: ", Do("purge"), " removes expired data.")
_CHOOSE_FOLDER = "Set CI_MAGICS_WORKSPACE to a folder that you may write to, or ask for permission."
_CHECK_DISK = "Check that the disk or network drive is available, then run it again."
#: By error number of the operating system.
_FILE_CAUSES: dict[int, Cause] = {
    errno.ENOSPC: ("the disk is full", _FREE_SPACE),
    errno.EDQUOT: ("your disk quota is used up", _FREE_SPACE),
    errno.EACCES: ("you do not have permission", _CHOOSE_FOLDER),
    errno.EPERM: ("you do not have permission", _CHOOSE_FOLDER),
    errno.EROFS: ("the file system is read-only", _CHOOSE_FOLDER),
    errno.ENOTDIR: ("a file is where a folder should be", "Set CI_MAGICS_WORKSPACE to a folder."),
    errno.EEXIST: ("a file is where a folder should be", "Set CI_MAGICS_WORKSPACE to a folder."),
    errno.ENAMETOOLONG: ("its path is too long", "Set CI_MAGICS_WORKSPACE to a folder with a shorter path."),
    **dict.fromkeys(
        (errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENODEV),
        ("the disk does not answer", _CHECK_DISK),
    ),
}
#: By error message of the SQLite and PostgreSQL libraries.
_DATABASE_CAUSES: tuple[tuple[re.Pattern[str], Cause], ...] = tuple(
    (re.compile(words, re.IGNORECASE), cause)
    for words, cause in (
        (r"disk is full|no space left|disk full", ("the disk of its database is full", _FREE_SPACE)),
        (
            r"not a database|malformed|file is encrypted",
            (
                "its file is damaged or not a workspace",
                "Put a copy of the file from a backup in its place, or set CI_MAGICS_WORKSPACE to another folder.",
            ),
        ),
        (
            r"readonly database|attempt to write a readonly|unable to open database file|permission denied to",
            ("you do not have permission to write to its database", _CHOOSE_FOLDER),
        ),
        (
            r"database is locked|lock timeout",
            ("another program has locked its database", "Wait until that is done, then run it again."),
        ),
        (
            r"no such (table|column)|relation \"[^\"]*\" does not exist",
            (
                "its tables are not those that ci-magics created",
                "Put a copy of the database from a backup in its place, or set CI_MAGICS_WORKSPACE to another folder.",
            ),
        ),
        (r"disk I/O error", ("the disk of its database does not answer", _CHECK_DISK)),
        (
            r"password|authentication|no pg_hba|role \"[^\"]*\" does not exist",
            (
                "its database rejects your user or password",
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
                "an encrypted connection to its server failed",
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


def cause_of_file_error(error: OSError) -> Cause:
    """Return why a file cannot be used, as the end of a sentence, and the next step."""
    return _FILE_CAUSES.get(error.errno or 0, (f"{type(error).__name__}", f"{_CHOOSE_FOLDER} {_CHECK_DISK}"))


def cannot_open(error: Exception) -> WorkspaceError:
    """Build the error for a workspace that cannot be opened."""
    why, step = _cause(error)
    return WorkspaceError(f"The workspace cannot be opened: {why}.", step, code=type(error).__name__)


def cause_of_database_error(error: Exception) -> Cause | None:
    """Translate an error of a database or its driver; None if the cause is unknown."""
    words = str(getattr(error, "orig", None) or error)
    return next((cause for pattern, cause in _DATABASE_CAUSES if pattern.search(words)), None)


def _cause(error: Exception) -> Cause:
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
    found = cause_of_database_error(error)
    if found is not None:
        return found
    if isinstance(error, OSError):
        return cause_of_file_error(error)
    if isinstance(error, DBAPIError):
        return (
            f"its database reports an error ({type(error.orig).__name__})",
            "Show this to the administrator of the database, or set CI_MAGICS_WORKSPACE to a folder.",
        )
    return type(error).__name__, "Set CI_MAGICS_WORKSPACE to a folder that you may write to, or to a database URL."


def missing() -> WorkspaceError:
    """Build the error for a file that cannot be read."""
    return WorkspaceError("A file of the workspace is missing or damaged.", "Make the segment again.", code=MISSING)


def cannot_write(error: OSError) -> WorkspaceError:
    """Build the error for a file that cannot be written."""
    why, step = cause_of_file_error(error)
    return WorkspaceError(f"A file of the workspace cannot be written: {why}.", step, code=error.strerror)
