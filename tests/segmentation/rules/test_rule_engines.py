"""A rule selects the same rows when evaluated, as its SQL, and row by row in plain Python."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, reject, settings
from random_rules import MEMBERS, TODAY, as_pandas, expected, fitting_conditions, members, trees, with_tables
from run_settings import examples

from ci_magics.errors import SegmentError
from ci_magics.segmentation.rules import sql as rule_sql
from ci_magics.segmentation.rules.case import fold_case
from ci_magics.segmentation.rules.kinds import types_of
from ci_magics.segmentation.rules.meaning import Test, meaning
from ci_magics.segmentation.rules.rows import Evaluation, RuleContext, read_rows
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.rules.sql import SqlWriter
from ci_magics.segmentation.rules.tree import AllOf, Condition, Member, Node, Not, Operator
from ci_magics.segmentation.sources.sandbox import open_sandbox

DATABASE = open_sandbox()


def evaluate(node: Node, table: pa.Table, *, key: str | None = "key") -> list[bool]:
    """Return for each row whether a rule selects it when it is evaluated."""
    given = RuleContext(key=key, today=TODAY, members=MEMBERS)
    (chosen,) = Evaluation(table.schema, [Rule(root=node)], given).masks(DATABASE, table)
    return list(chosen.to_pylist())


def evaluate_if_possible(node: Node, table: pa.Table) -> list[bool]:
    """Evaluate a random rule, unless it is refused because a part of it can never be true."""
    try:
        return evaluate(node, table)
    except SegmentError as error:
        assert error.code == "rule_never_true"  # noqa: PT017 - any other error fails the test
        reject()


def select_by_sql(node: Node, table: pa.Table, *, key: str | None = "key") -> list[bool]:
    rule = SqlWriter(meanings(table), "people", key).rule(node)
    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as database:
        database.register("people", table.append_column("row", pa.array(range(len(table)), pa.int64())))
        for name, segment in rule.segments.items():
            database.register(name, pa.table({"key": pa.array(MEMBERS[segment], pa.string())}))
        rows = database.execute(rule.query, list(rule.parameters) or None).fetchall()
    chosen = {row[-1] for row in rows}
    return [row in chosen for row in range(len(table))]


def meanings(table: pa.Table) -> Any:
    types = types_of(table.schema)

    def test(condition: Condition) -> Test:
        return meaning(condition, types[condition.column], TODAY)

    return test


@settings(max_examples=examples(200), deadline=None)
@given(with_tables(fitting_conditions()))
def test_condition_selects_the_same_rows_in_every_engine(ruled: tuple[Condition, pa.Table]) -> None:
    node, table = ruled
    wanted = list(expected(node, as_pandas(table)))
    assert evaluate_if_possible(node, table) == wanted
    assert select_by_sql(node, table) == wanted


@settings(max_examples=examples(100), deadline=None)
@given(with_tables(trees(fitting_conditions() | members)))
def test_rule_tree_selects_the_same_rows_in_every_engine(ruled: tuple[Node, pa.Table]) -> None:
    node, table = ruled
    wanted = list(expected(node, as_pandas(table)))
    assert evaluate_if_possible(node, table) == wanted
    assert select_by_sql(node, table) == wanted


LETTERS = [chr(code) for code in range(1, sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]


@pytest.mark.parametrize("before", ["", "A"])
def test_case_folding_of_every_letter_agrees_in_python_and_duckdb(before: str) -> None:
    words = [before + letter for letter in LETTERS]
    wanted = [fold_case(word) for word in words]
    table = pa.table({"word": words})
    with duckdb.connect() as database:
        database.register("words", table)
        rows = database.execute(f"SELECT {rule_sql.fold_case_in_sql('word')} FROM words").fetchall()
    assert [row[0] for row in rows] == wanted


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
def test_comparison_ignores_case(one: str, other: str, same: bool) -> None:
    table = pa.table({"City": [one, None]})
    for text in (f'City equals "{other}"', f'City is any of "{other}"', f'City contains "{other}"'):
        rule = Rule.parse(f"{text} ignoring case")
        assert evaluate(rule.root, table, key=None) == [same, False]
        assert select_by_sql(rule.root, table, key=None) == [same, False]


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
def test_empty_value_only_matches_is_null(text: str, rows: list[bool]) -> None:
    table = pa.table({"Country": ["NL", "BE", None], "Spend": [9.0, float("nan"), 1.0]})
    assert evaluate(Rule.parse(text).root, table, key=None) == rows
    assert select_by_sql(Rule.parse(text).root, table, key=None) == rows


def test_set_operators_join_by_key_if_keys_repeat() -> None:
    table = pa.table({"key": ["a", "a", "b", None], "Shop": ["x", "y", "x", "x"]})
    both = Rule.parse("Shop = x intersect Shop = y").root
    for choose in (evaluate, select_by_sql):
        assert choose(both, table) == [True, True, False, False]
        assert choose(both, table, key=None) == [False] * 4
        assert choose(Rule.parse("Shop = x except Shop = y").root, table) == [False, False, True, False]


def test_days_are_counted_in_the_fixed_offset_of_the_column() -> None:
    late = dt.datetime(2026, 1, 31, 23, 30, tzinfo=dt.UTC)
    table = pa.table({"At": pa.array([late], pa.timestamp("us", "+02:00"))})
    rule = Rule.parse("At equals 2026-02-01 and At equals 2026-02-01 01:30")
    assert evaluate(rule.root, table, key=None) == select_by_sql(rule.root, table, key=None) == [True]
    with pytest.raises(SegmentError, match="At is neither"):
        Rule.parse("At month of May").check(pa.table({"At": pa.array([late], pa.timestamp("us", "+05:30"))}))


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Amsterdam"])
def test_nanoseconds_are_compared(zone: str | None) -> None:
    last, first = pd.Timestamp("1969-03-31T23:59:59.999999999", tz=zone), pd.Timestamp("1969-04-01", tz=zone)
    table = pa.table({"At": pa.array([last, first], pa.timestamp("ns", zone))})
    for text, rows in {
        "At equals 1969-03-31": [True, False],
        "At month of April": [False, True],
        "At < 1969-04-01 00:00": [True, False],
        "At > 1969-03-31 23:59:59.999999": [True, True],
        "At equals 1969-03-31 23:59:59.999999": [False, False],
    }.items():
        assert evaluate(Rule.parse(text).root, table, key=None) == rows, text


@pytest.mark.parametrize(
    ("kind", "values", "chosen"),
    [
        (pa.int64(), [2**53 + 1, -1, 5, None], [True, True, False, False]),
        (pa.uint64(), [2**64 - 1, 0, 5, None], [True, False, False, False]),
        (pa.float32(), [0.1, float("nan"), 5.0, None], [False, False, False, False]),
        (pa.decimal128(12, 2), [Decimal("0.10"), Decimal("-1.00"), Decimal("5.00"), None], [False, True, False, False]),
    ],
)
@pytest.mark.parametrize("more", [0, 500])
def test_long_lists_select_the_same_rows_as_short_lists(
    kind: pa.DataType, values: list[Any], chosen: list[bool], more: int
) -> None:
    table = pa.table({"n": pa.array(values, kind)})
    wanted = (2**53 + 1, -1, 2**64 - 1, *range(1_000, 1_000 + more))
    condition = Condition(column="n", operator=Operator.ANY_OF, values=wanted)
    assert evaluate(condition, table, key=None) == select_by_sql(condition, table, key=None) == chosen
    assert evaluate(Not(rule=condition), table, key=None) == [not each for each in chosen]


def test_long_lists_keep_the_order_of_the_rows() -> None:
    words = [f"w{number % 7_919}" for number in range(200_000)]
    table = pa.table({"w": words, "day": [dt.date(2026, 1, 1) + dt.timedelta(days=n % 300) for n in range(200_000)]})
    chosen = {f"W{number}" for number in range(0, 7_919, 3)}
    rule = Rule(root=Condition(column="w", operator=Operator.ANY_OF, values=tuple(chosen), ignore_case=True))
    assert evaluate(rule.root, table, key=None) == [each.upper() in chosen for each in words]
    days = tuple(dt.date(2026, 1, 1) + dt.timedelta(days=n) for n in range(0, 300, 2))
    rule = Rule(root=Condition(column="day", operator=Operator.ANY_OF, values=days))
    assert evaluate(rule.root, table, key=None) == [n % 300 % 2 == 0 for n in range(200_000)]


def test_columns_that_differ_only_in_case_are_distinct() -> None:
    table = pa.table({"City": ["x", "y"], "city": ["y", "y"], "CITY": pa.array([[1], None])})
    rule = Rule.parse("City equals x and city equals y and CITY is not null")
    assert evaluate(rule.root, table, key=None) == [True, False]


def test_invalid_utf8_is_compared() -> None:
    broken = pa.array([b"\xffNL", b"\xed\xa0\x80", b"NL"], pa.binary()).cast(pa.string(), safe=False)
    table = pa.table({"City": broken})
    for text in ("City equals NL", "City equals nl ignoring case"):
        assert evaluate(Rule.parse(text).root, table, key=None) == [False, False, True]


def test_value_out_of_range_is_not_shown() -> None:
    table = pa.table({"At": pa.array([2**62], pa.timestamp("s"))})
    with pytest.raises(SegmentError, match=r"^The rule cannot be evaluated \(ConversionException\)\.") as refused:
        evaluate(Rule.parse("At > 2026-01-01").root, table, key=None)
    assert str(2**62) not in str(refused.value)


FRAMES: dict[str, Callable[[pa.Table], Any]] = {
    "pandas": lambda table: table.to_pandas(),
    "pandas nullable": lambda table: table.to_pandas().convert_dtypes(),
    "polars": pl.DataFrame,
    "polars lazy": lambda table: pl.DataFrame(table).lazy(),
    "pyarrow": lambda table: table,
    "duckdb": duckdb.from_arrow,
}


@pytest.mark.parametrize("kind", FRAMES)
def test_rule_works_on_every_kind_of_frame(kind: str) -> None:
    table = pa.table({"Id": ["a", "b", "c"], "Country": ["NL", None, "BE"], "Spend": [1, 2, None]})
    rule = Rule.parse("Country is any of NL, BE and not Spend > 1")
    kept = read_rows(FRAMES[kind](table), ["Id"], rule, RuleContext())
    assert kept.table().to_pydict() == {"Id": ["a", "c"]}
    assert rule.to_sql(FRAMES[kind](table)).parameters == ("NL", "BE", 1)
    with pytest.raises(SegmentError, match=r"Spend is a number, 'x' is not\."):
        Rule.parse("Spend = x").check(FRAMES[kind](table))


def test_sql_of_a_rule_is_readable() -> None:
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
def test_names_and_values_are_never_interpreted_as_code(hostile: str) -> None:
    table = pa.table({hostile: [hostile, "other", None], "key": ["a", "b", "c"]})
    equals = Condition(column=hostile, operator=Operator.EQUALS, values=(hostile,))
    contains = Condition(column=hostile, operator=Operator.CONTAINS, values=(hostile,), ignore_case=True)
    for condition in (equals, contains):
        rule = Rule.parse(Rule(root=condition).text)
        assert evaluate(rule.root, table) == [True, False, False]
        assert select_by_sql(rule.root, table) == [True, False, False]
    sql = SqlWriter(meanings(table), "people", hostile).rule(AllOf(rules=(equals, Member(segment=hostile))))
    assert sql.segments == {"segment_1": hostile}
    assert sql.parameters == (hostile,)
    assert sql.condition.count(rule_sql.identifier(hostile)) == 2
