"""Find the credentials that a stored database address lacks: from the environment, the keyring, or a prompt."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from typing import TypeVar

from ci_magics.activation.connections.keyring_secrets import remember, remembered
from ci_magics.activation.connections.sign_in import can_ask
from ci_magics.errors import SegmentError
from ci_magics.kept_address import kept_address
from ci_magics.segmentation.sources.database_errors import DatabaseClosedError

T = TypeVar("T")
VARIABLE = "CI_MAGICS_DATABASE_URL"


def with_secrets(kept: str, work: Callable[[str], T], show: Callable[[str], None]) -> T:
    """Run work on a database of which only part of the address is stored.

    Parameters
    ----------
    kept
        Part of the address that `kept_address` returns.
    work
        Called with an address: the full one from the environment or the keyring, otherwise the stored part. The driver
        may find credentials by itself, in ``PGPASSWORD`` or a password file. If the database rejects these, the user is
        prompted, and ``work`` is called again with the typed address.
    show
        Called with a message if the keyring cannot store the typed address.

    Raises
    ------
    SegmentError
        The database rejects the credentials and no user can be prompted, or the typed address is of another database.
    """
    found = _from_environment(kept) or remembered(_keyring_name(kept))
    try:
        return work(found or kept)
    except DatabaseClosedError as error:
        closed = error
    if not can_ask():
        raise SegmentError(
            f"{closed.sentence} The workspace keeps no user and no password of a database.",
            f"Set {VARIABLE} to its complete address, or refresh the segment once in a notebook, where you are asked.",
            code=closed.code,
        ) from None
    typed = getpass.getpass(f"{closed.sentence} Complete address of {kept}, with user and password: ").strip()
    if not typed:
        raise closed
    if kept_address(typed) != kept:
        raise SegmentError(
            "This is the address of another database.", f"Type the complete address of {kept}.", code="database_address"
        )
    done = work(typed)
    if (why_not := remember(_keyring_name(kept), typed)) is not None:
        show(f"{why_not}, so the address is not stored: set {VARIABLE} so that you are not asked again.")
    return done


def _from_environment(kept: str) -> str | None:
    """Return the address of this database from the environment variable, which can list several, space-separated."""
    given = os.environ.get(VARIABLE, "").split()
    return next((each for each in given if kept_address(each) == kept), None)


def _keyring_name(kept: str) -> str:
    return f"database {kept}"
