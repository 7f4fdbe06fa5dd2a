"""A rule chooses the same rows in Polars, in DuckDB and row by row on pandas."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from effort import examples
from hypothesis import given, settings
from ruling import MEMBERS, TODAY, as_pandas, expected, fitting_conditions, members, trees, with_tables

from ci_magics.errors import SegmentError
from ci_magics.segmentation.rules import expression as rule_expression
from ci_magics.segmentation.rules import sql as rule_sql
from ci_magics.segmentation.rules.case import folded
from ci_magics.segmentation.rules.expression import ExpressionWriter
from ci_magics.segmentation.rules.kinds import types_of
from ci_magics.segmentation.rules.meaning import Test, meaning
from ci_magics.segmentation.rules.members import Members
from ci_magics.segmentation.rules.rows import Circumstances, read_rows
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.rules.sql import SqlWriter
from ci_magics.segmentation.rules.tree import AllOf, Condition, Member, Node, Operator


def by_polars(node: Node, table: pa.Table, *, key: str | None = "key") -> list[bool]:
    keys = {name: Members(pl.Series(each, dtype=pl.String)) for name, each in MEMBERS.items()}
    chosen = ExpressionWriter(understood(table), key, keys).write(node)
    return list(pl.DataFrame(table).select(chosen.alias("chosen"))["chosen"])


def by_duckdb(node: Node, table: pa.Table, *, key: str | None = "key") -> list[bool]:
    rule = SqlWriter(understood(table), "people", key).rule(node)
    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as database:
        database.register("people", table.append_column("row", pa.array(range(len(table)), pa.int64())))
        for name, segment in rule.segments.items():
            database.register(name, pa.table({"key": pa.array(MEMBERS[segment], pa.string())}))
        rows = database.execute(rule.query, list(rule.parameters) or None).fetchall()
    chosen = {row[-1] for row in rows}
    return [row in chosen for row in range(len(table))]


def understood(table: pa.Table) -> Any:
    types = types_of(table.schema)

    def test(condition: Condition) -> Test:
        return meaning(condition, types[condition.column], TODAY)

    return test


@settings(max_examples=examples(200), deadline=None)
@given(with_tables(fitting_conditions()))
def test_a_condition_chooses_the_same_rows_everywhere(ruled: tuple[Condition, pa.Table]) -> None:
    node, table = ruled
    wanted = list(expected(node, as_pandas(table)))
    assert by_polars(node, table) == wanted
    assert by_duckdb(node, table) == wanted


@settings(max_examples=examples(100), deadline=None)
@given(with_tables(trees(fitting_conditions() | members)))
def test_a_tree_chooses_the_same_rows_everywhere(ruled: tuple[Node, pa.Table]) -> None:
    node, table = ruled
    wanted = list(expected(node, as_pandas(table)))
    assert by_polars(node, table) == wanted
    assert by_duckdb(node, table) == wanted


LETTERS = [chr(code) for code in range(1, sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]


@pytest.mark.parametrize("before", ["", "A"])
def test_every_letter_ignores_case_alike_in_every_engine(before: str) -> None:
    words = [before + letter for letter in LETTERS]
    wanted = [folded(word) for word in words]
    table = pa.table({"word": words})
    with duckdb.connect() as database:
        database.register("words", table)
        rows = database.execute(f"SELECT {rule_sql.caseless('word')} FROM words").fetchall()
    assert [row[0] for row in rows] == wanted
    assert pl.DataFrame(table).select(rule_expression.caseless(pl.col("word")))["word"].to_list() == wanted


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("amsterdam", "AMSTERDAM", True),
        ("istanbul", "İSTANBUL", True),
        ("ISPARTA", "\u0131sparta", False),
        ("straße", "STRAẞE", True),
        ("straße", "STRASSE", False),
        ("ὈΔΥΣΣΕΎΣ", "ὀδυσσεύς", True),
        ("\u212aelvin", "kelvin", True),
        ("José", "JOSÉ", True),
        ("José", "JOSE", False),
    ],
)
def test_what_is_the_same_when_case_is_ignored(one: str, other: str, same: bool) -> None:
    table = pa.table({"City": [one, None]})
    for text in (f'City equals "{other}"', f'City is any of "{other}"', f'City contains "{other}"'):
        rule = Rule.parse(f"{text} ignoring case")
        assert by_polars(rule.root, table, key=None) == [same, False]
        assert by_duckdb(rule.root, table, key=None) == [same, False]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("Country equals NL", [True, False, False]),
        ("Country does not equal NL", [False, True, False]),
        ("not Country equals NL", [False, True, True]),
        ("Country is null", [False, False, True]),
        ("Spend > 5", [True, False, False]),
        ("not Spend > 5", [False, True, True]),
        ("Spend is null", [False, True, False]),
        ("Spend is not null", [True, False, True]),
    ],
)
def test_an_empty_value_fulfils_only_is_null(text: str, rows: list[bool]) -> None:
    table = pa.table({"Country": ["NL", "BE", None], "Spend": [9.0, float("nan"), 1.0]})
    assert by_polars(Rule.parse(text).root, table, key=None) == rows
    assert by_duckdb(Rule.parse(text).root, table, key=None) == rows


def test_sets_are_joined_on_the_key_of_rows_that_repeat() -> None:
    table = pa.table({"key": ["a", "a", "b", None], "Shop": ["x", "y", "x", "x"]})
    both = Rule.parse("Shop = x intersect Shop = y").root
    for choose in (by_polars, by_duckdb):
        assert choose(both, table) == [True, True, False, False]
        assert choose(both, table, key=None) == [False] * 4
        assert choose(Rule.parse("Shop = x except Shop = y").root, table) == [False, False, True, False]


def test_a_zone_of_a_fixed_difference_counts_its_own_days() -> None:
    late = dt.datetime(2026, 1, 31, 23, 30, tzinfo=dt.UTC)
    table = pa.table({"At": pa.array([late], pa.timestamp("us", "+02:00"))})
    rule = Rule.parse("At equals 2026-02-01 and At equals 2026-02-01 01:30")
    assert by_polars(rule.root, table, key=None) == by_duckdb(rule.root, table, key=None) == [True]
    with pytest.raises(SegmentError, match="At is neither"):
        Rule.parse("At month of May").check(pa.table({"At": pa.array([late], pa.timestamp("us", "+05:30"))}))


FRAMES: dict[str, Callable[[pa.Table], Any]] = {
    "pandas": lambda table: table.to_pandas(),
    "pandas nullable": lambda table: table.to_pandas().convert_dtypes(),
    "polars": pl.DataFrame,
    "polars lazy": lambda table: pl.DataFrame(table).lazy(),
    "pyarrow": lambda table: table,
    "duckdb": duckdb.from_arrow,
}


@pytest.mark.parametrize("kind", FRAMES)
def test_a_rule_fits_every_kind_of_frame(kind: str) -> None:
    table = pa.table({"Id": ["a", "b", "c"], "Country": ["NL", None, "BE"], "Spend": [1, 2, None]})
    rule = Rule.parse("Country is any of NL, BE and not Spend > 1")
    kept = read_rows(FRAMES[kind](table), ["Id"], rule, Circumstances())
    assert kept.table().to_pydict() == {"Id": ["a", "c"]}
    assert rule.to_sql(FRAMES[kind](table)).parameters == ("NL", "BE", 1)
    with pytest.raises(SegmentError, match=r"Spend is a number, 'x' is not\."):
        Rule.parse("Spend = x").check(FRAMES[kind](table))


def test_the_sql_can_be_read() -> None:
    frame = pa.table({"Country": ["NL"], "TotalSpend": [5.5]})
    sql = Rule.parse("Country is any of NL, BE and TotalSpend > 500").to_sql(frame, table="customers")
    assert str(sql) == (
        'SELECT * FROM "customers" WHERE ((CAST("Country" AS VARCHAR) IN ($1, $2)) IS TRUE) AND '
        "((nullif(CAST(\"TotalSpend\" AS DOUBLE), CAST('NaN' AS DOUBLE)) > $3) IS TRUE)"
    )
    assert sql.parameters == ("NL", "BE", 500.0)


HOSTILE = [
    *("x' OR '1'='1", 'x" OR 1=1 --', "'; DROP TABLE people; --", "$1", "?", "{0}", "%s", "^.*$", "*", "\\", "a\nb"),
    *("/* x */", "${x}", "%", "_"),
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_names_and_values_that_look_like_code_stay_names_and_values(hostile: str) -> None:
    table = pa.table({hostile: [hostile, "other", None], "key": ["a", "b", "c"]})
    equals = Condition(column=hostile, operator=Operator.EQUALS, values=(hostile,))
    contains = Condition(column=hostile, operator=Operator.CONTAINS, values=(hostile,), ignore_case=True)
    for condition in (equals, contains):
        rule = Rule.parse(Rule(root=condition).text)
        assert by_polars(rule.root, table) == [True, False, False]
        assert by_duckdb(rule.root, table) == [True, False, False]
    sql = SqlWriter(understood(table), "people", hostile).rule(AllOf(rules=(equals, Member(segment=hostile))))
    assert sql.segments == {"segment_1": hostile}
    assert sql.parameters == (hostile,)
    assert sql.condition.count(rule_sql.identifier(hostile)) == 2
