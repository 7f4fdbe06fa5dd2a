"""How long a user waits for loading and Tab: ``python tests/benchmarks/manners.py [--runs 5]``.

Loading is the difference to an IPython that is started already. Completion goes through a real kernel's
``complete_request``, there and back.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

LOADING = """
import time
from traitlets.config import Config
from IPython.core.interactiveshell import InteractiveShell
config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell.instance(config=config)
began = time.perf_counter()
shell.run_cell("%load_ext ci_magics").raise_error()
print(time.perf_counter() - began)
"""
SETUP = """%load_ext ci_magics
from ci_magics.sample import customers as sample
customers = sample(2_000)
%ci_segment "Big spenders" customers --where "TotalSpend > 100" --quiet
%ci_connect "Contoso EU" --customer-id 222 --account-id 111 --agree --accept-terms --quiet"""
LINES = (
    "%ci_export --",
    "%ci_preview Big",
    '%ci_preview "Big',
    "%ci_segment New cust",
    "%ci_segment New customers --email E",
    '%ci_segment New customers --where "Tot',
    "%ci_export 'Big spenders' --to ",
    "x = %ci_preview ",
)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    load = [_loading() for _ in range(runs)]
    print(f"load average {os.getloadavg()[0]:.1f}, {runs} runs, medians (slowest)")
    print(f"{'%load_ext ci_magics':<44}{_both(load)}")
    with tempfile.TemporaryDirectory() as private:
        with _kernel(Path(private)) as client:
            _run(client, SETUP)
            for line in LINES:
                print(f"{line:<44}{_both([_complete(client, line)[0] for _ in range(runs)])}")
        for heading, pause in (("first Tab, at once after loading", 0.0), ("first Tab, a second after loading", 1.0)):
            first = [_first(Path(private), pause) for _ in range(runs)]
            told = sum('"Big spenders"' in offered for _seconds, offered in first)
            print(f"{heading:<44}{_both([seconds for seconds, _offered in first])}, stored names in {told} of {runs}")


def _first(private: Path, pause: float) -> tuple[float, list[str]]:
    """Return the first Tab of a new kernel in an existing workspace, which it opens."""
    with _kernel(private) as client:
        _run(client, "%load_ext ci_magics")
        time.sleep(pause)
        return _complete(client, "%ci_preview ")


def _both(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1000:>8.1f} ms ({max(seconds) * 1000:.1f})"


def _loading() -> float:
    return float(subprocess.run([sys.executable, "-c", LOADING], capture_output=True, text=True, check=True).stdout)


@contextmanager
def _kernel(private: Path) -> Iterator[BlockingKernelClient]:
    places = {"CI_MAGICS_WORKSPACE": str(private / "workspace"), "IPYTHONDIR": str(private / "ipython")}
    manager, client = start_new_kernel(kernel_name="python3", env={**os.environ, **places})
    try:
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _run(client: BlockingKernelClient, cell: str) -> None:
    reply = client.execute_interactive(cell, timeout=120, output_hook=lambda _message: None)
    if reply["content"]["status"] != "ok":
        raise SystemExit(f"{reply['content']['ename']}: {reply['content']['evalue']}")


def _complete(client: BlockingKernelClient, line: str) -> tuple[float, list[str]]:
    began = time.perf_counter()
    reply = client.complete(line, reply=True, timeout=60)
    took = time.perf_counter() - began
    if not reply["content"]["matches"]:
        raise SystemExit(f"nothing is offered for {line}")
    return took, reply["content"]["matches"]


if __name__ == "__main__":
    main()
