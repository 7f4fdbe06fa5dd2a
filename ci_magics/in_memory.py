"""Choose the Polars engine so that addresses are never written to disk.

The streaming engine, the default since Polars 2, writes what does not fit into memory to a temporary folder that others
can read, and leaves it there if the process is killed. The in-memory engine never does. Only plans that hold no rows
use the streaming engine: with these, a source of any size fits into memory.
"""

from __future__ import annotations

import re
from typing import Final, Literal

import polars as pl

IN_MEMORY: Final[Literal["in-memory"]] = "in-memory"

#: How a line of a plan begins if the step holds no rows.
_PASSES = re.compile(
    r"(?:PARQUET SCAN|CSV SCAN|NDJSON SCAN|IPC SCAN|PROJECT|SELECT|SELECTION:|FILTER|FROM|WITH_COLUMNS:?|SIMPLE π|"
    r"ESTIMATED ROWS|\[|\])",
    re.IGNORECASE,
)
#: Parts of expressions that need other rows as well.
_KEEPS = re.compile(
    r"over|sort|unique|join|agg|group|rank|window|arg_|reverse|shuffle|sample|cum_|rolling|implode|mode"
)


def is_streamable(frame: pl.LazyFrame) -> bool:
    """Return whether a plan holds no rows: it only reads files and selects rows and columns."""
    lines = [line.strip() for line in frame.explain(optimized=True).splitlines() if line.strip()]
    return all(_PASSES.match(line) and not _KEEPS.search(line) for line in lines)
