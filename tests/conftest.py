"""The emulator as a process of its own, and a workspace for each test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from holding import MemoryKeyring
from hypothesis import settings

import ci_magics as ci
from ci_magics.activation.segments.customer_insights.source import Insights
from ci_magics.workspace.models import UserRole
from ci_magics.workspace.store import Workspace, open_workspace

# How long an example takes says more about the machine's other work than about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@dataclass(eq=False)
class RunningEmulator:
    """A running emulator and its control calls."""

    base_url: str
    access_token: str
    refresh_token: str
    developer_token: str
    customer_id: str
    account_id: str
    control_token: str
    insights_token: str
    subscription_key: str
    instance_id: str
    session: requests.Session = field(default_factory=requests.Session)

    def headers(self, **changes: str | None) -> dict[str, str]:
        headers: dict[str, str | None] = {
            "Authorization": f"Bearer {self.access_token}",
            "DeveloperToken": self.developer_token,
            "CustomerId": self.customer_id,
            "CustomerAccountId": self.account_id,
            "Content-Type": "application/json",
        }
        headers |= {name.replace("_", "-"): value for name, value in changes.items()}
        return {name: value for name, value in headers.items() if value is not None}

    def call(self, method: str, path: str, body: Any, **changes: str | None) -> requests.Response:
        data = body if isinstance(body, str | bytes) else json.dumps(body)
        return self.session.request(
            method, f"{self.base_url}{path}", data=data, headers=self.headers(**changes), allow_redirects=False
        )

    def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.session.request(
            method, f"{self.base_url}/_emulator{path}", json=body, headers={"X-Control-Token": self.control_token}
        )
        assert answer.status_code == 200, answer.text
        return answer.text if path.endswith("/members") else answer.json()

    def insights(self, path: str, method: str = "GET", **options: Any) -> requests.Response:
        """Ask Customer Insights for something below the instance, or an address that it handed out."""
        url = path if path.startswith("http") else f"{self.base_url}/v1/instances/{self.instance_id}{path}"
        headers = {"Authorization": f"Bearer {self.insights_token}", "Ocp-Apim-Subscription-Key": self.subscription_key}
        return self.session.request(method, url, headers=headers | options.pop("headers", {}), **options)

    def renew(self) -> None:
        """Take new tokens: those of an earlier test may have expired."""
        for name, value in self.control("POST", "/credentials", {}).items():
            setattr(self, name, value)

    def fault(self, operation: str, name: str, call: int = 1, **details: Any) -> None:
        """Let a call of an operation go wrong, counted from now on."""
        self.control("POST", "/faults", [{"operation": operation, "call": call, "fault": name, **details}])

    def audiences(self) -> dict[str, dict[str, Any]]:
        return {each["Name"]: each for each in self.control("GET", "/audiences") if not each["deleted"]}

    def members(self, name: str) -> set[str]:
        return set(self.control("GET", f"/audiences/{self.audiences()[name]['Id']}/members").split())

    def operations(self) -> list[str]:
        return [each["operation"] for each in self.control("GET", "/requests?since=0")]


@contextmanager
def running_emulator(*options: str) -> Iterator[RunningEmulator]:
    process, running = start_emulator("--until-stdin-closes", *options)
    yield running
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=20) == 0


def start_emulator(*options: str) -> tuple[subprocess.Popen[bytes], RunningEmulator]:
    process = subprocess.Popen(
        [sys.executable, "-m", "ci_magics.emulator", "--port", "0", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    known = json.loads(process.stdout.readline())
    running = RunningEmulator(**{name: known[name] for name in RunningEmulator.__dataclass_fields__ if name in known})
    running.session.trust_env = False
    return process, running


@pytest.fixture(scope="session")
def emulator_process() -> Iterator[RunningEmulator]:
    with running_emulator() as running:
        yield running


@pytest.fixture
def another_emulator() -> Iterator[RunningEmulator]:
    """A second emulator, which knows nothing of the first."""
    with running_emulator() as running:
        yield running


@pytest.fixture
def emulator(emulator_process: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> RunningEmulator:
    """A fresh emulator, which connections of this test use."""
    emulator_process.control("POST", "/reset")
    emulator_process.renew()
    monkeypatch.setenv("CI_MAGICS_EMULATOR", emulator_process.base_url)
    return emulator_process


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited for; none of them passes."""
    seconds: list[float] = []
    monkeypatch.setattr("ci_magics.clock.SystemClock.sleep", lambda _clock, wait: seconds.append(wait))
    return seconds


@pytest.fixture(autouse=True)
def _workspace_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that opens the default workspace never finds the one of whoever runs the tests."""
    monkeypatch.setenv("CI_MAGICS_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def workspace(_workspace_of_its_own: None) -> Workspace:
    """An empty workspace, which is also the default one."""
    return open_workspace()


@pytest.fixture
def source(emulator: RunningEmulator, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Insights:
    """Contoso's instance of Customer Insights, signed in to."""
    monkeypatch.setenv("CI_MAGICS_SUBSCRIPTION_KEY", emulator.subscription_key)
    return ci.insights("Contoso", workspace=workspace)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """What the system's keyring holds, which is one of this test."""
    backend = MemoryKeyring()
    monkeypatch.setattr("keyring.core._keyring_backend", backend)
    return backend.kept


@pytest.fixture
def as_user(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Workspace]:
    """Go on as somebody else, in a role that an administrator gives; returns the workspace as that person sees it."""

    def become(user: str, role: str | None = None) -> Workspace:
        if role is not None:
            workspace.roles.put(UserRole(user, role, workspace.user, datetime.now(UTC)))
        monkeypatch.setenv("JUPYTERHUB_USER", user)
        return open_workspace()

    return become
