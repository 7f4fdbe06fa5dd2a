"""Damaged, foreign, readable or unwritable token caches: signing in works, and the user gets a notice."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msal
import pytest

from ci_magics.microsoft import signin
from ci_magics.microsoft.endpoints import Endpoints, endpoints_of
from ci_magics.microsoft.token_cache import open_cache

if TYPE_CHECKING:
    from conftest import RunningEmulator

MOVED = "it was set aside as cache.bin.damaged. Sign in again: ci.connections.sign_in(NAME)."


@pytest.fixture(autouse=True)
def _no_encryption(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(_path: str) -> Any:
        raise ImportError

    monkeypatch.setattr("msal_extensions.build_encrypted_persistence", unavailable)


@pytest.fixture
def endpoints(emulator: RunningEmulator) -> Endpoints:
    return endpoints_of("emulator", emulator.base_url)


@pytest.fixture
def path(emulator: RunningEmulator, endpoints: Endpoints, tmp_path: Path) -> Path:
    """Return a cache with a signed-in account."""
    path = tmp_path / "cache.bin"
    app = application(endpoints, open_cache(path, lambda _notice: None))
    signin.sign_in_by_refresh_token(app, endpoints.scope, emulator.refresh_token)
    return path


def application(endpoints: Endpoints, cache: msal.TokenCache) -> Any:
    return signin.open_application(endpoints, client_id=signin.EMULATOR_CLIENT_ID, cache=cache)


def written(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


DAMAGES: dict[str, Callable[[Path], None]] = {
    "empty": written(b""),
    "cut in the middle": cut,
    "binary": written(bytes(range(256))),
    "no object": written(b"[]"),
    "an object of something else": written(b'{"AccessToken": []}'),
    "entries of something else": written(b'{"AccessToken": {"one": "text"}}'),
    "a folder": folder,
    "a link": link,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_cache_is_moved_away_and_signing_in_works(
    damage: str, path: Path, emulator: RunningEmulator, endpoints: Endpoints
) -> None:
    DAMAGES[damage](path)
    said: list[str] = []
    app = application(endpoints, open_cache(path, said.append))
    reason = {"a folder": "is no file", "a link": "is no file"}.get(damage, "is damaged")
    assert said == [f"The file of your sign-ins {reason}: {MOVED}"]
    assert os.path.lexists(f"{path}.damaged")
    assert signin.signed_in(app) == []
    signin.sign_in_by_refresh_token(app, endpoints.scope, emulator.refresh_token)
    said.clear()
    assert len(signin.signed_in(application(endpoints, open_cache(path, said.append)))) == 1
    assert said == []


def test_cache_of_another_user_is_not_read(path: Path, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = os.geteuid()
    monkeypatch.setattr("ci_magics.microsoft.token_cache.os.geteuid", lambda: owner + 1)
    said: list[str] = []
    assert signin.signed_in(application(endpoints, open_cache(path, said.append))) == []
    assert said == [f"The file of your sign-ins belongs to another user of this machine: {MOVED}"]


def test_cache_readable_by_others_is_made_private_with_a_notice(path: Path, endpoints: Endpoints) -> None:
    path.chmod(0o644)
    said: list[str] = []
    assert len(signin.signed_in(application(endpoints, open_cache(path, said.append)))) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.split(";")[0] for each in said] == [
        "Others on this machine could read cache.bin, the file of your sign-ins"
    ]


def test_tokens_stay_in_memory_if_the_cache_cannot_be_written(
    path: Path, emulator: RunningEmulator, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: Any, **_options: Any) -> Any:
        raise OSError(28, "No space left on device")

    path.write_bytes(b"damaged")
    monkeypatch.setattr(Path, "replace", full)
    said: list[str] = []
    app = application(endpoints, open_cache(path, said.append))
    assert [each.split(":")[0] for each in said] == [
        "The tokens cannot be kept on this machine (OSError for cache.bin)"
    ]
    assert signin.sign_in_by_refresh_token(app, endpoints.scope, emulator.refresh_token).token()
    assert path.read_bytes() == b"damaged"


def test_crash_while_saving_keeps_the_previous_tokens(
    path: Path, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()
    cache = open_cache(path, lambda _notice: None)

    def crash(_file: Path, _place: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as crashing:
        crashing.setattr(Path, "replace", crash)
        with pytest.raises(KeyboardInterrupt):
            signin.sign_out(
                application(endpoints, cache), signin.signed_in(application(endpoints, cache))[0].home_account_id
            )
    assert path.read_bytes() == before
