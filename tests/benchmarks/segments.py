"""Segments of a small table and of a big file: the seconds and megabytes of each way to make and compare them.

``python tests/benchmarks/segments.py [--profiles 5000000]``

The small table has the shape of Microsoft's public sample of contacts: 5,000 rows in CSV. The big one is a Parquet
file, written row group by row group. Each step runs in its own process, so that each has its own peak of memory;
what a process weighs before it begins is taken off.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1]))  # where the invented contacts are

from contacts import contacts

import ci_magics as ci

GROUP = 250_000
STEPS: dict[str, Callable[[str], Any]] = {
    "segment, all": lambda file: ci.segment("All", file, show=silent),
    "segment, where": lambda file: ci.segment("Big", file, where="Income > 60000", show=silent),
    "segment, rule": lambda file: ci.segment("Dutch", file, rule="Country equals NL", show=silent),
    "segment, SQL": lambda file: ci.segment("Old", f"FROM '{file}' WHERE DateOfBirth < '1960-01-01'", show=silent),
    "segment, algebra": lambda _file: ci.segment("Mix", rule="'Big' and 'Dutch' and not 'Old'", show=silent),
    "quick, category": lambda file: ci.quick_segments(file, "Occupation"),
    "quick, number": lambda file: ci.quick_segments(file, "Income"),
    "quick, all different": lambda file: ci.quick_segments(file, "Telephone"),
    "rule counts": lambda file: ci.inspect_rules(file, "Country equals NL and Income > 60000"),
    "overlap": lambda _file: ci.overlap("Big", "Dutch"),
    "differentiators": lambda file: ci.differentiators("Big", "Dutch", file),
}


def main() -> int:
    """Print what each step took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profiles", type=int, default=5_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        small, big = Path(folder) / "contacts.csv", Path(folder) / "contacts.parquet"
        in_its_own_process(write, small, big, options.profiles)
        for path, count in ((small, 5_000), (big, options.profiles)):
            os.environ["CI_MAGICS_WORKSPACE"] = str(Path(folder) / f"workspace-{count}")
            print(f"\n{count:,} contacts, {path.suffix[1:]}, {path.stat().st_size / 1e6:,.0f} MB")
            print(f"{'':<22}{'seconds':>9}{'peak MB':>10}")
            for name in STEPS:
                seconds, megabytes = in_its_own_process(measure, name, str(path))
                print(f"{name:<22}{seconds:9.2f}{megabytes:10,.0f}", flush=True)
    return 0


def table(start: int, count: int) -> pa.Table:
    """Return contacts as Arrow."""
    return contacts(count, start).to_arrow(compat_level=pl.CompatLevel.oldest())


def in_its_own_process(work: Callable[..., tuple[float, float]], *what: Any) -> tuple[float, float]:
    """Do a piece of work and return its seconds and megabytes; a process begins with the peak of the one before it."""
    with mp.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, what)


def write(small: Path, big: Path, profiles: int) -> tuple[float, float]:
    """Write both files."""
    began = time.perf_counter()
    contacts(5_000).write_csv(small)
    with pq.ParquetWriter(big, table(0, 1).schema) as writer:
        for start in range(0, profiles, GROUP):
            writer.write_table(table(start, min(GROUP, profiles - start)))
    return time.perf_counter() - began, peak()


def measure(step: str, file: str) -> tuple[float, float]:
    """Do a step and return what it took."""
    ci.segment("Warm", contacts(10), show=silent)  # so that imports are not measured
    before, began = peak(), time.perf_counter()
    STEPS[step](file)
    return time.perf_counter() - began, peak() - before


def silent(_sentence: str) -> None:
    """Print nothing."""


def peak() -> float:
    """Return the most memory that this process has taken so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
