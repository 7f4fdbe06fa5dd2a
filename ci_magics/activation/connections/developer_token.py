"""The developer token of Microsoft Advertising: from the environment, from the system's keyring, or asked for once."""

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
    """Return the developer token that goes with every call of a connection.

    Raises
    ------
    SignInError
        None is known, and nobody can be asked.
    """
    if connection.environment != "production":
        return UNIVERSAL_DEVELOPER_TOKEN  # a real one is never sent anywhere else
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
    """Tell whether a person would have to be asked for the developer token."""
    return connection.environment == "production" and not _known(connection)


def _known(connection: Connection) -> str | None:
    return os.environ.get(VARIABLE) or remembered(connection.id)


@contextmanager
def holding(connection: Connection, token: str | None) -> Iterator[None]:
    """Keep a developer token in the keyring for what is done with a connection, and the one before it where that fails.

    Without a token nothing is changed.

    Raises
    ------
    SignInError
        The keyring does not keep it.
    """
    if not token:
        yield
        return
    before = remembered(connection.id)
    if reason := remember(connection.id, token):
        raise SignInError(f"{reason}, so the developer token is not kept.", f"Set {VARIABLE}.", code="no_keyring")
    try:
        yield
    except BaseException:  # also when somebody stops it
        forget_secret(connection.id)
        if before:
            remember(connection.id, before)
        raise


def forget_developer_token(connection: Connection, show: Callable[[str], None]) -> None:
    """Take the developer token of a connection out of the keyring, if it is there."""
    if reason := forget_secret(connection.id):
        show(f"{reason}: it may still hold the developer token of '{connection.name}'.")
