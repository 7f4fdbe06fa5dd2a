from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace
from typing import Any

import contoso
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import RunningEmulator

import ci_magics as ci
from ci_magics.errors import ArgumentError, SegmentError
from ci_magics.matching.covered_segments import SegmentCoverage
from ci_magics.matching.spark import matched_on_spark
from ci_magics.sample import customers
from ci_magics.segmentation.spark import build_spark_segment
from ci_magics.workspace.store import Workspace

RULES = ("basic", "enhanced", "both")
#: Addresses that engines treat differently: case, width, composition, white space, invalid text.
TRAPS = [
    "ISTANBUL@contoso.com",
    "\u0130stanbul@contoso.com",  # dotted capital I
    "d\u0131yar@contoso.com",  # dotless i
    "Stra\u00dfe@contoso.com",  # sharp s
    "STRA\u1e9eE@contoso.com",  # capital sharp s
    "\u039f\u0394\u039f\u03a3@contoso.com",  # final sigma
    "\u039f\u0394\u039f\u03a3\u03a3A@contoso.com",
    "zoe\u0308@contoso.com",  # NFD
    "zo\u00eb@contoso.com",  # NFC
    "a\u200bb@contoso.com",  # zero width inside
    "\u200bab@contoso.com\ufeff",  # zero width around
    "\u00a0ab\u2007@contoso.com\u00a0",  # NBSP
    "ab@contoso.com\u2028",
    "\u212aelvin@contoso.com",  # Kelvin sign
    "\ufb01ne@contoso.com",  # ligature
    "\uff41\uff20contoso.com",  # full width
    "a\u2025b@contoso.com",  # compatibility dots
    "a@m\u00fcnchen.example",
    "\U0001d4ea@contoso.com",  # outside the basic plane
    "a\x00b@contoso.com",
    "",
    " \u3000",
    "NaN",
    "a b@contoso.com",
    "a@@contoso.com",
    "nobody",
]


def quiet(_sentence: str) -> None:
    """Show nothing."""


def coverage_of(name: str, frame: Any, rule: str = "basic", **how: Any) -> SegmentCoverage:
    ci.segment(name, frame, show=quiet, **how)
    (numbers,) = ci.preview(name, normalization=rule).segments
    return replace(numbers, name="")


def stored_rows(workspace: Workspace, name: str) -> list[dict[str, Any]]:
    table = workspace.snapshots.read(workspace.segments[name].id)
    assert isinstance(table, pa.Table)
    return sorted(table.to_pylist(), key=lambda row: str(row["key"]))


def frame_of_texts(spark: Any, values: list[str | None]) -> Any:
    """Return a Spark frame of texts by their bytes, so that it can contain unpaired surrogates."""
    rows = [
        (f"k{at}", each if each is None else each.encode("utf-8", "surrogatepass")) for at, each in enumerate(values)
    ]
    return spark.createDataFrame(rows, "Id string, raw binary").selectExpr("Id", "cast(raw as string) AS EMail")


def persistent_rdds(spark: Any) -> int:
    return int(spark.sparkContext._jsc.getPersistentRDDs().size())  # noqa: SLF001 - PySpark has no public way


def pandas_frame(values: list[str | None]) -> pd.DataFrame:
    ids = [f"k{number}" for number in range(len(values))]
    return pd.DataFrame({"Id": ids, "EMail": pd.Series(values, dtype=object)})


@pytest.mark.parametrize("where", [None, "TotalSpend > 100 AND Country ILIKE 'n%' AND LastPurchase > '2020-05-01'"])
def test_coverage_and_hashes_equal_those_of_pandas(spark: Any, workspace: Workspace, where: str | None) -> None:
    frame = customers(5_000)
    on_spark = spark.createDataFrame(frame).repartition(4)
    for rule in RULES:
        assert coverage_of("Spark", on_spark, rule, where=where) == coverage_of("pandas", frame, rule, where=where)
    assert stored_rows(workspace, "Spark") == stored_rows(workspace, "pandas")
    assert 0 < len(stored_rows(workspace, "Spark")) <= 5_000


def test_unicode_edge_cases_give_the_same_result_as_polars(spark: Any, workspace: Workspace) -> None:
    for rule in RULES:
        assert coverage_of("Spark", frame_of_texts(spark, [*TRAPS, None]), rule) == coverage_of(
            "polars", pl.DataFrame(pandas_frame([*TRAPS, None])), rule
        )
    assert stored_rows(workspace, "Spark") == stored_rows(workspace, "polars")


def test_random_texts_give_the_same_result_as_pandas(spark: Any, workspace: Workspace) -> None:
    chance = random.Random(7)
    letters = [*"abZ09._+-@@@ ,;", *{letter for trap in TRAPS for letter in trap}]
    values = ["".join(chance.choices(letters, k=chance.randint(0, 12))) for _ in range(4_000)]
    values += [f"{each}@contoso.com" for each in values]
    for rule in RULES:
        assert coverage_of("Spark", frame_of_texts(spark, list(values)), rule) == coverage_of(
            "pandas", pandas_frame(list(values)), rule
        )
    assert stored_rows(workspace, "Spark") == stored_rows(workspace, "pandas")


@pytest.mark.parametrize("value", ["\ud800a@contoso.com", "a@contoso.com\udfff", "\udc00"])
def test_unpaired_surrogate_has_no_hash(spark: Any, workspace: Workspace, value: str) -> None:
    assert coverage_of("Spark", frame_of_texts(spark, [value, "b@contoso.com"])).sendable == 1
    assert coverage_of("pandas", pandas_frame([value, "b@contoso.com"])).sendable == 1
    (row, other) = stored_rows(workspace, "Spark")
    assert (row["sha256_basic"], row["sha256_enhanced"]) == (None, None)
    assert other["sha256_basic"].hex() == contoso.hash_of("b@contoso.com")


def test_spark_segment_is_exported_like_any_other(spark: Any, workspace: Workspace, emulator: RunningEmulator) -> None:
    contoso.connect()
    made = ci.segment("All", spark.createDataFrame(contoso.people(700)))
    run = contoso.export(made, allow_shrink=True)
    assert run.status == "Completed"
    assert emulator.members("All") == contoso.hashes(700)
    assert len(workspace.segments) == 1


def test_same_rows_in_another_order_are_the_same_segment(spark: Any, workspace: Workspace) -> None:
    frame = contoso.people(3_000)
    first = ci.segment("All", spark.createDataFrame(frame).repartition(3), show=quiet)
    again = ci.segment("All", spark.createDataFrame(frame[::-1]).repartition(2), show=quiet)
    assert again.id == first.id
    frame.loc[5, "EMail"] = "somebody.else@contoso.com"
    said: list[str] = []
    other = ci.segment("All", spark.createDataFrame(frame), show=said.append)
    assert other.id != first.id
    assert len(said) == 1
    kept = {path.stem for path in workspace.snapshots.root.iterdir()}  # the earlier version is kept for undo
    assert kept == {first.id, other.id}


def test_batches_have_a_limited_size(spark: Any, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_magics.matching.spark.ROWS_AT_ONCE", 1_000)
    frame = customers(5_000)
    assert coverage_of("Spark", spark.createDataFrame(frame).repartition(8)) == coverage_of("pandas", frame)
    with workspace.snapshots.opened(workspace.segments["Spark"].id) as file:
        assert file.num_row_groups == 8


def test_nothing_stays_cached_in_spark(spark: Any, workspace: Workspace) -> None:
    before = persistent_rdds(spark)
    profiles = build_spark_segment("All", spark.createDataFrame(contoso.people(20)))
    with matched_on_spark(profiles) as passing:
        assert sum(batch.num_rows for batch in passing.batches()) == 20
        assert persistent_rdds(spark) > before
    assert persistent_rdds(spark) == before
    assert not list(workspace.snapshots.root.iterdir())


def test_rare_domains_are_not_named_and_examples_are_masked(spark: Any, workspace: Workspace) -> None:
    emails = [f"p{number}@contoso.com" for number in range(10)] + ["q@rare.example", "jan x@rare.example", "e@f@g.com"]
    numbers = coverage_of("Spark", frame_of_texts(spark, list(emails)).repartition(3))
    assert numbers.domains == {"contoso.com": 10, "other": 2}
    assert numbers.examples == {"many_at": ["e***@other"], "inner_space": ["j***@other"]}
    assert b"contoso" not in b"".join(path.read_bytes() for path in workspace.snapshots.root.iterdir())


@pytest.mark.parametrize("count", [0, 1])
def test_segment_can_have_one_profile_or_none(spark: Any, workspace: Workspace, count: int) -> None:
    frame = spark.createDataFrame(contoso.people(1)).limit(count)
    assert coverage_of("Spark", frame).sendable == count
    assert len(stored_rows(workspace, "Spark")) == count


def test_column_without_addresses_gives_a_segment_without_hashes(spark: Any, workspace: Workspace) -> None:
    frame = spark.range(5).selectExpr("id AS Id", "CAST(NULL AS string) AS EMail")
    assert coverage_of("Spark", frame).reasons["missing"] == 5
    assert [row["key"] for row in stored_rows(workspace, "Spark")] == [0, 1, 2, 3, 4]


def test_columns_can_have_any_name(spark: Any, workspace: Workspace) -> None:
    frame = contoso.people(30).rename(columns={"Id": "the.`Id`", "EMail": "E-Mail größe"})
    how = {"key": "the.`Id`", "email": "E-Mail größe", "where": "\"the.`Id`\" <> 'k3'"}
    assert coverage_of("Spark", spark.createDataFrame(frame), **how) == coverage_of("pandas", frame, **how)
    assert stored_rows(workspace, "Spark") == stored_rows(workspace, "pandas")


def test_consent_columns_are_stored(spark: Any, workspace: Workspace) -> None:
    frame = contoso.people(4).assign(MarketingConsent=[True, False, None, True])
    made = ci.segment("Spark", spark.createDataFrame(frame.convert_dtypes()))
    assert made.consent.columns == ("MarketingConsent",)
    assert [row["consent_state"] for row in stored_rows(workspace, "Spark")] == ["y", "n", "-", "y"]


def test_times_are_compared_in_the_time_zone_of_the_session(spark: Any, workspace: Workspace) -> None:
    moments = [dt.datetime(2026, 6, 30, hour, tzinfo=dt.UTC) for hour in (21, 22, 23)]  # midnight is at 22
    rows = [(f"k{number}", f"p{number}@contoso.com", each) for number, each in enumerate(moments)]
    frame = spark.createDataFrame(rows, "Id string, EMail string, Seen timestamp")
    ci.segment("July", frame, where="Seen >= '2026-07-01'")
    assert [row["key"] for row in stored_rows(workspace, "July")] == ["k1", "k2"]


def test_error_of_spark_quotes_no_value(spark: Any, workspace: Workspace) -> None:
    frame = spark.createDataFrame(contoso.people(3)).selectExpr("Id", "EMail", "raise_error(EMail) AS Other")
    with pytest.raises(SegmentError, match="Spark could not read or match the frame") as refused:
        ci.segment("S", frame, where="Other IS NULL")
    assert "contoso" not in str(refused.value)
    assert refused.value.next_step
    assert not workspace.segments


def test_frame_that_changes_is_refused(spark: Any, workspace: Workspace) -> None:
    profiles = build_spark_segment("S", spark.createDataFrame(contoso.people(3)))
    other = replace(profiles, segment=replace(profiles.segment, rows=2))
    with matched_on_spark(other) as passing, pytest.raises(SegmentError, match="returned different rows"):
        list(passing.batches())
    assert not workspace.segments


def test_query_does_not_collect_a_spark_frame(spark: Any, workspace: Workspace) -> None:
    frames = {"people": spark.createDataFrame(contoso.people(3))}
    with pytest.raises(SegmentError, match="all its rows would come into this notebook"):
        ci.segment("S", "SELECT * FROM people", frames=frames)
    assert not workspace.segments


def test_spark_segment_can_be_combined_with_others(spark: Any, workspace: Workspace) -> None:
    big = ci.segment("Big", spark.createDataFrame(contoso.people(30)))
    lapsed = ci.segment("Lapsed", contoso.people(30, start=20))
    assert ci.segment("Both", big & lapsed, workspace=workspace).rows == 10


def test_spark_frame_cannot_be_previewed_without_a_segment(spark: Any, workspace: Workspace) -> None:
    with pytest.raises(ArgumentError, match="This is a DataFrame, not a segment"):
        ci.preview(spark.createDataFrame(contoso.people(3)), workspace=workspace)
