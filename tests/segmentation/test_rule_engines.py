"""A rule chooses the same rows in Polars, in DuckDB and row by row on pandas."""

from __future__ import annotations

import sys
from typing import Any

import duckdb
import polars as pl
import polars.selectors as cs
import pyarrow as pa
import pytest
from hypothesis import given, settings

from ci_magics.segmentation.rule_case import folded
from ci_magics.segmentation.rule_expression import ExpressionWriter
from ci_magics.segmentation.rule_meaning import Test, meaning
from ci_magics.segmentation.rule_sql import SqlWriter
from ci_magics.segmentation.rule_tree import Condition, Node, Operator
from ci_magics.segmentation.rule_types import types_of
from ci_magics.segmentation.rules import Rule
from ruling import MEMBERS, TODAY, as_pandas, expected, fitting_conditions, members, trees, with_tables


def by_polars(node: Node, table: pa.Table, *, key: str | None = "key") -> list[bool]:
    keys = {name: pl.Series(each, dtype=pl.String) for name, each in MEMBERS.items()}
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


@settings(max_examples=400, deadline=None)
@given(with_tables(fitting_conditions()))
def test_a_condition_chooses_the_same_rows_everywhere(ruled: tuple[Condition, pa.Table]) -> None:
    node, table = ruled
    wanted = list(expected(node, as_pandas(table)))
    assert by_polars(node, table) == wanted
    assert by_duckdb(node, table) == wanted


@settings(max_examples=150, deadline=None)
@given(with_tables(trees(fitting_conditions() | members)))
def test_a_tree_chooses_the_same_rows_everywhere(ruled: tuple[Node, pa.Table]) -> None:
    node, table = ruled
    wanted = list(expected(node, as_pandas(table)))
    assert by_polars(node, table) == wanted
    assert by_duckdb(node, table) == wanted
