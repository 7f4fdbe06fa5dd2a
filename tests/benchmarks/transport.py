"""Single calls or a bulk file: from how many hashes on is the file the quicker way?

``python tests/benchmarks/transport.py [--delay-ms 300]``

The emulator answers each request after a delay, as a far-away service does.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import contoso
from conftest import RunningEmulator, running_emulator
from measuring import median

from ci_magics.activation.plans import planner

SIZES = (1_000, 2_000, 4_000, 8_000, 12_000, 20_000, 40_000)
_RUNS = 5


def main() -> int:
    """Print seconds by size and way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay-ms", type=int, nargs="*", default=[0, 100, 300])
    options = parser.parse_args()
    with running_emulator() as emulator, tempfile.TemporaryDirectory() as folder:
        os.environ["CI_MAGICS_EMULATOR"] = emulator.base_url
        for delay in options.delay_ms:
            print(f"delay of {delay} ms a request, medians of {_RUNS}, seconds")
            print(f"{'hashes':>8}{'calls':>10}{'file':>10}")
            for size in SIZES:
                by_calls = seconds(emulator, size, delay, Path(folder), at_most=10**9)
                by_file = seconds(emulator, size, delay, Path(folder), at_most=0)
                print(f"{size:>8,}{by_calls:>10.2f}{by_file:>10.2f}")
    return 0


def seconds(emulator: RunningEmulator, size: int, delay: int, folder: Path, *, at_most: int) -> float:
    """Return the median time of adding people to an audience that exists."""
    planner.APPLY_AT_MOST = at_most
    times = []
    for _ in range(_RUNS):
        os.environ["CI_MAGICS_WORKSPACE"] = str(folder / uuid.uuid4().hex)
        emulator.control("POST", "/reset")
        contoso.connect()
        contoso.foreign_list(emulator)
        contoso.segment(size)
        plan = contoso.planned("All", mode="add")
        emulator.control("POST", "/settings", {"delay_ms": delay})
        started = time.perf_counter()
        plan.apply()
        times.append(time.perf_counter() - started)
        emulator.control("POST", "/settings", {"delay_ms": 0})
    return median(times)


if __name__ == "__main__":
    sys.exit(main())
