from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from ci_magics.errors import SegmentError
from ci_magics.segmentation.segment import build_segment
from ci_magics.segmentation.sources import rows as rows_module
from ci_magics.segmentation.sources.rows import Rows, repetition

PEOPLE = pl.DataFrame(
    {
        "CustomerId": [f"c{number:03d}" for number in range(100)],
        "EMail": [f"p{number}@contoso.com" if number % 7 else None for number in range(100)],
        "TotalSpend": [number * 10 for number in range(100)],
        "Notes": ['a, "quoted" note'] * 100,
    }
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    PEOPLE[:60].write_parquet(tmp_path / "part-0.parquet")
    PEOPLE[60:].write_parquet(tmp_path / "part-1.parquet")
    PEOPLE.write_csv(tmp_path / "people.csv")
    PEOPLE.write_csv(tmp_path / "people.tsv", separator="\t")
    return tmp_path


SOURCES: dict[str, Any] = {
    "pattern": lambda folder: str(folder / "part-*.parquet"),
    "path": lambda folder: folder / "people.csv",
    "tabs": lambda folder: str(folder / "people.tsv"),
    "lazy": lambda folder: pl.scan_parquet(folder / "part-*.parquet"),
    "dataset": lambda folder: ds.dataset(folder, format="parquet", exclude_invalid_files=True),
    "relation": lambda folder: duckdb.sql(f"FROM read_parquet('{folder}/part-*.parquet')"),
}


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("where", [None, "TotalSpend > 500"])
def test_stream_gives_the_same_rows_as_the_frame(folder: Path, kind: str, where: str | None) -> None:
    streamed = build_segment("S", SOURCES[kind](folder), where=where)
    expected = build_segment("S", PEOPLE, where=where)
    assert streamed.segment.key == "CustomerId"
    assert streamed.rows.table().to_pylist() == expected.rows.table().to_pylist()
    assert streamed.rows.table() == streamed.rows.table()


def test_stream_is_never_entirely_in_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("streams", "rows"):
        monkeypatch.setattr(f"ci_magics.segmentation.sources.{module}.BATCH", 7)
    profiles = build_segment("S", pl.scan_parquet(folder / "part-*.parquet"))
    sizes = [batch.num_rows for batch in profiles.rows.read(["key"])]
    assert sum(sizes) == 100
    assert max(sizes) <= 60
    assert rows_module.BATCH == 7


@pytest.mark.parametrize("name", ["missing.parquet", "missing-*.csv"])
def test_missing_files_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(SegmentError, match=f"There is no file '{name.replace('*', '.*')}'"):
        build_segment("S", tmp_path / name)


@pytest.mark.parametrize("content", [b"jan@contoso.com" * 100, b""])
def test_damaged_file_is_refused_without_quoting_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(SegmentError, match=r"x\.parquet cannot be read") as refused:
        build_segment("S", tmp_path / "x.parquet")
    assert "@" not in str(refused.value)


def test_condition_on_a_file_reads_no_other_file(folder: Path) -> None:
    where = "EMail IN (SELECT EMail FROM read_csv('FILE'))".replace("FILE", str(folder / "people.csv"))
    with pytest.raises(SegmentError):
        build_segment("S", str(folder / "part-0.parquet"), where=where)


def test_unknown_column_in_a_condition_suggests_the_nearest(folder: Path) -> None:
    with pytest.raises(SegmentError, match="Did you mean 'TotalSpend'"):
        build_segment("S", str(folder / "people.csv"), where="TotalSpent > 3")


def test_repeated_and_empty_keys_are_counted_across_batches() -> None:
    def read(_columns: Any) -> Iterator[pa.RecordBatch]:
        for part in (["a", "b", None], ["b", "c", None], ["a"]):
            yield pa.RecordBatch.from_pydict({"k": pa.array(part, pa.string())})

    assert repetition(Rows(pa.schema([("k", pa.string())]), read), "k") == (2, 2)


def test_row_numbers_are_the_key_if_the_key_column_repeats(tmp_path: Path) -> None:
    pl.DataFrame({"Id": [1, 1, 2], "EMail": ["a@contoso.com"] * 3}).write_parquet(tmp_path / "x.parquet")
    profiles = build_segment("S", tmp_path / "x.parquet")
    assert profiles.rows.table()["key"].to_pylist() == [1, 2, 3]
    with pytest.raises(SegmentError, match="0 empty values and 1 repeated value"):
        build_segment("S", tmp_path / "x.parquet", key="Id")
