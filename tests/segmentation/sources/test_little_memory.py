"""If memory is short, rows with addresses are never written to disk: a source that does not fit is refused.

Each case runs in a process that cannot write a single byte to a file (``RLIMIT_FSIZE``) and that is told it has
little memory. A library that wrote to disk would fail, or die.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from ci_magics.in_memory import is_streamable

pytestmark = pytest.mark.slow

ROWS = 1_500_000
#: How each source is read; the number of rows that remain, or the code of the error.
READINGS: dict[str, tuple[str, str]] = {
    "a condition on a frame": ("list(read_columns(people(), ['EMail'], 'Id > 10').read(['EMail']))", str(ROWS - 11)),
    "a condition on a file": ("list(read_columns(str(file), ['EMail'], 'Id > 10').read(['EMail']))", str(ROWS - 11)),
    "a whole file": ("list(read_columns(str(file), ['EMail'], None).read(['EMail']))", str(ROWS)),
    "a query of a file": (
        "list(query(f\"SELECT * FROM '{file}' WHERE Id > 10\", {}, {}).read(['EMail']))",
        str(ROWS - 11),
    ),
    "a sorted query": (
        "list(query(f\"SELECT * FROM '{file}' ORDER BY EMail DESC\", {}, {}).read(['EMail']))",
        "out_of_memory",
    ),
    "a sorted query of a frame": (
        "list(query('SELECT * FROM people ORDER BY EMail DESC', {'people': people()}, {}).read(['EMail']))",
        "out_of_memory",
    ),
    "a grouped query": (
        "list(query(f\"SELECT EMail, count(*) AS n FROM '{file}' GROUP BY EMail\", {}, {}).read(['EMail']))",
        "out_of_memory",
    ),
    "a lazy frame": ("list(read_columns(pl.scan_parquet(file), ['EMail'], None).read(['EMail']))", str(ROWS)),
    "a sorted lazy frame": (
        "list(read_columns(pl.scan_parquet(file).sort('EMail'), ['EMail'], None).read(['EMail']))",
        str(ROWS),
    ),
    "a lazy frame in memory": ("list(read_columns(people().lazy(), ['EMail'], None).read(['EMail']))", str(ROWS)),
    "normalization": ("ci_magics.normalize(people()['EMail'], normalization='both').to_batches()", str(ROWS)),
}
PROGRAM = """
import os, pathlib, resource, signal, sys
import polars as pl
file = pathlib.Path(sys.argv[1])
import ci_magics, ci_magics.memory
from ci_magics.errors import CiError
from ci_magics.segmentation.sources.queries import query, read_columns
ci_magics.memory.memory_limit = lambda root=None: 80 * 2**20
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
def people():
    return pl.read_parquet(file)
try:
    print(sum(each.num_rows for each in READING))
except CiError as error:
    print(error.code)
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("people") / "people.parquet"
    numbers = pl.int_range(ROWS, eager=True)
    mail = pl.concat_str(pl.lit("somebody"), (numbers * 7919 % 1_000_003).cast(pl.String), pl.lit("@contoso.com"))
    pl.DataFrame({"Id": numbers}).with_columns(EMail=mail).write_parquet(path, row_group_size=50_000)
    return path


@pytest.mark.parametrize("reading", READINGS)
def test_nothing_is_written_if_memory_is_short(tmp_path: Path, file: Path, reading: str) -> None:
    work, expected = READINGS[reading]
    environment = {**os.environ, "POLARS_OVERRIDE_TOTAL_MEMORY_MB": "60", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", PROGRAM.replace("READING", work), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert (done.stdout.strip(), done.returncode) == (expected, 0), done.stderr[-2_000:]
    assert list(tmp_path.iterdir()) == []


def test_only_plans_that_stream_rows_are_accepted(file: Path) -> None:
    scan = pl.scan_parquet(file)
    for frame in (
        scan,
        scan.select("EMail"),
        scan.filter(pl.col("Id") > 5),
        scan.select(pl.col("EMail").str.to_uppercase()),
    ):
        assert is_streamable(frame)
    for frame in (
        scan.sort("EMail"),
        scan.unique(),
        scan.join(scan, on="Id"),
        scan.group_by("EMail").len(),
        scan.select(pl.col("Id").rank()),
        scan.select(pl.col("Id").sum().over("EMail")),
        scan.select(pl.col("EMail").reverse()),
        scan.collect().lazy(),
        pl.concat([scan, scan]).tail(5),
    ):
        assert not is_streamable(frame)
