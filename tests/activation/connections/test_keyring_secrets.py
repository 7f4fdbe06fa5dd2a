"""Missing, locked, broken, hanging and unreliable keyrings: nothing fails, and no message is wrong."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable

import keyring.backends.fail
import keyring.backends.null
import pytest
from fakes import MemoryKeyring
from keyring.backend import KeyringBackend
from keyring.errors import InitError, KeyringLocked, PasswordSetError

from ci_magics.activation.connections import keyring_secrets
from ci_magics.activation.connections.keyring_secrets import forget_secret, remember, remembered
from ci_magics.activation.notifications.delivery import SECRETS, channels, secret
from ci_magics.cli import main

SECRET = "s3cr3t"


class Failing(KeyringBackend):
    """Raises the same error for every request."""

    priority = -1.0  # keyring knows every subclass, and must not choose this one

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def _answer(self, *_asked: str) -> str | None:
        raise self.error

    def get_password(self, *asked: str) -> str | None:
        return self._answer(*asked)

    def set_password(self, *asked: str) -> None:
        self._answer(*asked)

    def delete_password(self, *asked: str) -> None:
        self._answer(*asked)


class Silent(Failing):
    """Waits forever."""

    def __init__(self) -> None:
        self.asked = 0

    def _answer(self, *_asked: str) -> str | None:
        self.asked += 1
        threading.Event().wait()
        return None


class Forgetful(MemoryKeyring):
    """Stores a different value than it was given."""

    priority = -1.0

    def set_password(self, service: str, username: str, password: str) -> None:
        super().set_password(service, username, password[:3])


BROKEN = {
    "none": (keyring.backends.fail.Keyring, "This machine has no keyring"),
    "null": (keyring.backends.null.Keyring, "This machine has no keyring that keeps anything"),
    "forgetful": (Forgetful, "This machine has no keyring that keeps anything"),
    "locked": (lambda: Failing(KeyringLocked(SECRET)), "The system's keyring is locked"),
    "refusing": (lambda: Failing(PasswordSetError(SECRET)), "The system's keyring failed (PasswordSetError)"),
    "not begun": (lambda: Failing(InitError(SECRET)), "The system's keyring failed (InitError)"),
    "no bus": (lambda: Failing(OSError(SECRET)), "The system's keyring failed (OSError)"),
    "slow bus": (lambda: Failing(TimeoutError(SECRET)), "The system's keyring failed (TimeoutError)"),
    "a bug": (lambda: Failing(TypeError(SECRET)), "The system's keyring failed (TypeError)"),
    "no module": (lambda: Failing(ModuleNotFoundError(SECRET)), "The system's keyring failed (ModuleNotFoundError)"),
    "exit": (lambda: Failing(SystemExit(SECRET)), "The system's keyring failed (RuntimeError)"),
    "silent": (Silent, "The system's keyring did not answer within 30 seconds"),
}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring_secrets, "_SECONDS", 0.2)
    monkeypatch.setattr(keyring_secrets, "_asked_again_at", 0.0)


@pytest.fixture(params=BROKEN)
def reason(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Install a broken keyring, and return the message about it."""
    made, reason = BROKEN[request.param]
    assert callable(made)
    monkeypatch.setattr("keyring.core._keyring_backend", made())
    return reason


def test_secret_in_a_broken_keyring_is_never_reported_as_stored(reason: str) -> None:
    assert remember("webhook", SECRET) == reason
    assert remembered("webhook") != SECRET
    assert SECRET not in reason


def test_command_names_the_variable_to_set(
    reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{SECRET}\n"))
    assert main(["notifications", "set", "webhook"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"{reason}, so webhook is not kept. Set CI_MAGICS_WEBHOOK instead. (code no_keyring)\n"


def test_mail_configured_by_variables_needs_no_keyring(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reason
    given = {"smtp": "smtp://localhost", "mail-from": "ci@contoso.com", "mail-to": "ops@contoso.com"}
    for name, value in given.items():
        monkeypatch.setenv(SECRETS[name], value)
    assert list(channels()) == ["mail"]
    assert {name: secret(name) for name in given} == given
    assert secret("smtp-password") is None


def test_hanging_keyring_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = Silent()
    monkeypatch.setattr("keyring.core._keyring_backend", silent)
    assert [remembered("smtp"), remembered("webhook"), remember("smtp", SECRET)].count(None) == 2
    assert silent.asked == 1


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (keyring.backends.fail.Keyring, None),
        (keyring.backends.null.Keyring, None),
        (MemoryKeyring, None),
        (lambda: Failing(KeyringLocked()), "The system's keyring is locked"),
        (lambda: Failing(OSError()), "The system's keyring failed (OSError)"),
    ],
)
def test_secret_that_may_remain_is_not_reported_as_deleted(
    made: Callable[[], KeyringBackend], reason: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keyring.core._keyring_backend", made())
    assert forget_secret("webhook") == reason


def test_working_keyring_stores_and_deletes(keyring_content: dict[tuple[str, str], str]) -> None:
    assert remember("webhook", SECRET) is None
    assert (remembered("webhook"), list(keyring_content.values())) == (SECRET, [SECRET])
    assert forget_secret("webhook") is None
    assert (remembered("webhook"), keyring_content) == (None, {})
