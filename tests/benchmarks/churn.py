"""Mirror a large audience in which two percent change: only the difference is sent.

``python tests/benchmarks/churn.py [--profiles 5000000] [--churn 0.02]``

Each export runs in its own process, so that each has its own peak of memory; what a process weighs before it
begins, the frame included, is taken off.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from measuring import in_its_own_process, peak

import ci_magics as ci
from ci_magics.activation.run import Run


@dataclass(frozen=True)
class Measured:
    """One export: seconds for segment and export, megabytes above the start, hashes added and removed."""

    segment: float
    export: float
    megabytes: float
    added: int
    removed: int


def main() -> int:
    """Print both exports and how they compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profiles", type=int, default=5_000_000)
    parser.add_argument("--churn", type=float, default=0.02)
    options = parser.parse_args()
    changed = round(options.profiles * options.churn)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CI_MAGICS_WORKSPACE"] = str(Path(folder) / "workspace")
        ci.connect("Contoso EU", customer_id="222", account_id="111", agree=True, accept_terms=True)
        first = in_its_own_process(measure, options.profiles, 0)
        second = in_its_own_process(measure, options.profiles, changed)
    print(f"{options.profiles:,} profiles, {changed:,} leave and {changed:,} come")
    print(f"{'':<14}{'segment s':>10}{'export s':>10}{'peak MB':>10}{'added':>12}{'removed':>10}")
    for name, each in (("first export", first), ("mirror", second)):
        print(
            f"{name:<14}{each.segment:10.2f}{each.export:10.2f}{each.megabytes:10,.0f}"
            f"{each.added:12,}{each.removed:10,}"
        )
    print(f"peak of the mirror / peak of the first export: {second.megabytes / first.megabytes:.2f}")
    return 0


def measure(profiles: int, start: int) -> Measured:
    """Make the segment of some profiles, export it, and return what that took."""
    frame = people(profiles, start)
    before = peak()
    began = time.perf_counter()
    ci.segment("All", frame, show=lambda _sentence: None)
    made = time.perf_counter()
    run = ci.export("All", to="Contoso EU")
    done = time.perf_counter()
    if not isinstance(run, Run) or run.status != "Completed":
        raise SystemExit(f"The export ended with {run!r}.")
    (result,) = run.results
    return Measured(made - began, done - made, peak() - before, result.added, result.removed)


def people(count: int, start: int) -> pl.DataFrame:
    """Return people by number; those of neighboring starts are mostly the same."""
    ids = pl.Series("Id", range(start, start + count), pl.Int64)
    return ids.to_frame().with_columns(pl.format("person{}@contoso.com", pl.col("Id")).alias("EMail"))


if __name__ == "__main__":
    sys.exit(main())
