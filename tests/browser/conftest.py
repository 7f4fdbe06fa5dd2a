"""JupyterLab in a real browser: a separate server, Debian's Chromium, and no requests to other hosts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
import requests
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
expect.set_options(timeout=60_000)  # a machine may be slow or busy
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_KERNEL_IS_IDLE = """() => {
  const widget = window.jupyterapp?.shell?.currentWidget;
  return !!widget?.context?.isReady && widget.sessionContext?.session?.kernel?.status === 'idle';
}"""


@dataclass
class Lab:
    """A running JupyterLab, opened in a browser."""

    base_url: str
    folder: Path
    browser: Browser

    def open(self, name: str, *cells: str) -> Page:
        """Write a notebook, open it, and wait until its kernel is ready."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.folder / f"{name}.ipynb")
        page = self.browser.new_page(viewport={"width": 1200, "height": 1000})
        page.problems = []  # type: ignore[attr-defined]  # for the test to check
        page.on("pageerror", lambda error: page.problems.append(str(error)))  # type: ignore[attr-defined]
        page.on("request", lambda request: self._note_foreign(page, request.url))
        page.goto(f"{self.base_url}/lab/tree/{name}.ipynb?reset")
        self.wait_for_kernel(page)
        return page

    def wait_for_kernel(self, page: Page) -> None:
        """Wait until the current notebook is loaded and its kernel is idle."""
        page.wait_for_function(_KERNEL_IS_IDLE, timeout=60_000)

    def run_all(self, page: Page) -> None:
        """Run all cells and wait for the last one."""
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")

    def _note_foreign(self, page: Any, url: str) -> None:
        if not url.startswith((self.base_url, self.base_url.replace("http", "ws", 1), "data:", "blob:")):
            page.problems.append(f"asked for {url}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab"), browser) as running:
        yield running


@pytest.fixture(scope="session")
def start_lab(browser: Browser) -> Callable[..., AbstractContextManager[Lab]]:
    """Return a function that starts another JupyterLab with a folder and changes of its environment."""
    return lambda folder, **environment: running_lab(folder, browser, **environment)


@contextmanager
def running_lab(folder: Path, browser: Browser, **environment: str) -> Iterator[Lab]:
    """Start JupyterLab, which serves Notebook 7 too, with its own workspace."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        _command(folder, port),
        env=_environment(folder) | environment,
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    try:
        base_url = f"http://127.0.0.1:{port}"
        _wait_for(base_url, server)
        yield Lab(base_url, folder, browser)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=20)


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("CI_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _command(folder: Path, port: int) -> list[str]:
    return [
        sys.executable,
        "-m",
        "jupyter",
        "lab",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--allow-root",
        "--no-browser",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={folder}",
        "--IdentityProvider.token=",
        "--ServerApp.password=",
        "--ServerApp.disable_check_xsrf=True",
        "--LabApp.expose_app_in_browser=True",
        "--JupyterNotebookApp.expose_app_in_browser=True",
        "--LabApp.extension_manager=readonly",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]


def _environment(folder: Path) -> dict[str, str]:
    names = (
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_DATA_DIR",
        "JUPYTER_RUNTIME_DIR",
        "JUPYTERLAB_SETTINGS_DIR",
        "JUPYTERLAB_WORKSPACES_DIR",
        "IPYTHONDIR",
        "CI_MAGICS_WORKSPACE",
    )
    home = folder.parent / f"{folder.name}-home"
    settings = home / "jupyterlab_settings_dir" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    places = {name: str(home / name.lower()) for name in names}
    return {**os.environ, **places, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}


def _wait_for(base_url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, "JupyterLab ended"
        try:
            if requests.get(f"{base_url}/api/status", timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise TimeoutError
