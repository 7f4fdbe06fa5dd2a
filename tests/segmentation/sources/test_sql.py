from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ci_magics.errors import SegmentError
from ci_magics.segmentation.segment import Profiles, build_segment_from_sql
from ci_magics.segmentation.sources.queries import parameter_names, referenced_tables

PEOPLE = pd.DataFrame(
    {
        "Id": ["a", "b", "c"],
        "EMail": ["jan@contoso.com", "eva@contoso.com", "bo@contoso.com"],
        "Name": ["Jan", "O'Neil", 'Bo "B" $x'],
        "Spend": [1, 2, 3],
    }
)
ORDERS = pd.DataFrame({"Id": ["a", "a", "c"], "Total": [5, 6, 7]})


def run(sql: str, **parameters: Any) -> Profiles:
    return build_segment_from_sql("S", sql, frames={"people": PEOPLE, "orders": ORDERS}, parameters=parameters)


def keys(sql: str, **parameters: Any) -> list[Any]:
    return list(run(sql, **parameters).rows.table()["key"].to_pylist())


@pytest.mark.parametrize(
    ("sql", "kept"),
    [
        ("SELECT * FROM people;", ["a", "b", "c"]),
        ("FROM people WHERE Spend > 1", ["b", "c"]),
        ("WITH rich AS (SELECT * FROM people WHERE Spend = 3) SELECT * FROM rich", ["c"]),
        ("SELECT * FROM people SEMI JOIN orders USING (Id) ORDER BY Id", ["a", "c"]),
        ("SELECT EMail, Spend AS Id FROM people", [1, 2, 3]),
        ("SELECT EMail FROM people", [1, 2, 3]),
    ],
)
def test_segment_is_one_select(sql: str, kept: list[Any]) -> None:
    profiles = run(sql)
    assert profiles.rows.table()["key"].to_pylist() == kept
    assert profiles.segment.where == sql


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "-- nothing",
        "SELECT * FROM people; SELECT 1",
        "COPY people TO 'FILE'",
        "COPY (SELECT * FROM people) TO 'FILE' (FORMAT parquet)",
        "EXPORT DATABASE 'FILE'",
        "ATTACH 'FILE' AS stolen",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "CREATE TABLE t AS SELECT * FROM people",
        "INSERT INTO people VALUES (1)",
        "DELETE FROM people",
        "DROP VIEW people",
        "EXPLAIN SELECT * FROM people",
    ],
)
def test_statement_other_than_select_is_refused(sql: str, tmp_path: Path) -> None:
    with pytest.raises(SegmentError, match="A segment is one SELECT"):
        run(sql.replace("FILE", str(tmp_path / "taken")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('FILE')",
        "SELECT content AS email FROM read_text('FILE')",
        "SELECT * FROM read_parquet('FILE')",
        "SELECT file AS email FROM glob('FOLDER/*')",
        "SELECT * FROM people WHERE Id IN (SELECT content FROM read_text('FILE'))",
        "SELECT * FROM read_csv('https://example.com/people.csv')",
    ],
)
def test_query_reads_only_the_frames(sql: str, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("email\njan@contoso.com\n", "utf-8")
    with pytest.raises(SegmentError, match="only the frames of the notebook"):
        run(sql.replace("FILE", str(file)).replace("FOLDER", str(tmp_path)))


def test_duckdb_extension_is_not_installed() -> None:
    with pytest.raises(SegmentError, match="The query cannot be run"):
        run("SELECT * FROM sqlite_scan('x', 'y')")


def test_python_variable_is_not_read() -> None:
    hidden = PEOPLE
    assert len(hidden) == 3
    with pytest.raises(SegmentError, match="there is no table 'hidden'"):
        run("SELECT * FROM hidden")


@given(st.text(max_size=30).filter(lambda text: "\x00" not in text))
@example("' OR 1 = 1 --")
@example("O'Neil'; DROP VIEW people; --")
@example("$least")
def test_parameter_is_always_a_value(text: str) -> None:
    assert keys("SELECT * FROM people WHERE Name = $name", name=text) == PEOPLE[PEOPLE.Name == text].Id.tolist()


@pytest.mark.parametrize("value", [2, 2.0, np.int64(2), np.float32(2), np.bool_(True), pd.Timestamp(2026, 1, 1), None])
def test_parameter_can_be_any_plain_value(value: Any) -> None:
    assert keys("SELECT * FROM people WHERE $value IS NOT DISTINCT FROM $value", value=value) == ["a", "b", "c"]


def test_parameter_can_be_a_list() -> None:
    assert keys("SELECT * FROM people WHERE Id IN $ids", ids=["a", "c"]) == ["a", "c"]


def test_parameter_without_a_value_is_named() -> None:
    with pytest.raises(SegmentError, match=r"no value for \$least"):
        run("SELECT * FROM people WHERE Spend > $least")
    with pytest.raises(SegmentError, match="no value for a question mark"):
        run("SELECT * FROM people WHERE Spend > ?")


def test_parameter_cannot_be_a_frame() -> None:
    with pytest.raises(SegmentError, match=r"\$others is a frame"):
        run("SELECT * FROM people WHERE Id IN $others", others=ORDERS)


def test_unused_parameter_is_not_bound() -> None:
    assert keys("SELECT * FROM people WHERE Name <> '$other'", other=object()) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT $b, $a, $b", ["a", "b"]),
        ("SELECT '$a', \"$b\" -- $c\n, /* $d */ $e", ["e"]),
        ("SELECT $$ $a $$, $tag$ $b $tag$", []),
        ("SELECT 1 -- don't\n, $a -- won't", ["a"]),
        ("SELEC $a", []),
    ],
)
def test_parameters_are_found_outside_texts_and_comments(sql: str, names: list[str]) -> None:
    assert parameter_names(sql) == names


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT * FROM People p, orders", {"People", "orders"}),
        ("WITH c AS (FROM people WHERE Spend > $x) SELECT * FROM c JOIN orders USING (Id)", {"people", "orders"}),
        ('SELECT 1 WHERE 1 IN (SELECT Id FROM people UNION ALL SELECT Id FROM "orders")', {"people", "orders"}),
        ("SELECT 'FROM people' FROM range(3)", set()),
        ("SELECT FROM FROM", set()),
        ("COPY people TO 'x'", set()),
    ],
)
def test_tables_of_a_query_are_found(sql: str, tables: set[str]) -> None:
    assert referenced_tables(sql) == tables


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT EMial FROM people", "There is no column 'EMial'. Did you mean 'EMail'"),
        ("SELECT p.Spent, EMail FROM people p", "There is no column 'Spent'. Did you mean 'Spend'"),
        ("SELECT * FROM poeple", "there is no table 'poeple'. Did you mean 'people'"),
        ("SELECT EMail FROM people WHERE whatever(Id)", "there is no function 'whatever'"),
        ("SELECT EMail FORM people GROUP", 'syntax error at or near "people"'),
        ("SELECT EMail FROM people WHERE EMail::INT = 1", "a value of the column EMail is not of type INT32"),
        ('SELECT EMail FROM people WHERE Name = "jan@contoso.com"', "double quotes"),
    ],
)
def test_mistake_is_explained_without_quoting_a_value(sql: str, words: str) -> None:
    with pytest.raises(SegmentError) as refused:
        run(sql)
    assert words in refused.value.sentence
    assert "@" not in str(refused.value)


def test_join_with_duplicate_column_names_is_refused() -> None:
    with pytest.raises(SegmentError, match="Two columns of the query are named 'Id'"):
        run("SELECT * FROM people p JOIN orders o ON p.Id = o.Id")


def test_email_column_of_a_query_is_found_like_that_of_a_frame() -> None:
    with pytest.raises(SegmentError, match=r"No column is named like an e-mail address\. The columns are Id"):
        run("SELECT Id FROM people")
    with pytest.raises(SegmentError, match="holds int64 values"):
        run("SELECT Spend AS email FROM people")


@pytest.mark.parametrize(
    ("sql", "words", "pointed"),
    [
        ("SELECT *\nFROM people\nWHERE Spend = = 3", "line 3, position 15", "= 3"),
        ("SELECT * FROM people WHERE Spend = = 3 AND EMail = 'jan@contoso.com'", "position 36", "= 3 AND EMail = **"),
        (f"SELECT {', '.join(f'Spend + {n}' for n in range(90))} FRM people WHERE", "position 1081", "people WHERE"),
        ("SELECT 'é', '日本', EMail::INT FROM people", "position 24", "::INT FROM people"),
    ],
)
def test_pointer_marks_the_position_in_a_query(sql: str, words: str, pointed: str) -> None:
    with pytest.raises(SegmentError) as refused:
        run(sql)
    assert words in refused.value.sentence
    shown, pointer = refused.value.sentence.splitlines()[2:4]
    narrow = "".join(letter + "." * (letter in "日本") for letter in shown)  # these are two columns wide
    assert narrow[pointer.index("^") :].startswith(pointed)
    assert "@" not in str(refused.value)
