"""The server extension in a real Jupyter server, over HTTP like in a browser."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import contoso
import pytest
import requests
from sqlalchemy import create_engine, text

from ci_magics.workspace.store import Workspace, open_workspace

TOKEN = "a-token-of-the-tests"
_FOLDERS = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")


@dataclass
class Server:
    """A running Jupyter server with the extensions that are enabled by installation."""

    base_url: str

    @property
    def address(self) -> str:
        return f"{self.base_url}/ci-magics/overview"

    def get(self, **headers: str) -> requests.Response:
        return browser().get(self.address, headers=headers, timeout=30)

    def signed_in(self) -> requests.Session:
        """Return a browser session that signed in by token and then only has cookies."""
        session = browser()
        assert session.get(f"{self.base_url}/lab", params={"token": TOKEN}, timeout=30).ok
        return session

    def last_activity(self) -> str:
        answer = browser().get(f"{self.base_url}/api/status", headers=token(), timeout=30)
        return str(answer.json()["last_activity"])


def browser() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def token() -> dict[str, str]:
    return {"Authorization": f"token {TOKEN}"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the location of the server's workspace."""
    return tmp_path_factory.mktemp("server") / "workspace"


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, **{name: str(place.parent / name.lower()) for name in _FOLDERS}}
    options = ["--ip=127.0.0.1", f"--port={port}", "--allow-root", "--no-browser", f"--IdentityProvider.token={TOKEN}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyter", "lab", *options, f"--ServerApp.root_dir={place.parent}"],
        env=environment | {"CI_MAGICS_WORKSPACE": str(place)},
        stderr=subprocess.DEVNULL,
    )
    running = Server(f"http://127.0.0.1:{port}")
    try:
        _wait_for(running, process)
        yield running
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_for(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "Jupyter ended"
        try:
            if browser().get(f"{server.base_url}/api/status", headers=token(), timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise TimeoutError


@pytest.fixture
def shared(place: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Return the workspace that the server reads, which is also the default one of the test."""
    monkeypatch.setenv("CI_MAGICS_WORKSPACE", str(place))
    return open_workspace()


@pytest.mark.usefixtures("emulator", "shared")
def test_exports_are_returned(server: Server) -> None:
    contoso.connect()
    run = contoso.export(contoso.segment(3, name="Told"))
    answer = server.get(**token())
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    told = answer.json()
    assert told["runs"][0]["name"] == run.id[:8]
    assert told["runs"][0]["accepted"] == 3


@pytest.mark.usefixtures("emulator")
def test_user_named_by_an_address_is_masked(server: Server, shared: Workspace) -> None:
    contoso.connect()
    contoso.export(contoso.segment(2, name="Friends"))
    shared.runs.put(replace(shared.runs.latest(1)[0], started_by="ann@contoso.com"))
    answer = server.get(**token())
    assert "@" not in answer.text
    assert answer.json()["runs"][0]["started_by"] == "***"


def test_request_without_a_token_is_refused(server: Server) -> None:
    for refused in (server.get(), server.get(Authorization="token another")):
        assert refused.status_code == 403
        assert "runs" not in refused.text


def test_another_origin_cannot_read_it_with_the_cookies(server: Server) -> None:
    session = server.signed_in()
    own = {"Referer": f"{server.base_url}/lab"}
    assert session.get(server.address, headers=own, timeout=30).status_code == 200
    for headers in ({}, {"Referer": "https://elsewhere.example/"}, {"Origin": "https://elsewhere.example"}):
        refused = session.get(server.address, headers=headers, timeout=30)
        assert refused.status_code in (403, 404)
        assert "runs" not in refused.text


def test_nothing_can_be_changed_and_reading_needs_an_xsrf_token(server: Server) -> None:
    session = server.signed_in()
    assert session.post(server.address, timeout=30).status_code == 403
    with_token = {"X-XSRFToken": str(session.cookies["_xsrf"])}
    assert session.post(server.address, headers=with_token, timeout=30).status_code == 405


def test_open_panel_does_not_keep_an_idle_server_alive(server: Server) -> None:
    before = server.last_activity()
    assert server.get(**token()).ok
    assert server.last_activity() == before


@pytest.mark.usefixtures("shared")
def test_unreadable_workspace_is_reported(server: Server, place: Path) -> None:
    engine = create_engine(f"sqlite:///{place / 'workspace.sqlite'}")
    with engine.begin() as database:
        database.execute(text("ALTER TABLE runs RENAME TO hidden"))
    try:
        answer = server.get(**token())
    finally:
        with engine.begin() as database:
            database.execute(text("ALTER TABLE hidden RENAME TO runs"))
    assert answer.status_code == 503
    assert list(answer.json()) == ["message"]
    assert answer.json()["message"].startswith("The workspace cannot be used now: its tables are not")
