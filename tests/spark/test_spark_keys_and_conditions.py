from __future__ import annotations

from typing import Any

import contoso
import pandas as pd
import pyarrow as pa
import pytest

import ci_magics as ci
from ci_magics.errors import SegmentError
from ci_magics.matching.packed import pack
from ci_magics.segmentation.segment import build_segment
from ci_magics.segmentation.spark import build_spark_segment
from ci_magics.workspace.store import Workspace

PEOPLE = pd.DataFrame(
    {
        "Id": ["a", "b", "c", "d"],
        "CustomerId": ["x", "x", None, "y"],
        "EMail": [f"p{number}@contoso.com" for number in range(4)],
        "TotalSpend": [1.0, 600.0, None, 900.0],
        "Country": ["NL", "nl", "DE", "it's"],
    }
)
SECRET = "jan.jansen@contoso.com"


@pytest.fixture(scope="module")
def people(spark: Any) -> Any:
    return spark.createDataFrame(PEOPLE)


def test_first_unique_candidate_is_the_key(people: Any) -> None:
    built = build_spark_segment("S", people)
    assert (built.segment.key, built.segment.rows) == ("Id", 4)
    assert build_segment("S", PEOPLE).segment.key == "Id"


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            ["CustomerId", "EMail"],
            "No column identifies the profiles: CustomerId has 1 empty value and 1 repeated value.",
        ),
        (["EMail"], "No column identifies the profiles."),
    ],
)
def test_rows_are_not_numbered(people: Any, columns: list[str], words: str) -> None:
    with pytest.raises(SegmentError) as refused:
        build_spark_segment("S", people.select(*columns))
    assert refused.value.sentence == words
    assert "key=COLUMN" in refused.value.next_step
    assert "no fixed order" in refused.value.next_step


def test_requested_key_must_be_unique(people: Any) -> None:
    with pytest.raises(SegmentError, match="The key column CustomerId has 1 empty value and 1 repeated value"):
        build_spark_segment("S", people, key="CustomerId")
    with pytest.raises(SegmentError, match="Did you mean 'CustomerId'"):
        build_spark_segment("S", people, key="CustmerId")
    with pytest.raises(SegmentError, match="The key column Flags holds values that cannot identify profiles"):
        build_spark_segment("S", people.selectExpr("EMail", "array(Id) AS Flags"), key="Flags")


def test_uniqueness_is_checked_after_the_condition(people: Any) -> None:
    assert build_spark_segment("S", people, where="Id IN ('a', 'd')").segment.key == "CustomerId"


def test_address_used_as_key_is_never_stored(people: Any, workspace: Workspace) -> None:
    made = ci.segment("S", people.select("EMail"), key="EMail")
    keys = workspace.snapshots.read(made.id)["key"].to_pylist()
    assert sorted(keys) == sorted(contoso.hash_of(each) for each in PEOPLE["EMail"])


@pytest.mark.parametrize(
    "where",
    [
        "TotalSpend > 500",
        "TotalSpend IS NULL OR Country ILIKE 'N_'",
        "regexp_matches(Country, '^[A-Z]+$')",
        "Country = 'it''s'",
        'list_contains([1.0, 900.0], "TotalSpend")',
        "COLUMNS('Coun.*') = 'NL'",
        "profiles.Country = 'NL'",
        "totalspend % 2 = 0 -- even ones",
        "false",
    ],
)
def test_condition_selects_the_same_rows_as_on_pandas(people: Any, workspace: Workspace, where: str) -> None:
    on_spark = ci.segment("Spark", people, where=where, key="Id")
    here = ci.segment("pandas", PEOPLE, where=where, key="Id")
    keys = [workspace.snapshots.read(each.id)["key"].to_pylist() for each in (on_spark, here)]
    assert sorted(keys[0]) == keys[1]
    assert on_spark.rows == here.rows == len(keys[1])


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("TotlSpend > 5", "Did you mean 'TotalSpend'"),
        ("TotalSpend > 5 AND", 'syntax error at or near "AND"'),
        ("TotalSpend > $least", r"no value for \$least"),
        ("TotalSpend > (SELECT avg(TotalSpend) FROM profiles)", "one profile at a time"),
        ("sum(TotalSpend) > 1", "cannot contain aggregates"),
        ("EMail::INTEGER > 1", "a value of the column EMail is not of type INT32"),
        ("", "The condition is empty"),
    ],
)
def test_wrong_condition_gets_the_same_error_as_on_pandas(people: Any, where: str, words: str) -> None:
    with pytest.raises(SegmentError, match=words) as refused:
        build_spark_segment("S", people, where=where)
    assert "contoso" not in str(refused.value)
    assert refused.value.next_step


def test_names_that_differ_only_in_case_are_refused_only_by_sql(people: Any) -> None:
    frame = people.selectExpr("Id", "EMail AS email", "Country AS Email")
    with pytest.raises(SegmentError, match="cannot tell the columns email and Email apart"):
        build_spark_segment("S", frame, email="email", where="true")
    assert build_spark_segment("S", frame, email="email").segment.email == "email"


def test_addresses_must_be_text(people: Any) -> None:
    with pytest.raises(SegmentError, match="EMail holds double values, not e-mail addresses"):
        build_spark_segment("S", people.selectExpr("Id", "TotalSpend AS EMail"))


def test_executor_imports_little_of_the_package(people: Any) -> None:
    built = build_spark_segment("S", people, where="TotalSpend > 0")
    pipeline = built.pipeline

    def loaded(batches: Any) -> Any:
        import sys

        assert list(pack(pipeline, batches))
        yield pa.RecordBatch.from_pydict({"module": sorted(sys.modules)})

    modules = {row[0] for row in built.frame.coalesce(1).mapInArrow(loaded, "module string").collect()}
    ours = {name for name in modules if name.startswith("ci_magics.")}
    assert "ci_magics.matching.packed" in ours
    parts = {name.split(".")[1] for name in ours}
    at_the_root = {
        *("advice", "discreet", "discretion", "display", "errors", "forking", "in_memory", "memory", "naming"),
        *("one_line", "quoting", "unquoted", "version"),
    }
    assert parts - at_the_root == {"matching", "segmentation"}
    scratch_folders = (
        "ci_magics.segmentation.rules",
        "ci_magics.segmentation.sources.databases",
        "ci_magics.segmentation.spark",
    )
    assert [name for name in sorted(ours) if name.startswith(scratch_folders)] == []
    assert len(ours) <= 40, sorted(ours)
    foreign = {"IPython", "ipywidgets", "keyring", "msal", "pydantic", "requests", "sqlalchemy", "tornado"}
    assert modules & foreign == set()
