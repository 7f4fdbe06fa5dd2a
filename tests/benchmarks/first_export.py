"""From a pandas DataFrame to ``Completed`` on the emulator, step by step.

``python tests/benchmarks/first_export.py [--profiles 500000] [--runs 5]``
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from measuring import median, peak, seconds

import ci_magics as ci
from ci_magics.activation.run import Run
from ci_magics.sample import customers

Times = dict[str, float]


def main() -> int:
    """Print the median of each step's time, in seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profiles", type=int, default=500_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    frame = customers(options.profiles)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CI_MAGICS_WORKSPACE"] = str(Path(folder) / "workspace")
        ci.connect("Contoso EU", customer_id="222", account_id="111", agree=True, accept_terms=True)
        measured = [one_export(frame, f"Run {number}") for number in range(options.runs)]
    report(options.profiles, measured)
    return 0


def one_export(frame: pd.DataFrame, name: str) -> Times:
    """Make a segment of the frame and export it to a new audience."""
    times: Times = {}
    timed(times, "segment", lambda: ci.segment(name, frame))
    timed(times, "preview", lambda: ci.preview(name, to="Contoso EU"))
    run = timed(times, "export", lambda: ci.export(name, to="Contoso EU", ignore_consent=True))
    if not isinstance(run, Run) or run.status != "Completed":
        raise SystemExit(f"The export ended with {run!r}.")
    times["segment and export"] = times["segment"] + times["export"]
    return times


def timed(times: Times, step: str, work: Callable[[], Any]) -> Any:
    """Record how long a step takes."""
    times[step], result = seconds(work)
    return result


def report(profiles: int, measured: list[Times]) -> None:
    """Print minimum, median and maximum of each step."""
    print(f"{profiles:,} profiles from pandas, emulator without delay, {len(measured)} runs, seconds")
    print(f"{'step':<20}{'min':>8}{'median':>8}{'max':>8}")
    for step in measured[0]:
        values = [each[step] for each in measured]
        print(f"{step:<20}{min(values):8.2f}{median(values):8.2f}{max(values):8.2f}")
    print(f"peak memory of this process {peak():,.0f} MB")


if __name__ == "__main__":
    sys.exit(main())
