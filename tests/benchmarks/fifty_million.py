"""Fifty million profiles from Parquet files to ``Completed``, in bounded memory.

``python tests/benchmarks/fifty_million.py [--profiles 50000000] [--folder /tmp]``

The peak memory is that of the exporting process, without the emulator. Needs about a fifth of a gigabyte of
disk for each million profiles.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import polars as pl
from measuring import memory, peak

import ci_magics as ci
from ci_magics.activation.run import Run

_FILE_ROWS = 2_000_000


def main() -> int:
    """Print seconds and peak memory of each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profiles", type=int, default=50_000_000)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        os.environ["CI_MAGICS_WORKSPACE"] = str(folder / "workspace")
        size = write_profiles(folder, options.profiles)
        print(f"{options.profiles:,} profiles in {size / 1e9:.1f} GB of Parquet; {memory():,.0f} MB before it begins")
        export(folder)
    return 0


def export(folder: Path) -> None:
    """Make the segment and export it, watching memory."""
    ci.connect("Contoso EU", customer_id="222", account_id="111", agree=True, accept_terms=True)
    with watched("segment"):
        ci.segment("Everybody", folder / "part-*.parquet")
    with watched("preview"):
        coverage = ci.preview("Everybody")
    print(coverage)
    with watched("export"):
        run = ci.export("Everybody", to="Contoso EU")
    if not isinstance(run, Run) or run.status != "Completed":
        raise SystemExit(f"The export ended with {run!r}.")
    print(run)
    print(f"highest of all: {peak():,.0f} MB")


def write_profiles(folder: Path, profiles: int) -> int:
    """Write profiles by number, one in a hundred without an address; returns the bytes written."""
    for part, start in enumerate(range(0, profiles, _FILE_ROWS)):
        ids = pl.Series("CustomerId", range(start, min(start + _FILE_ROWS, profiles)), pl.Int64)
        email = pl.format("first.last{}@mail{}.example.com", pl.col("CustomerId"), pl.col("CustomerId") % 40)
        frame = ids.to_frame().with_columns(
            pl.when(pl.col("CustomerId") % 100 != 7).then(email).alias("EMail"),
            (pl.col("CustomerId") % 1_000).alias("TotalSpend"),
        )
        frame.write_parquet(folder / f"part-{part:03d}.parquet", row_group_size=250_000)
    return sum(path.stat().st_size for path in folder.glob("part-*.parquet"))


class watched:  # noqa: N801 - used like a function
    """Print how long a step takes and how much memory it takes at most."""

    def __init__(self, step: str) -> None:
        self._step = step
        self._highest = 0.0
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._began = time.perf_counter()
        self._watcher.start()

    def __exit__(self, *_error: object) -> None:
        self._done.set()
        self._watcher.join()
        print(f"{self._step}: {time.perf_counter() - self._began:,.1f} s, at most {self._highest:,.0f} MB")

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            self._highest = max(self._highest, memory())


if __name__ == "__main__":
    sys.exit(main())
