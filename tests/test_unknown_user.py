"""A user ID without an account, as in containers: a process without a home folder and a user name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ci_magics.activation.connections.sign_in import SignInFor, application
from ci_magics.microsoft.endpoints import endpoints_of
from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.slow

PROGRAM = Path(sys.executable).with_name("ci-magics")
USER_ID = "54321"
#: Ways to run as the user ID with read access to the files of the tests.
WAYS = (
    ["setpriv", "--reuid", USER_ID, "--clear-groups", "--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"],
    ["unshare", "--user", "--map-user", USER_ID],
)
NO_HOME = (
    "Your home folder is not known on this machine. Set HOME to your home folder, or CI_MAGICS_WORKSPACE to "
    "where the workspace is. (code no_home)\n"
)
JOB = """
import json, sys
import pandas as pd
import ci_magics as ci
said = []
people = pd.DataFrame({"Id": ["1", "2"], "EMail": ["jan@contoso.com", "ann@contoso.com"]})
ci.connect("Contoso", customer_id="222", account_id="111", agree=True, accept_terms=True, show=said.append)
ci.segment("All", people, show=said.append)
ci.preview("All")
run = ci.export("All", to="Contoso", show=said.append)
print(json.dumps({"status": run.status, "user": ci.open_workspace().store.user, "healthy": ci.doctor().healthy}))
"""


@pytest.fixture(scope="module")
def way() -> list[str]:
    """Return the command prefix that runs a command as an unknown user."""
    for each in WAYS:
        done = subprocess.run([*each, "id", "-u"], capture_output=True, check=False)
        if done.stdout.decode().strip() == USER_ID:
            return each
    raise AssertionError("this machine lets nobody run as another user")


def ran(way: list[str], *command: str | Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*way, *command], capture_output=True, check=False, text=True, cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
    )  # fmt: skip


def test_complete_export_works_without_a_user_name_and_home_folder(way: list[str], tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    done = ran(way, sys.executable, "-c", JOB, folder=tmp_path, CI_MAGICS_WORKSPACE=str(tmp_path / "workspace"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"status": "Completed", "user": f"uid-{USER_ID}", "healthy": True}
    assert [each.name for each in tmp_path.iterdir()] == ["workspace"]


@pytest.mark.parametrize("command", ["doctor", "notifications", "status", "exports", "refresh", "roles", "audit"])
def test_every_command_works_for_an_unknown_user(command: str, way: list[str], tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    done = ran(way, PROGRAM, command, folder=tmp_path, CI_MAGICS_WORKSPACE=str(tmp_path / "workspace"))
    assert (done.returncode, done.stderr) == (0, "")


def test_error_says_what_to_set_if_there_is_no_place_for_the_workspace(way: list[str], tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    done = ran(way, PROGRAM, "status", folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", NO_HOME)
    assert list(tmp_path.iterdir()) == []


def test_workspace_in_an_unknown_home_folder_is_refused(way: list[str], tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    done = ran(way, PROGRAM, "status", folder=tmp_path, CI_MAGICS_WORKSPACE="~/workspace")
    assert (done.returncode, done.stderr) == (1, NO_HOME)
    assert list(tmp_path.iterdir()) == []


def test_tokens_are_stored_in_the_workspace_if_settings_cannot_be_written(
    emulator: object, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "no folder").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no folder"))
    endpoints = endpoints_of("emulator", emulator.base_url)  # type: ignore[attr-defined]
    app = application(workspace, SignInFor("1", "Contoso", "device"), endpoints, lambda _notice: None)
    app.token_cache.add({"client_id": "1", "scope": ["s"], "token_endpoint": "https://x/y", "response": {}})
    (folder,) = workspace.folder.glob("sign-in-*")
    assert folder.stat().st_mode & 0o777 == 0o700
