"""The developer token of Microsoft Advertising: from the environment, the system's keyring, or the user."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ci_magics.activation.connections.keyring_secrets import forget_secret, remember, remembered
from ci_magics.activation.connections.sign_in import can_ask
from ci_magics.errors import SignInError
from ci_magics.microsoft.endpoints import UNIVERSAL_DEVELOPER_TOKEN
from ci_magics.workspace.models import Connection

VARIABLE = "CI_MAGICS_DEVELOPER_TOKEN"


def developer_token(connection: Connection, show: Callable[[str], None], *, ask: bool) -> str:
    """Return the developer token, which each call of a connection needs.

    Parameters
    ----------
    connection
        The connection.
    show
        Called with a sentence if the token can't be stored in the keyring.
    ask
        Whether the user may be asked for it.

    Raises
    ------
    SignInError
        The token is unknown, and there is no user to ask.
    """
    if connection.environment != "production":
        return UNIVERSAL_DEVELOPER_TOKEN  # send a real token to production only
    found = _known(connection)
    if found:
        return found
    if not (ask and can_ask()):
        raise SignInError(
            "The developer token of Microsoft Advertising is missing.",
            f"Set {VARIABLE}, or open the connection once in a notebook.",
            code="no_developer_token",
        )
    typed = getpass.getpass("Developer token of Microsoft Advertising: ").strip()
    if reason := remember(connection.id, typed):
        show(f"{reason}, so the developer token is not kept: set {VARIABLE} to be asked no more.")
    return typed


def lacks_developer_token(connection: Connection) -> bool:
    """Return whether the user would have to be asked for the developer token."""
    return connection.environment == "production" and not _known(connection)


def _known(connection: Connection) -> str | None:
    return os.environ.get(VARIABLE) or remembered(connection.id)


@contextmanager
def holding(connection: Connection, token: str | None) -> Iterator[None]:
    """Store a developer token in the keyring, and restore the previous one if the `with` block fails.

    Parameters
    ----------
    connection
        The connection.
    token
        The new token; None changes nothing.

    Raises
    ------
    SignInError
        The keyring does not store it.
    """
    if not token:
        yield
        return
    before = remembered(connection.id)
    if reason := remember(connection.id, token):
        raise SignInError(f"{reason}, so the developer token is not kept.", f"Set {VARIABLE}.", code="no_keyring")
    try:
        yield
    except BaseException:  # including Ctrl-C
        forget_secret(connection.id)
        if before:
            remember(connection.id, before)
        raise


def forget_developer_token(connection: Connection, show: Callable[[str], None]) -> None:
    """Delete the developer token of a connection from the keyring, if it is there.

    Parameters
    ----------
    connection
        The connection.
    show
        Called with a sentence if the keyring may still have the token.
    """
    if reason := forget_secret(connection.id):
        show(f"{reason}: it may still hold the developer token of '{connection.name}'.")
