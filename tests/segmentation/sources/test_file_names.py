"""A file can have any name: as a path, from any folder, in SQL, in a pattern, and in a refresh."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

import ci_magics as ci
from ci_magics.segmentation.segment import build_segment, build_segment_from_sql
from ci_magics.segmentation.sources.files import absolute

PEOPLE = pl.DataFrame({"Id": ["01", "02"], "EMail": ["a@contoso.com", "b@contoso.com"], "Spend": [1, 2]})
LINES = PEOPLE.write_csv()

NAMES = (
    "~",
    "~mine",
    "half~",
    "#1",
    "a#b",
    "a#",
    "a [1]",
    "[!a]",
    "[ab]",
    "a]b[",
    "a*",
    "a?",
    "{a,b}",
    "two  blanks",
    " blank before",
    "it's",
    'the "big" one',
    "100%",
    "%20",
    "%s",
    "$HOME",
    "$least",
    "{n}",
    "a;b",
    "a&b|c",
    "a,b",
    "a=b",
    "a.b.c",
    ".hidden",
    "-a",
    "--where",
    "a--b*",
    "back\\slash",
    "Größe",
    "Gro\u0308ße",
    "客户",
    "клиенты",
    "🎉",
    "\u200f\u05e9\u05dc",
    "select from",
    "SELECT * FROM people",
    "read_csv('x')",
    "xlsx#Sheet1",
    "a.xlsx#b",
    "a.parquet",
    "x" * 200,
)  # fmt: skip
FORMATS: dict[str, Callable[[Path], object]] = {
    ".csv": lambda path: path.write_text(LINES),
    ".TXT": lambda path: path.write_bytes(LINES.replace(",", ";").encode("utf-16")),
    ".tsv": lambda path: path.write_text(LINES.replace(",", "\t")),
    ".csv.gz": lambda path: path.write_bytes(gzip.compress(LINES.encode())),
    ".csv.zst": lambda path: path.write_bytes(pa.compress(LINES.encode(), codec="zstd", asbytes=True)),
    ".ndjson": PEOPLE.write_ndjson,
    ".jsonl.gz": lambda path: path.write_bytes(gzip.compress(PEOPLE.write_ndjson().encode())),
    ".parquet": PEOPLE.write_parquet,
    ".xlsx": lambda path: PEOPLE.to_pandas().to_excel(path, sheet_name="It's #1", index=False),
}


def keys(source: str | Path, where: str | None = None) -> list[str]:
    return list(build_segment("S", source, where=where).rows.table()["key"].to_pylist())


def keys_of_sql(name: str) -> list[str]:
    sql = "SELECT * FROM '{}' WHERE Spend < 2".format(name.replace("'", "''"))
    return list(build_segment_from_sql("S", sql, frames={}).rows.table()["key"].to_pylist())


@pytest.mark.matrix
@pytest.mark.parametrize("number", range(len(FORMATS)))
def test_file_can_have_any_name(tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    endings = list(FORMATS)
    for place, name in enumerate(NAMES[number :: len(FORMATS)]):  # each name with one format, each format with five
        ending = endings[(number + place) % len(endings)]
        path = tmp_path / f"{name}{ending}"
        FORMATS[ending](path)
        assert keys(path.name) == ["01", "02"], path.name
        assert keys(absolute(path.name), "Spend > 1") == ["02"], path.name
        assert keys_of_sql(path.name) == ["01"], path.name
        if ending == ".xlsx":
            assert keys(f"{path.name}#It's #1", "Spend > 1") == ["02"]
            assert keys_of_sql(f"{path.name}#It's #1") == ["01"]


@pytest.mark.parametrize("folder", ["~", "a [b]", "x#y", "100% $HOME", "-é's", "a.csv"])
def test_folder_can_have_any_name(tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(folder).mkdir()
    Path(folder, "people.csv").write_text(LINES)
    pattern = [f"{folder}/people*.csv"] if folder not in ("~", "a [b]") else []  # a pattern has its own "~" and "["
    for source in (f"{folder}/people.csv", *pattern):
        assert keys(source) == ["01", "02"]
        assert keys_of_sql(source) == ["01"]


def test_tilde_means_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "people.csv").write_text(LINES)
    assert keys("~/people.csv") == keys("~/peo*.csv") == ["01", "02"]
    assert keys_of_sql("~/people.csv") == ["01"]


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("name", ["~", "a #[1]", "-it's $x"])
def test_refresh_finds_the_file_from_any_folder(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(f"{name}.csv")
    path.write_text(LINES)
    ci.segment("S", str(path), where="Spend > 1")
    path.write_text(f"{LINES}03,c@contoso.com,9\n")
    monkeypatch.chdir("/")
    assert ci.segments.refresh("S").rows == 2
