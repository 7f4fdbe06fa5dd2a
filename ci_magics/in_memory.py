"""How Polars works on addresses: never with its streaming engine where that may put rows on disk.

The streaming engine, which is the default since Polars 2, puts what does not fit into memory into a folder for
temporary files, readable for others, and leaves it there when it is killed. The other engine never does. Only a plan
that lets rows pass by, keeping none, is left to the streaming engine: a source of any size fits into memory then.
"""

from __future__ import annotations

import re
from typing import Final, Literal

import polars as pl

IN_MEMORY: Final[Literal["in-memory"]] = "in-memory"

#: What a line of a plan begins with that keeps no rows.
_PASSES = re.compile(
    r"(?:PARQUET SCAN|CSV SCAN|NDJSON SCAN|IPC SCAN|PROJECT|SELECT|SELECTION:|FILTER|FROM|WITH_COLUMNS:?|SIMPLE π|"
    r"ESTIMATED ROWS|\[|\])",
    re.IGNORECASE,
)
#: What an expression does that needs other rows than its own.
_KEEPS = re.compile(
    r"over|sort|unique|join|agg|group|rank|window|arg_|reverse|shuffle|sample|cum_|rolling|implode|mode"
)


def passes_by(frame: pl.LazyFrame) -> bool:
    """Tell whether a plan keeps no rows: it reads files, chooses rows and columns, and nothing else."""
    lines = [line.strip() for line in frame.explain(optimized=True).splitlines() if line.strip()]
    return all(_PASSES.match(line) and not _KEEPS.search(line) for line in lines)
