"""``$name`` in a magic and parameters in Python give the same segment, from any source."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import ci_magics as ci
from ci_magics.errors import NotFoundError, SegmentError

if TYPE_CHECKING:
    from conftest import Notebook

CUSTOMERS = pd.DataFrame(
    {
        "CustomerId": ["a", "b", "c", "d"],
        "EMail": ["a@contoso.com", "b@contoso.com", "c@contoso.com", "d@contoso.com"],
        "Country": ["NL", "BE", "N'L", "DE"],
        "TotalSpend": [100.0, 300.0, 600.0, 900.0],
        "Since": pd.to_datetime(["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"]),
    }
)
LINES: list[tuple[str, dict[str, Any], int]] = [
    ('--where "TotalSpend > $least"', {"least": 500}, 2),
    ('--where "Country = $country"', {"country": "N'L"}, 1),
    ('--where "Country = $country"', {"country": "x' OR 1 = 1 --"}, 0),
    ('--where "Country IN $ones"', {"ones": ["NL", "DE"]}, 2),
    ('--where "Country IN ($ones) AND TotalSpend < $most"', {"ones": ("NL", "DE"), "most": 500}, 1),
    ('--where "Since >= $day"', {"day": dt.date(2026, 3, 1)}, 2),
    ('--where "Since >= $day"', {"day": pd.Timestamp("2026-04-01")}, 1),
    ("--where \"Country = '$country'\"", {}, 0),
    ('--rule "TotalSpend > $least"', {"least": 500}, 2),
    ('--rule "Country is any of $ones"', {"ones": ["NL", "DE"]}, 2),
    ('--rule "Country equals $country"', {"country": "NL or TotalSpend > 1"}, 0),
    ('--rule "Since is greater than or equal to $day"', {"day": dt.date(2026, 3, 1)}, 2),
]


@pytest.fixture(params=["frame", "parquet", "csv"])
def frame(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the argument after the segment's name: a variable, or a path."""
    path = tmp_path / f"customers.{request.param}"
    if request.param == "parquet":
        CUSTOMERS.to_parquet(path)
    elif request.param == "csv":
        CUSTOMERS.to_csv(path, index=False)
    return "people" if request.param == "frame" else str(path)


@pytest.mark.matrix
@pytest.mark.parametrize(("options", "values", "rows"), LINES)
def test_magic_binds_values_of_variables(
    notebook: Notebook, frame: str, options: str, values: dict[str, Any], rows: int
) -> None:
    notebook.variables.update(values, people=CUSTOMERS)
    assert (
        notebook.run(f'%ci_segment A "{frame}" {options}' if "/" in frame else f"%ci_segment A {frame} {options}").rows
        == rows
    )


def test_python_binds_parameters_and_the_definition_stores_their_values(tmp_path: Path) -> None:
    CUSTOMERS.to_parquet(tmp_path / "c.parquet")
    path = str(tmp_path / "c.parquet")
    made = ci.segment("A", path, where="TotalSpend > $least AND Country <> $c", parameters={"least": 500, "c": "DE"})
    assert (made.rows, made.where) == (1, "TotalSpend > 500 AND Country <> 'DE'")
    assert ci.segments.refresh("A").rows == 1
    assert ci.segment("B", path, rule="TotalSpend > $least", parameters={"least": 500}).rule == "TotalSpend > 500"
    assert ci.segments.refresh("B").rows == 2


def test_definition_contains_no_address(tmp_path: Path) -> None:
    CUSTOMERS.to_parquet(tmp_path / "c.parquet")
    for given in ({"where": "EMail = $who"}, {"rule": "EMail equals $who"}):
        made = ci.segment("A", str(tmp_path / "c.parquet"), **given, parameters={"who": "a@contoso.com"})
        assert made.rows == 1
        assert "a@contoso.com" not in repr(made)
        assert "a@contoso.com" not in str(ci.open_workspace().store.segments["A"].definition)
        with pytest.raises(SegmentError, match="contains an e-mail address"):
            ci.segments.refresh("A")


@pytest.mark.parametrize("options", ['--where "TotalSpend > $leest"', '--rule "TotalSpend > $leest"'])
def test_unknown_variable_suggests_the_nearest(notebook: Notebook, options: str) -> None:
    notebook.variables.update(people=CUSTOMERS, least=1)
    error = notebook.fail(f"%ci_segment A people {options}")
    assert isinstance(error, NotFoundError)
    assert error.sentence == "There is no variable leest for $leest. Did you mean $least?"


def test_changed_value_makes_a_new_version(notebook: Notebook) -> None:
    notebook.variables.update(people=CUSTOMERS, least=500)
    line = '%ci_segment A people --where "TotalSpend > $least" # the big ones'
    first, again = notebook.run(line), notebook.run(line)
    assert first.id == again.id
    notebook.variables["least"] = 100
    changed = notebook.run(line)
    assert (changed.rows, changed.id == first.id) == (3, False)
