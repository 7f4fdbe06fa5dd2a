"""Secrets that the system's keyring keeps, where the machine has one."""

from __future__ import annotations

_SERVICE = "ci-magics"


def remembered(name: str) -> str | None:
    """Return a secret, or None where it is not kept."""
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(_SERVICE, name)
    except KeyringError:
        return None  # this machine keeps no secrets: the person is asked


def remember(name: str, secret: str) -> bool:
    """Keep a secret; tells whether that was possible."""
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(_SERVICE, name, secret)
    except KeyringError:
        return False  # this machine keeps no secrets: the person is asked again next time
    return True


def forget_secret(name: str) -> None:
    """Take a secret out again, if it is there."""
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.delete_password(_SERVICE, name)
    except KeyringError:
        return  # it was not kept, or nothing is kept on this machine
