"""A named encoding applies to every verb that reads files, and to each refresh."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import ci_magics as ci
from ci_magics.activation.refreshes.refresh import refresh
from ci_magics.errors import ArgumentError, SegmentError

pytestmark = pytest.mark.usefixtures("workspace")

#: Files without a byte order mark are read as Windows-1252, in which the city is another word.
CITY, ENCODING = "Łódź", "cp1250"
ROWS = [f"c{number},p{number}@contoso.com,{CITY if number < 3 else 'Ghent'}" for number in range(8)]


def write(folder: Path, rows: list[str], name: str = "people.csv") -> Path:
    path = folder / name
    if path.suffix == ".jsonl":
        cells = [row.split(",") for row in rows]
        text = "".join(f'{{"Id": "{key}", "EMail": "{email}", "City": "{city}"}}\n' for key, email, city in cells)
    else:
        text = "\n".join(["Id,EMail,City", *rows]) + "\n"
    path.write_bytes(text.encode(ENCODING))
    return path


@pytest.fixture(params=["people.csv", "people.jsonl"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write(tmp_path, ROWS, request.param)


def quietly(_sentence: str) -> None:
    """Show nothing."""


WAYS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "condition": lambda path: {"frame": path, "where": f"City = '{CITY}'"},
    "rule": lambda path: {"frame": path, "rule": f'City equals "{CITY}"'},
    "query": lambda path: {"frame": f"SELECT * FROM '{path}' WHERE City = '{CITY}'"},
    "query with a value": lambda path: {
        "frame": f"SELECT * FROM '{path}' WHERE City = $city",
        "parameters": {"city": CITY},
    },
}


@pytest.mark.matrix
@pytest.mark.parametrize("way", WAYS)
def test_refresh_uses_the_named_encoding(path: Path, way: str) -> None:
    said: list[str] = []
    assert ci.segment("S", **WAYS[way](path), encoding=ENCODING, show=said.append).rows == 3
    assert not said
    write(path.parent, [*ROWS, f"c8,p8@contoso.com,{CITY}"], path.name)
    assert ci.segments.refresh("S", show=quietly).rows == 4
    ci.segments.undo("S", show=quietly)
    write(path.parent, ROWS[:2], path.name)
    refresh(show=quietly)
    assert ci.segments.overview("S").to_frame()["profiles"].tolist() == [2]


def test_copy_of_a_segment_keeps_the_encoding(path: Path) -> None:
    ci.segment("S", path, where=f"City = '{CITY}'", encoding=ENCODING, show=quietly)
    ci.segments.duplicate("S", "T")
    assert ci.segments.refresh("T", show=quietly).rows == 3


def test_quick_segments_use_the_named_encoding(path: Path) -> None:
    assert ci.quick_segments(path, "City", encoding=ENCODING).to_frame()["value"].tolist() == ["Ghent", CITY]
    assert CITY not in ci.quick_segments(str(path), "City").to_frame()["value"].tolist()


def test_rules_are_inspected_in_the_named_encoding(path: Path) -> None:
    rule = f'City equals "{CITY}"'
    assert ci.inspect_rules(path, rule, encoding=ENCODING).counts[0].profiles == 3
    assert ci.inspect_rules(path, rule).counts[0].profiles == 0


def test_differentiators_use_the_named_encoding(path: Path) -> None:
    for name, operator in (("One", "="), ("Two", "<>")):
        ci.segment(name, path, where=f"City {operator} '{CITY}'", encoding=ENCODING, show=quietly)
    found = ci.differentiators("One", "Two", path, encoding=ENCODING).to_frame()
    assert set(found["value"]) == {CITY, "Ghent"}


def test_near_value_is_suggested_in_the_named_encoding(path: Path) -> None:
    made = {
        "where": {"frame": path, "where": "City = 'Łódz'"},
        "rule": {"frame": path, "rule": 'City equals "Łódz"'},
        "query": {"frame": f"SELECT * FROM '{path}' WHERE City = 'Łódz'"},
    }
    ci.segment("S", path, encoding=ENCODING, show=quietly)
    for given in made.values():
        with pytest.raises(SegmentError, match=CITY):
            ci.segment("S", **given, encoding=ENCODING, show=quietly)


def test_consent_is_looked_up_in_the_named_encoding(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    lines = ["Id,EMail,Einwilligung", "c1,p1@contoso.com,zażółć", "c2,p2@contoso.com,nein"]
    path.write_bytes("\n".join(lines).encode(ENCODING))
    query = f"SELECT Id, EMail FROM '{path}'"
    made = ci.segment("S", query, consent_yes="zażółć", encoding=ENCODING, show=quietly)
    assert (made.consent.consented, made.consent.refused, made.consent.unknown) == (1, 1, 0)


FRAME = pd.DataFrame({"Id": ["c1"], "EMail": ["p1@contoso.com"], "City": [CITY]})
VERBS: dict[str, Callable[[], Any]] = {
    "segment": lambda: ci.segment("S", FRAME, encoding=ENCODING),
    "rule over segments": lambda: ci.segment("S", rule="'S'", encoding=ENCODING),
    "database": lambda: ci.segment("S", "SELECT 1", database="duckdb:///", encoding=ENCODING),
    "quick_segments": lambda: ci.quick_segments(FRAME, "City", encoding=ENCODING),
    "inspect_rules": lambda: ci.inspect_rules(FRAME, "City is known", encoding=ENCODING),
    "differentiators": lambda: ci.differentiators("S", "S", FRAME, encoding=ENCODING),
}


@pytest.mark.parametrize("suffix", ["parquet", "xlsx"])
@pytest.mark.parametrize("source", ["{}", "SELECT * FROM '{}'"])
def test_encoding_of_other_files_is_refused(suffix: str, source: str, tmp_path: Path) -> None:
    path = tmp_path / f"people.{suffix}"
    FRAME.to_parquet(path) if suffix == "parquet" else FRAME.to_excel(path, index=False)
    with pytest.raises(ArgumentError, match="Only files of text have an encoding"):
        ci.segment("S", source.format(path), encoding=ENCODING, show=quietly)


def test_query_can_read_files_with_an_encoding_and_others(tmp_path: Path) -> None:
    FRAME.to_parquet(tmp_path / "cities.parquet")
    (tmp_path / "people.csv").write_bytes(f"Id,EMail,Town\nc1,p1@contoso.com,{CITY}".encode(ENCODING))
    query = f"SELECT p.Id, p.EMail FROM '{tmp_path}/people.csv' p JOIN '{tmp_path}/cities.parquet' c ON p.Town = c.City"
    assert ci.segment("S", query, encoding=ENCODING, show=quietly).rows == 1


@pytest.mark.parametrize("verb", VERBS)
def test_encoding_without_a_file_is_refused(verb: str) -> None:
    with pytest.raises(ArgumentError, match="Only files of text have an encoding"):
        VERBS[verb]()
