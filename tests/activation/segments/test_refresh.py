from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import polars as pl
import pytest
from contoso import people
from sqlalchemy import create_engine, text

import ci_magics as ci
from ci_magics.activation.segments.definitions import Definition
from ci_magics.errors import NotFoundError, SegmentError

if TYPE_CHECKING:
    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("workspace")


def write(path: Path, count: int) -> Path:
    pl.from_pandas(people(count)).write_parquet(path)
    return path


def test_file_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("all.parquet"), 3)
    ci.segment("All", "all.parquet", where="Id <> 'k0'")
    write(Path("all.parquet"), 5)
    monkeypatch.chdir("/")
    assert ci.segments.refresh("All").rows == 4
    assert ci.segments.history("All").to_frame()["profiles"].tolist() == [2, 4]


def test_query_over_files_and_segments_is_run_again_with_its_values(tmp_path: Path) -> None:
    path = write(tmp_path / "all.parquet", 5)
    ci.segment("Some", str(path), where="Id = 'k1'")
    sql = f"SELECT * FROM '{path}' WHERE Id <> $left_out AND Id NOT IN (SELECT Id FROM \"Some\")"
    ci.segment("Others", sql, parameters={"left_out": "k0"})
    write(path, 9)
    assert ci.segments.refresh("Others").rows == 7


def test_segment_of_segments_follows_them(tmp_path: Path) -> None:
    path = write(tmp_path / "all.parquet", 3)
    one = ci.segment("One", str(path))
    two = ci.segment("Two", people(1))
    ci.segment("Both", one - two)
    write(path, 5)
    ci.segments.refresh("One")
    assert ci.segments.refresh("Both").rows == 4


def test_database_is_queried_again_and_its_password_is_not_stored(tmp_path: Path, workspace: Workspace) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.sqlite'}")
    with engine.begin() as database:
        database.execute(text("CREATE TABLE people (Id INTEGER, EMail TEXT)"))
        database.execute(text("INSERT INTO people VALUES (1, 'a@contoso.com')"))
    ci.segment("All", "SELECT * FROM people", database=engine)
    with engine.begin() as database:
        database.execute(text("INSERT INTO people VALUES (2, 'b@contoso.com')"))
    assert ci.segments.refresh("All").rows == 2
    made = Definition.model_validate(workspace.segments["All"].definition["source"])
    assert made.database == f"sqlite:///{tmp_path / 'shop.sqlite'}"


@pytest.mark.parametrize(
    ("frame", "why"), [(people(3), "it reads a frame of a notebook"), ("SELECT * FROM p", "it reads p of a notebook")]
)
def test_segment_of_notebook_variables_is_static_with_the_reason(frame: pd.DataFrame | str, why: str) -> None:
    ci.segment("All", frame, frames={"p": people(3)} if isinstance(frame, str) else None)
    with pytest.raises(SegmentError, match=f"is static: {why}"):
        ci.segments.refresh("All")


def test_segment_with_a_value_that_cannot_be_stored_is_static(tmp_path: Path) -> None:
    sql = f"SELECT * FROM '{write(tmp_path / 'all.parquet', 3)}' WHERE length(Id) > $least"
    ci.segment("All", sql, parameters={"least": Decimal("1.5")})
    with pytest.raises(SegmentError, match=r"is static: the value of \$least cannot be stored"):
        ci.segments.refresh("All")


def test_file_that_mixes_encodings_leaves_the_segment_and_names_the_option(
    tmp_path: Path, workspace: Workspace
) -> None:
    path = tmp_path / "all.csv"
    path.write_text("Id,EMail,Name\nZoë,a@contoso.com,x\n", "utf-8")
    ci.segment("All", str(path))
    path.write_bytes(path.read_bytes() + "Noël,b@contoso.com,x\n".encode("cp1252"))
    with pytest.raises(SegmentError, match="'All' stays as it was") as refused:
        ci.segments.refresh("All")
    assert 'ci.segments.refresh("All", encoding="cp1252")' in refused.value.next_step
    assert workspace.segments["All"].rows == 1
    assert ci.segments.refresh("All", encoding="cp1252").rows == 2


@pytest.mark.parametrize(("left", "option"), [(2, "allow_shrink"), (0, "allow_empty")])
def test_refresh_that_loses_most_profiles_is_refused_unless_allowed(
    tmp_path: Path, workspace: Workspace, left: int, option: str
) -> None:
    path = write(tmp_path / "all.parquet", 1000)
    ci.segment("All", str(path))
    write(path, left)
    with pytest.raises(SegmentError) as refused:
        ci.segments.refresh("All")
    assert f'ci.segments.refresh("All", {option}=True)' in refused.value.next_step
    assert workspace.segments["All"].rows == 1000
    assert ci.segments.refresh("All", **{option: True}).rows == left


def test_segment_of_a_renamed_segment_follows_it(tmp_path: Path) -> None:
    path = write(tmp_path / "all.parquet", 3)
    one, two = ci.segment("One", str(path)), ci.segment("Two", people(1))
    ci.segment("Both", one - two)
    ci.segments.rename("Two", "Second")
    write(path, 5)
    ci.segments.refresh("One")
    assert ci.segments.refresh("Both").rows == 4


def test_segment_that_a_query_reads_keeps_its_name(tmp_path: Path, workspace: Workspace) -> None:
    path = write(tmp_path / "all.parquet", 5)
    ci.segment("Some", str(path), where="Id = 'k1'")
    ci.segment("Others", f"SELECT * FROM '{path}' WHERE Id NOT IN (SELECT Id FROM \"Some\")")
    with pytest.raises(SegmentError) as refused:
        ci.segments.rename("Some", "Few")
    assert refused.value.code == "segment_in_query"
    with pytest.raises(SegmentError) as refused:
        ci.segments.delete("Some")
    assert refused.value.code == "segment_in_use"
    assert set(workspace.segments.names()) == {"Others", "Some"}


def test_missing_file_is_named_and_the_segment_stays(tmp_path: Path, workspace: Workspace) -> None:
    path = write(tmp_path / "all.parquet", 3)
    ci.segment("All", str(path))
    path.unlink()
    with pytest.raises(SegmentError, match=r"'All' stays as it was: there is no file 'all\.parquet'\."):
        ci.segments.refresh("All")
    assert workspace.segments["All"].rows == 3


def test_inactive_segment_is_not_refreshed(tmp_path: Path) -> None:
    ci.segment("All", str(write(tmp_path / "all.parquet", 3)))
    ci.segments.deactivate("All")
    with pytest.raises(SegmentError, match="is inactive"):
        ci.segments.refresh("All")
    ci.segments.activate("All")
    assert ci.segments.refresh("All").rows == 3


def test_unknown_segment_suggests_the_nearest() -> None:
    ci.segment("All", people(1))
    with pytest.raises(NotFoundError, match="Did you mean 'All'"):
        ci.segments.refresh("Al")
