"""The emulator in its own process, and a workspace for each test."""

from __future__ import annotations

import functools
import json
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from fakes import MemoryKeyring
from hypothesis import settings
from run_settings import compile_statements_once, do_not_wait_for_the_disk, examples, share_the_machine

share_the_machine()  # before anything imports Polars
do_not_wait_for_the_disk()
compile_statements_once()

import ci_magics as ci  # noqa: E402
from ci_magics.activation.segments.customer_insights.source import Insights  # noqa: E402
from ci_magics.advice import Reader, set_reader  # noqa: E402
from ci_magics.workspace.access import current_user  # noqa: E402
from ci_magics.workspace.models import UserRole  # noqa: E402
from ci_magics.workspace.store import Workspace, open_workspace  # noqa: E402

# The duration of an example depends more on other processes than on the code.
settings.register_profile("ours", deadline=None, max_examples=examples(100))
settings.load_profile("ours")

HERE = Path(__file__).parent
#: Of a matrix of cases, every eighth one runs with the fast tests, the others with the slow ones.
SAMPLED = 8
#: What `pytest -m quick` runs: rules and plain functions, without processes, databases and kernels.
QUICK = (
    "display",
    "grammar/test_arguments.py",
    "grammar/test_mistakes.py",
    "grammar/test_words.py",
    "matching",
    "microsoft/test_answers.py",
    "microsoft/test_codes.py",
    "microsoft/test_endpoints.py",
    "microsoft/test_result_file.py",
    "microsoft/test_sign_in_errors.py",
    "microsoft/test_upload_file.py",
    "microsoft/test_zip_file.py",
    "activation/exports/test_schedule.py",
    "activation/exports/test_time_zones.py",
    "segmentation/consent/test_consent_headers.py",
    "segmentation/consent/test_consent_states.py",
    "segmentation/consent/test_consent_values.py",
    "segmentation/quick",
    "segmentation/rules",
    "segmentation/test_columns.py",
    "segmentation/test_key_text.py",
    "segmentation/test_keys.py",
    "segmentation/test_near_values.py",
    "segmentation/test_parameters.py",
    "segmentation/test_slips.py",
    "segmentation/test_where.py",
    "test_house.py",
    "test_stored_database_address.py",
)


@functools.cache
def _is_quick(path: Path) -> bool:
    return any((HERE / each) in (path, *path.parents) for each in QUICK)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import other tests if only quick ones are selected."""
    asked = config.option.markexpr == "quick" and collection_path.is_file()
    return True if asked and not _is_quick(collection_path) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is quick; mark as slow the notebooks, which each start a kernel, and most cases of a matrix."""
    cases: Counter[str] = Counter()
    for each in items:
        if each.path.suffix == ".ipynb":
            each.add_marker("slow")
        if each.get_closest_marker("matrix") is not None:
            test = each.nodeid.partition("[")[0]
            if cases[test] % SAMPLED:
                each.add_marker("slow")
            cases[test] += 1
        if _is_quick(each.path) and each.get_closest_marker("slow") is None:
            each.add_marker("quick")


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
        """Send a request to Customer Insights, for a path below the instance or for a URL that it returned."""
        url = path if path.startswith("http") else f"{self.base_url}/v1/instances/{self.instance_id}{path}"
        headers = {"Authorization": f"Bearer {self.insights_token}", "Ocp-Apim-Subscription-Key": self.subscription_key}
        return self.session.request(method, url, headers=headers | options.pop("headers", {}), **options)

    def renew(self) -> None:
        """Get new tokens, because those of an earlier test may have expired."""
        for name, value in self.control("POST", "/credentials", {}).items():
            setattr(self, name, value)

    def fault(self, operation: str, name: str, call: int = 1, **details: Any) -> None:
        """Let a call of an operation fail, counted from now on."""
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
        [sys.executable, "-m", "ci_magics.emulation", "--port", "0", *options],
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
    """A second emulator, which is independent of the first."""
    with running_emulator() as running:
        yield running


@pytest.fixture
def emulator(emulator_process: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> RunningEmulator:
    """The emulator after a reset, which the connections of this test use."""
    emulator_process.control("POST", "/reset")
    emulator_process.renew()
    monkeypatch.setenv("CI_MAGICS_EMULATOR", emulator_process.base_url)
    return emulator_process


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds that the client waits for; no time really passes."""
    seconds: list[float] = []
    monkeypatch.setattr("ci_magics.clock.SystemClock.sleep", lambda _clock, wait: seconds.append(wait))
    return seconds


@pytest.fixture(autouse=True)
def _reads_as_python() -> Iterator[None]:
    """Word advice as in Python, even after a test of a notebook or command."""
    yield
    set_reader(Reader.PYTHON)


@pytest.fixture(autouse=True)
def _workspace_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protect the default workspace of the user who runs the tests."""
    monkeypatch.setenv("CI_MAGICS_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@functools.cache
def _empty_database(user: str) -> bytes:
    """Return the database of a newly created workspace."""
    with tempfile.TemporaryDirectory() as folder:
        assert open_workspace(folder).user == user
        database = sqlite3.connect(Path(folder) / "workspace.sqlite")
        try:
            return database.serialize()
        finally:
            database.close()


@pytest.fixture
def workspace(_workspace_of_its_own: None, tmp_path: Path) -> Workspace:
    """An empty workspace, which is also the default one; it is copied, because creating tables is slow."""
    folder = tmp_path / "workspace"
    if not folder.exists():  # another fixture may have opened it
        folder.mkdir(mode=0o700)
        (folder / "workspace.sqlite").touch(mode=0o600)
        (folder / "workspace.sqlite").write_bytes(_empty_database(current_user()))
    return open_workspace()


@pytest.fixture
def source(emulator: RunningEmulator, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Insights:
    """A signed-in instance of Customer Insights."""
    monkeypatch.setenv("CI_MAGICS_SUBSCRIPTION_KEY", emulator.subscription_key)
    return ci.insights("Contoso", workspace=workspace, show=print)


@pytest.fixture
def keyring_content(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """Return the content of the keyring, which is a fake for this test."""
    backend = MemoryKeyring()
    monkeypatch.setattr("keyring.core._keyring_backend", backend)
    return backend.content


@pytest.fixture
def as_user(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Workspace]:
    """Return a function that switches to a user, optionally with a new role, and returns their workspace."""

    def become(user: str, role: str | None = None) -> Workspace:
        if role is not None:
            workspace.roles.put(UserRole(user, role, workspace.user, datetime.now(UTC)))
        monkeypatch.setenv("JUPYTERHUB_USER", user)
        return open_workspace()

    return become
