"""The token cache on disk: encrypted if the platform supports it; an unusable file is set aside."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msal
import msal_extensions

from ci_magics.advice import NAME, Do, advise

Notice = Callable[[str], None]
_AGAIN = advise("Sign in again: ", Do("connections.sign_in", NAME), ".")


class _PrivateFile(msal_extensions.FilePersistence):  # type: ignore[misc]  # msal_extensions has no types
    """A file that only its owner can read, replaced atomically: a crash leaves the old or the new tokens."""

    def save(self, content: str) -> None:
        """Replace the content.

        Parameters
        ----------
        content
            The serialized tokens.
        """
        place = Path(self.get_location())
        new = place.with_name(f"{place.name}.{os.getpid()}.new")
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                file.write(content)
            new.replace(place)
        except OSError:
            new.unlink(missing_ok=True)
            raise


def open_cache(path: Path, on_notice: Notice) -> msal.TokenCache:
    """Open a token cache on disk.

    A file that is damaged, unreadable, or was placed there by another user is renamed with the suffix ``.damaged``. If
    nothing can be stored, the tokens stay in memory.

    Parameters
    ----------
    path
        The cache file; its folder must exist and be private.
    on_notice
        Called with a sentence for each thing that the user should know: no encryption, tokens set aside.
    """
    try:
        persistence = _persistence(path, on_notice)
        with msal_extensions.CrossPlatLock(f"{path}.lockfile"):  # no other process is writing it
            _require_usable(path, persistence, on_notice)
        return msal_extensions.PersistedTokenCache(persistence)
    except Exception as error:  # noqa: BLE001 - platform-specific errors of files, locks, and encryption
        on_notice(
            f"The tokens cannot be kept on this machine ({type(error).__name__} for {path.name}): you are signed in "
            "until this kernel ends. The folder of your settings must be yours, writable and not full."
        )
        return msal.SerializableTokenCache()


def _persistence(path: Path, on_notice: Notice) -> Any:
    try:
        return msal_extensions.build_encrypted_persistence(str(path))
    except Exception:  # noqa: BLE001 - the private file is the documented fallback for any error
        if not os.path.lexists(path):
            on_notice(
                f"This machine offers no encryption for tokens: they are kept in {path.name}, readable by you only."
            )
        return _PrivateFile(str(path))


def _require_usable(path: Path, persistence: Any, on_notice: Notice) -> None:
    """Set the file aside unless MSAL wrote it for the current user."""
    if not os.path.lexists(path):
        return
    reason = _strange(path)
    if not reason:
        _keep_private(path, on_notice)
        if _is_whole(persistence):
            return
        reason = "is damaged"
    aside = path.with_name(f"{path.name}.damaged")
    path.replace(aside)
    with contextlib.suppress(OSError):  # a folder, or owned by another user: leave it
        if aside.is_file():
            aside.chmod(0o600)
    persistence.save("{}")
    on_notice(f"The file of your sign-ins {reason}: it was set aside as {aside.name}. {_AGAIN}")


def _strange(path: Path) -> str:
    """Return why a file must not be opened; empty if it may be."""
    if path.is_symlink() or not path.is_file():
        return "is no file"
    if os.name == "posix" and path.stat().st_uid != os.geteuid():
        return "belongs to another user of this machine"
    return ""


def _keep_private(path: Path, on_notice: Notice) -> None:
    if os.name != "posix":
        return
    status = path.stat()
    if status.st_mode & 0o777 != 0o600:
        path.chmod(0o600)
    if status.st_mode & 0o077 and status.st_size:  # it is empty if a keyring holds the tokens
        on_notice(
            f"Others on this machine could read {path.name}, the file of your sign-ins; now only you can. "
            "If you do not trust them, end your sessions at Microsoft and sign in again."
        )


def _is_whole(persistence: Any) -> bool:
    """Return whether MSAL can read the content: an object of objects of objects."""
    try:
        kept = json.loads(persistence.load())
    except msal_extensions.persistence.PersistenceNotFound:
        return True  # the keyring is still empty
    except Exception:  # noqa: BLE001 - it cannot be read, decrypted or decoded
        return False
    return isinstance(kept, dict) and all(
        isinstance(entries, dict) and all(isinstance(each, dict) for each in entries.values())
        for entries in kept.values()
    )
