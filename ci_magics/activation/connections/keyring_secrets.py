"""Store secrets in the system's keyring, if the machine has one.

A keyring is another program: it may be missing, locked, broken, or never answer. None of this may stop the user's work.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from ci_magics.clock import SystemClock

T = TypeVar("T")

_SERVICE = "ci-magics"
_SECONDS = 30.0  # enough to type the password of a keyring that asks to be unlocked
_SILENCE = 300.0  # seconds until a keyring that did not answer is asked again
_NO_ANSWER = f"The system's keyring did not answer within {_SECONDS:.0f} seconds"
_NONE = "This machine has no keyring"
_LOCKED = "The system's keyring is locked"

_asked_again_at = 0.0


class _NotAnsweredError(Exception):
    """The keyring did not do what it was asked; the message says why."""


def remembered(name: str) -> str | None:
    """Return a secret; None if it is not stored or the keyring does not return it."""
    try:
        return _answered(_operation("get_password", name))
    except _NotAnsweredError:
        return None


def remember(name: str, secret: str) -> str | None:
    """Store a secret.

    Parameters
    ----------
    name
        The name of the secret.
    secret
        Its value.

    Returns
    -------
    str or None
        Why it is not stored, as the beginning of a sentence; None if it was stored and read back.
    """
    try:
        _answered(_operation("set_password", name, secret))
        kept = _answered(_operation("get_password", name))
    except _NotAnsweredError as error:
        return str(error)
    return None if kept == secret else f"{_NONE} that keeps anything"


def forget_secret(name: str) -> str | None:
    """Delete a secret, if it is there.

    Returns
    -------
    str or None
        Why it may still be there, as the beginning of a sentence; None if it is deleted.
    """
    try:
        if _answered(_operation("get_password", name)) is None:
            return None
        _answered(_operation("delete_password", name))
    except _NotAnsweredError as error:
        return None if str(error) == _NONE else str(error)
    return None


def _operation(method: str, *arguments: str) -> Callable[[], str | None]:
    def work() -> str | None:
        import keyring  # here because it fails if the configuration names a backend that is not installed

        found = getattr(keyring, method)(_SERVICE, *arguments)
        return found if isinstance(found, str) else None

    return work


def _answered(work: Callable[[], str | None]) -> str | None:
    """Return the keyring's answer, with a timeout.

    Raises
    ------
    _NotAnsweredError
        The keyring did not answer in time, or failed; its own message is hidden, because it may quote the secret.
    """
    global _asked_again_at
    clock = SystemClock()
    if clock.monotonic() < _asked_again_at:
        raise _NotAnsweredError(_NO_ANSWER)
    coming: Future[str | None] = Future()
    # A daemon thread, not a pool: an abandoned thread must not keep Python from exiting.
    threading.Thread(target=_settle, args=(coming, work), name="ci-magics keyring", daemon=True).start()
    try:
        return coming.result(_SECONDS)
    except TimeoutError as error:
        if coming.done():  # the backend itself raised TimeoutError
            raise _NotAnsweredError(_reason(error)) from None
        _asked_again_at = clock.monotonic() + _SILENCE
        raise _NotAnsweredError(_NO_ANSWER) from None
    except Exception as error:  # noqa: BLE001 - each backend fails in its own way
        raise _NotAnsweredError(_reason(error)) from None


def _settle(coming: Future[str | None], work: Callable[[], str | None]) -> None:
    try:
        coming.set_result(work())
    except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
        coming.set_exception(error if isinstance(error, Exception) else RuntimeError(type(error).__name__))


def _reason(error: Exception) -> str:
    kinds = {each.__name__ for each in type(error).__mro__}  # by name, because importing the classes may fail too
    if "NoKeyringError" in kinds:
        return _NONE
    if "KeyringLocked" in kinds:
        return _LOCKED
    return f"The system's keyring failed ({type(error).__name__})"
