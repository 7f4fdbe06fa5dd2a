"""The same customers as a Spark DataFrame and as pandas: how long a segment takes, and that the outcome is the same.

``python tests/benchmarks/spark.py [--profiles 500000] [--runs 5]``

Spark runs as ``local[2]`` with the frame in its cache; the first segment of each kind is made before the clock starts.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

import ci_magics as ci
from ci_magics.sample import customers
from ci_magics.workspace.store import open_workspace

RULES = ("basic", "enhanced", "both")


def main() -> int:
    """Print seconds, and whether hashes and coverage are the same; 1 when they are not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profiles", type=int, default=500_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    frame = customers(options.profiles)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", value=False)
    spark = builder.config("spark.sql.shuffle.partitions", 4).config("spark.driver.memory", "2g").getOrCreate()
    on_spark = spark.createDataFrame(frame).repartition(4).cache()
    on_spark.count()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CI_MAGICS_WORKSPACE"] = str(Path(folder) / "workspace")
        took = {name: measured(name, each, options.runs) for name, each in (("pandas", frame), ("Spark", on_spark))}
        same = report(options.profiles, took)
    spark.stop()
    return 0 if same else 1


def measured(name: str, frame: Any, runs: int) -> list[float]:
    """Create the segment repeatedly, first without measuring; return seconds."""
    seconds = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        ci.segment(name, frame)
        seconds.append(time.perf_counter() - started)
    return seconds[1:]


def report(profiles: int, took: dict[str, list[float]]) -> bool:
    """Print the comparison; return whether the outcomes are the same."""
    print(f"{profiles:,} profiles, segment in the workspace, {len(took['Spark'])} runs after a first one, seconds")
    for name, seconds in took.items():
        print(f"{name:<8} min {min(seconds):6.2f}  median {statistics.median(seconds):6.2f}  max {max(seconds):6.2f}")
    same = []
    for rule in RULES:
        one, other = (ci.preview(name, normalization=rule).segments[0] for name in took)
        same.append(replace(one, name="") == replace(other, name=""))
        print(f"coverage, {rule:<9} {one.sendable:,} and {other.sendable:,} sendable: {said(same[-1])}")
    one_mark, other_mark = map(mark_of, took)
    same.append(one_mark == other_mark)
    print(f"keys, reasons and hashes, by key: {one_mark[:16]} and {other_mark[:16]}: {said(same[-1])}")
    return all(same)


def said(same: bool) -> str:
    """Return a verdict in words."""
    return "identical" if same else "DIFFERENT"


def mark_of(name: str) -> str:
    """Return a hash of everything stored of a segment, in the order of the keys."""
    workspace = open_workspace()
    table: pa.Table = workspace.snapshots.read(workspace.segments[name].id).sort_by("key").combine_chunks()
    mark = hashlib.sha256()
    for row in zip(*(table[column].to_pylist() for column in table.schema.names), strict=True):
        mark.update(repr(row).encode())
    return mark.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
