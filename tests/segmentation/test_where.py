from __future__ import annotations

import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_magics.errors import SegmentError
from ci_magics.segmentation.segment import Profiles, build_segment
from ci_magics.segmentation.sources.pandas_frames import pandas_column

SECRET = "jan@contoso.com"
PEOPLE = pd.DataFrame(
    {
        "Id": ["a", "b", "c", "d"],
        "EMail": [SECRET, None, "bad", "eva@contoso.com"],
        "TotalSpend": [1.0, None, 700.0, 900.0],
        "Country": ["NL", "NL", "DE", "NL"],
        "First name": ["Jan", "Bo", "Cy", "Eva"],
    }
)
OPERATORS = {"<": operator.lt, "<=": operator.le, "=": operator.eq, "<>": operator.ne, ">": operator.gt}


def keys(profiles: Profiles) -> list[str]:
    return [str(key) for key in profiles.rows.table()["key"].to_pylist()]


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("TotalSpend > 500 AND Country = 'NL'", ["d"]),
        ("totalspend > 500", ["c", "d"]),
        ("TotalSpend IS NULL", ["b"]),
        ("\"First name\" LIKE 'J%' OR Country IN ('DE')", ["a", "c"]),
        ("false", []),
        ("Country = 'NL' -- the Dutch", ["a", "b", "d"]),
    ],
)
def test_condition_selects_rows(where: str, kept: list[str]) -> None:
    profiles = build_segment("S", PEOPLE, where=where)
    assert keys(profiles) == kept
    assert (profiles.rows.table().num_rows, profiles.segment.where) == (len(kept), where)


@settings(deadline=None)
@given(st.lists(st.integers(-5, 5)), st.sampled_from(sorted(OPERATORS)), st.integers(-5, 5))
def test_condition_selects_the_same_rows_as_a_loop(values: list[int], sign: str, limit: int) -> None:
    frame = pa.table({"EMail": pa.array(["x"] * len(values), pa.string()), "n": pa.array(values, pa.int64())})
    kept = build_segment("S", frame, key="n", where=f"n {sign} {limit}") if len(set(values)) == len(values) else None
    compare: Callable[[int, int], bool] = OPERATORS[sign]
    expected = [value for value in values if compare(value, limit)]
    assert build_segment("S", frame, where=f"n {sign} {limit}").rows.table().num_rows == len(expected)
    assert kept is None or kept.rows.table()["key"].to_pylist() == expected


def test_order_of_the_frame_is_kept() -> None:
    frame = pd.DataFrame({"Id": range(300_000), "EMail": "a@contoso.com"})
    kept = build_segment("S", frame, where="Id % 3 = 0").rows.table()["key"].to_pylist()
    assert kept == list(range(0, 300_000, 3))


def test_unknown_column_suggests_the_nearest() -> None:
    with pytest.raises(SegmentError, match=r"There is no column 'TotlSpend'\. Did you mean 'TotalSpend'") as refused:
        build_segment("S", PEOPLE, where="TotlSpend > 5")
    assert "Id, EMail, TotalSpend" in refused.value.next_step


def test_variable_without_value_in_a_condition_mentions_the_cell_magic() -> None:
    with pytest.raises(SegmentError, match=r"no value for \$least") as refused:
        build_segment("S", PEOPLE, where="TotalSpend > $least")
    assert "Write a whole query" in refused.value.next_step
    assert build_segment("S", PEOPLE, where="Country <> '$least'").rows.table().num_rows == 4


def test_syntax_error_is_located() -> None:
    with pytest.raises(SegmentError, match="The condition cannot be used at position 16") as refused:
        build_segment("S", PEOPLE, where="TotalSpend > 5 AND")
    assert 'syntax error at or near "AND"' in refused.value.sentence
    shown, pointer = refused.value.sentence.splitlines()[2:4]
    assert shown[pointer.index("^") :] == "AND"
    assert "where" in refused.value.next_step


def test_text_in_double_quotes_is_explained() -> None:
    with pytest.raises(SegmentError, match="double quotes") as refused:
        build_segment("S", PEOPLE, where=f'EMail = "{SECRET}"')
    assert "single quotes" in refused.value.next_step
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "where",
    [
        "CAST(EMail AS INTEGER) > 1",
        "EMail::DATE > now()",
        "EMail::UUID IS NULL",
        "EMail",
        "error(EMail)",
        "strptime(EMail, '%Y') > now()",
        "json_extract(EMail, '$.a') = '1'",
        "regexp_matches('x', EMail || '(')",
        f"EMail::INTEGER = 1 OR Country = '{SECRET}'",
        f"EMail = '{SECRET}",
        f"EMail == == '{SECRET}'",
        f"{SECRET} = EMail",
        "no_such_function(EMail)",
        "sum(TotalSpend) > 1",
        "TotalSpend > $limit",
        "1 = 1; SELECT 1",
        "",
    ],
)
def test_error_never_quotes_a_value(where: str) -> None:
    with pytest.raises(SegmentError) as refused:
        build_segment("S", PEOPLE, where=where)
    assert "@" not in str(refused.value)
    assert "contoso" not in str(refused.value)
    assert refused.value.next_step
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None or refused.value.__suppress_context__


@pytest.mark.parametrize("function", ["read_text", "read_csv", "read_blob", "glob"])
@pytest.mark.parametrize("as_relation", [False, True])
def test_condition_reads_no_file(function: str, *, as_relation: bool) -> None:
    frame = duckdb.from_df(PEOPLE) if as_relation else PEOPLE
    with pytest.raises(SegmentError, match="only the frames of the notebook"):
        build_segment("S", frame, where=f"0 < (SELECT count(*) FROM {function}('{__file__}'))")


def test_condition_sees_no_python_variable() -> None:
    local = PEOPLE
    assert len(local) == 4
    with pytest.raises(SegmentError, match="there is no table 'local'"):
        build_segment("S", duckdb.from_df(PEOPLE), where="Id IN (SELECT Id FROM local)")


def test_columns_that_differ_only_in_case_are_refused_if_sql_must_choose() -> None:
    frame = pd.DataFrame({"Email": ["a@contoso.com"], "email": ["b@contoso.com"]})
    assert build_segment("S", frame, email="email").rows.table()["email"].to_pylist() == ["b@contoso.com"]
    with pytest.raises(SegmentError, match="cannot tell the columns Email and email apart"):
        build_segment("S", frame, email="email", where="true")


@pytest.mark.parametrize("where", ["#1 = 'b'", "#5 = 'Bo'", "\"First name\" = 'Bo'"])
@pytest.mark.parametrize("kind", ["pandas", "polars", "csv", "parquet"])
def test_condition_can_use_a_column_by_position(where: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"people.{kind}"
    if kind in ("csv", "parquet"):
        (PEOPLE.to_csv if kind == "csv" else PEOPLE.to_parquet)(path, index=False)
    source = {"pandas": PEOPLE, "polars": pl.from_pandas(PEOPLE)}.get(kind, str(path))
    assert keys(build_segment("S", source, where=where)) == ["b"]


def test_condition_on_a_frame_converts_only_the_columns_it_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    converted: list[str] = []

    def noted(frame: Any, name: str) -> Any:
        converted.append(name)
        return pandas_column(frame, name)

    monkeypatch.setattr("ci_magics.segmentation.sources.frames.pandas_column", noted)
    build_segment("S", PEOPLE, where="TotalSpend > 500")
    assert set(converted) == {"Id", "EMail", "TotalSpend"}
