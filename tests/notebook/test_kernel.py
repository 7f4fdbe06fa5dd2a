"""A real kernel: the stop button, a restart, and two notebooks in one workspace."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

if TYPE_CHECKING:
    from conftest import RunningEmulator

_PATIENCE = 120
CONNECT = '%ci_connect "Contoso EU" --customer-id 222 --account-id 111 --agree --accept-terms --quiet'
SEGMENT = """%load_ext ci_magics
import pandas as pd
people = pd.DataFrame({"Id": range(3_000), "EMail": [f"p{number}@contoso.com" for number in range(3_000)]})
%ci_segment All people --quiet"""


class Kernel:
    """A kernel and its client."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client

    def run(self, cell: str, seen: Callable[[dict[str, Any]], None] = lambda _message: None) -> dict[str, Any]:
        """Run a cell and return the reply; `seen` gets every message that the cell sends."""
        reply = self.client.execute_interactive(cell, timeout=_PATIENCE, output_hook=seen)
        return dict(reply["content"])

    def shown(self, cell: str) -> str:
        """Run a cell that must succeed, and return what it shows as text."""
        texts: list[str] = []
        content = self.run(cell, lambda message: texts.append(_text(message)))
        assert content["status"] == "ok", content
        return "".join(texts)

    def complete(self, cell: str) -> list[str]:
        """Return the completions at the end of a cell."""
        return list(self.client.complete(cell, reply=True, timeout=_PATIENCE)["content"]["matches"])


def _text(message: dict[str, Any]) -> str:
    content = message["content"]
    return str(content.get("text", "") or content.get("data", {}).get("text/plain", ""))


@pytest.fixture
def start(emulator: RunningEmulator, tmp_path: Path) -> Iterator[Callable[[], Kernel]]:
    """Return a function that starts kernels in one workspace."""
    places = {"CI_MAGICS_WORKSPACE": str(tmp_path / "workspace"), "IPYTHONDIR": str(tmp_path / "ipython")}
    environment = {**os.environ, **places, "CI_MAGICS_EMULATOR": emulator.base_url}
    kernels: list[Kernel] = []

    def started() -> Kernel:
        kernels.append(Kernel(*start_new_kernel(kernel_name="python3", env=environment)))
        return kernels[-1]

    yield started
    for kernel in kernels:
        kernel.client.stop_channels()
        kernel.manager.shutdown_kernel(now=True)


@pytest.mark.slow
def test_stop_button_ends_a_push_and_the_run_can_be_resumed(
    start: Callable[[], Kernel], emulator: RunningEmulator
) -> None:
    kernel = start()
    kernel.shown(f"{SEGMENT}\n{CONNECT}")
    emulator.control("POST", "/settings", {"delay_ms": 1_500})
    interrupted: list[str] = []

    def stop_at_first_sign(message: dict[str, Any]) -> None:
        if message["msg_type"] == "display_data" and not interrupted:
            interrupted.append(_text(message))
            kernel.manager.interrupt_kernel()

    content = kernel.run('%ci_export All --to "Contoso EU"', stop_at_first_sign)
    assert interrupted, "no progress was shown"
    assert content["status"] == "error"
    assert content["ename"] == "ExportStoppedError"
    assert "%ci_runs resume " in content["evalue"]
    assert len(content["traceback"]) == 1
    emulator.control("POST", "/settings", {"delay_ms": 0})
    (run,) = kernel.complete("%ci_export --resume ")
    assert run in content["evalue"]
    assert "Export Completed" in kernel.shown(f"%ci_export --resume {run}")
    assert len(emulator.members("All")) == 3_000


@pytest.mark.slow
def test_restart_keeps_segments_and_runs(start: Callable[[], Kernel]) -> None:
    kernel = start()
    # A new name: a request that the stop button interrupted may still arrive at the emulator.
    kernel.shown(f"{SEGMENT}\n%ci_segment Kept people --quiet\n{CONNECT}")
    kernel.shown('%ci_export Kept --to "Contoso EU" --save Weekly --run --quiet')
    kernel.manager.restart_kernel(now=True)
    kernel.client.wait_for_ready(timeout=_PATIENCE)
    kernel.shown("%load_ext ci_magics\nimport ci_magics as ci")
    assert "Completed" in kernel.shown("%ci_status Kept")
    assert kernel.complete("%ci_preview ")[:2] == ["All", "Kept"]
    assert kernel.shown("ci.open_workspace().store.exports.names()") == "['Weekly']"


@pytest.mark.slow
def test_two_notebooks_share_one_workspace(start: Callable[[], Kernel]) -> None:
    one, two = start(), start()
    two.shown("%load_ext ci_magics")
    one.shown(SEGMENT)
    assert two.complete("%ci_preview ")[0] == "All"
    two.shown(CONNECT)
    assert one.complete("%ci_preview All --to ") == ['"Contoso EU"']
