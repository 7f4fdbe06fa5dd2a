"""Matching on the workers of distributed engines, and the snippets of the page about it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import contoso
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ci_magics as ci
from ci_magics.errors import ArgumentError, SegmentError
from ci_magics.matching.distributed import match_arrow, match_frame
from ci_magics.matching.normalize import normalize
from ci_magics.matching.packed import ROWS_PER_BATCH, pack, unpack
from ci_magics.sample import customers
from ci_magics.segmentation.condition import Condition
from ci_magics.segmentation.profile_columns import ProfileColumns
from ci_magics.segmentation.profile_pipeline import ProfilePipeline, RowFilter
from ci_magics.workspace.store import Workspace

PAGE = Path(__file__).parents[2] / "docs" / "distributed.md"


def pipeline(schema: pa.Schema, where: str | None = None) -> ProfilePipeline:
    columns = ProfileColumns.of(schema, "EMail", "Id", ())
    return ProfilePipeline(RowFilter(tuple(schema.names), Condition(where) if where else None), columns)


def test_batch_is_matched_like_a_segment() -> None:
    frame = customers(500)
    matched = match_frame(frame, email="EMail", key="CustomerId")
    assert list(matched["CustomerId"]) == list(frame["CustomerId"])
    for rule in ("basic", "enhanced"):
        expected = normalize(frame["EMail"], normalization=rule)
        assert pa.array(matched[f"sha256_{rule}"], from_pandas=True).to_pylist() == expected["sha256"].to_pylist()
        assert pa.array(matched[f"reason_{rule}"], from_pandas=True).to_pylist() == expected["reason"].to_pylist()


def test_parts_of_a_table_give_the_same_result_as_the_whole() -> None:
    table = pa.Table.from_pandas(customers(300))
    whole = match_arrow(table, email="EMail", key="CustomerId")
    parts = [match_arrow(batch, email="EMail", key="CustomerId") for batch in table.to_batches(max_chunksize=70)]
    assert pa.concat_tables(parts).equals(whole)
    assert match_arrow(table.slice(0, 0), email="EMail", key="CustomerId").schema == whole.schema


def test_address_can_be_its_own_key() -> None:
    matched = match_frame(contoso.people(1), email="EMail", key="EMail")
    assert matched["EMail"].tolist() == matched["sha256_basic"].tolist() == [contoso.hash_of("p0@contoso.com")]


def test_email_column_must_exist_and_key_must_identify() -> None:
    with pytest.raises(ArgumentError, match="no column 'Mail'"):
        match_frame(contoso.people(1), email="Mail", key="Id")
    with pytest.raises(ArgumentError, match="Flags cannot identify profiles"):
        match_frame(contoso.people(1).assign(Flags=[[1]]), email="EMail", key="Flags")


def test_small_batches_are_combined_and_contain_no_address() -> None:
    table = pa.Table.from_pandas(contoso.people(ROWS_PER_BATCH + 5_000))
    packed = list(pack(pipeline(table.schema), table.to_batches(max_chunksize=10_000)))
    profiles = [batch["profiles"][0].as_py() for batch in packed]
    assert sum(profiles) == table.num_rows
    assert len(profiles) == 2
    assert max(profiles) <= ROWS_PER_BATCH
    unpacked = pa.Table.from_batches([each for batch in packed for each in unpack(batch["batch"][0].as_py())])
    assert unpacked["key"].to_pylist() == table["Id"].to_pylist()
    assert not any(b"contoso" in batch["batch"][0].as_py() for batch in packed)


def test_examples_of_invalid_values_contain_no_address() -> None:
    emails = ["jan@x.com@contoso.com", "eva smit@contoso.com", "tom@a!b.com", "no"]
    table = pa.table({"Id": ["a", "b", "c", "d"], "EMail": emails})
    (packed,) = pack(pipeline(table.schema), table.to_batches())
    values = {each["reason"]: (each["first"], each["domain"]) for each in packed["examples"][0].as_py()}
    assert values == {
        "many_at": ("j", ""),
        "inner_space": ("e", "contoso.com"),
        "bad_domain": ("t", "a!b.com"),
        "no_at": ("n", None),
    }


def test_partition_without_profiles_gives_no_batch() -> None:
    table = pa.Table.from_pandas(contoso.people(3))
    assert list(pack(pipeline(table.schema, "Id = 'nobody'"), table.to_batches())) == []
    assert list(pack(pipeline(table.schema), [])) == []


def test_error_on_a_worker_quotes_no_value() -> None:
    table = pa.Table.from_pandas(contoso.people(3))
    with pytest.raises(SegmentError, match="a value of the column EMail is not of type INT32") as refused:
        list(pack(pipeline(table.schema, "EMail::INTEGER = 1"), table.to_batches()))
    assert refused.value.__cause__ is None
    assert "contoso" not in str(refused.value)
    wrong = pa.record_batch({"Id": ["a"], "EMail": [["p0@contoso.com"]]})
    with pytest.raises(SegmentError, match="could not be matched") as refused:
        list(pack(pipeline(table.schema), [wrong]))
    assert "contoso" not in str(refused.value)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_invalid_utf8_is_not_a_valid_address(kind: pa.DataType) -> None:
    half = "\ud800".encode("utf-8", "surrogatepass")
    whole = pa.array([half + b"a@contoso.com", b"b@contoso.com", b"\xffc@contoso.com", None])
    texts = pa.Array.from_buffers(pa.string(), 4, whole.buffers()).cast(kind)
    matched = normalize(texts)
    assert matched["reason"].to_pylist() == ["bad_local", None, "bad_local", "missing"]
    assert matched["sha256"].to_pylist()[1] == contoso.hash_of("b@contoso.com")


@pytest.mark.slow
def test_segment_of_a_frame_does_not_import_spark(tmp_path: Path) -> None:
    code = (
        "import sys, pandas, ci_magics as ci\n"
        "ci.segment('S', pandas.DataFrame({'Id': [1], 'EMail': ['a@contoso.com']}))\n"
        "assert not {'pyspark', 'py4j', 'dask', 'ray', 'daft'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "CI_MAGICS_WORKSPACE": str(tmp_path)})


def snippet(engine: str) -> str:
    section = PAGE.read_text("utf-8").split(f"\n## {engine}\n")[1].split("\n## ")[0]
    found = re.search(r"```python\n(.*?)\n```", section, re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.mark.parametrize("engine", ["Spark", "Dask", "Ray Data", "Daft"])
def test_snippet_of_each_engine_compiles(engine: str) -> None:
    compile(snippet(engine), engine, "exec")


def test_dask_snippet_makes_the_same_hashes(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = customers(2_000).drop(columns="MarketingConsent")  # the snippet reads only keys and addresses
    monkeypatch.chdir(tmp_path)
    pq.write_table(pa.Table.from_pandas(frame), "customers.parquet", row_group_size=500)
    names: dict[str, Any] = {}
    exec(compile(snippet("Dask"), "Dask", "exec"), names)  # noqa: S102 - our own page
    hashed = pl.read_parquet("hashed/*.parquet").sort("CustomerId")
    expected = pl.from_pandas(frame.sort_values("CustomerId"))
    assert hashed["sha256_basic"].to_list() == normalize(expected["EMail"])["sha256"].to_pylist()
    one, other = ci.preview("From Dask", ci.segment("pandas", frame)).segments
    assert one.sendable == other.sendable > 1_500
    assert workspace.segments["From Dask"].rows == 2_000
