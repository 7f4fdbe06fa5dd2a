"""The collections: their content, how they are shown, and the workspace that they read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import contoso
import pandas as pd
import pytest

import ci_magics as ci

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace


@pytest.fixture(autouse=True)
def filled(workspace: Workspace, emulator: RunningEmulator) -> None:
    assert workspace
    assert emulator
    contoso.connect()
    contoso.segment(5)
    contoso.segment(3, name="Some")
    ci.exports.save("Weekly", "All", to=contoso.NAME)


def test_a_collection_is_iterable_and_has_a_length_and_names() -> None:
    assert [each.name for each in ci.segments] == ci.segments.names() == ["All", "Some"]
    assert len(ci.segments) == 2
    assert "All" in ci.segments
    assert "Al" not in ci.segments
    assert [each.name for each in ci.exports] == ["Weekly"]
    assert [each.name for each in ci.connections] == [contoso.NAME]
    assert [each.name for each in ci.roles] == ci.roles.names()


def test_value_of_a_name_can_be_passed_to_functions() -> None:
    assert ci.preview(ci.segments["All"], to=ci.connections[contoso.NAME]).segments[0].rows == 5
    assert ci.exports["Weekly"].segments == ("All",)
    both = ci.segment("Both", ci.segments["All"] & ci.segments["Some"])
    assert both.rows == 3


def test_an_unknown_name_suggests_the_nearest() -> None:
    for collection, name in ((ci.segments, "Sone"), (ci.exports, "Wekly"), (ci.connections, "Contoso UE")):
        with pytest.raises(ci.NotFoundError, match="Did you mean"):
            collection[name]
    with pytest.raises(ci.NotFoundError):
        ci.runs["last"]


def test_segment_has_its_tags_and_state() -> None:
    assert ci.segments.tag("All", "vip", "spring").tags == ("vip", "spring")
    assert not ci.segments.deactivate("All").active
    assert ci.segments.activate("All").active
    assert ci.segments.suppress("Some").suppresses
    assert not ci.segments.end_suppression("Some").suppresses
    assert ci.segments.rename("Some", to="Few").name == "Few"
    assert ci.segments.duplicate("Few", to="Copy").rows == 3
    assert ci.segments["All"].tags == ("vip", "spring")


@pytest.mark.parametrize("name", ["segments", "exports", "connections", "roles"])
def test_a_collection_is_shown_as_its_table(name: str) -> None:
    collection = getattr(ci, name)
    assert repr(collection) == repr(collection.overview())
    assert collection._repr_html_() == collection.overview()._repr_html_()
    assert "<table" in collection._repr_html_()
    pd.testing.assert_frame_equal(collection.to_frame(), collection.overview().to_frame())
    assert len(collection.to_frame()) == len(collection)


def test_collection_reads_the_workspace_at_each_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segments = ci.segments
    monkeypatch.setenv("CI_MAGICS_WORKSPACE", str(tmp_path / "other"))
    assert segments.names() == []


def test_another_workspace_has_the_same_collections(tmp_path: Path) -> None:
    other = ci.open_workspace(tmp_path / "other")
    assert [type(each) for each in (other.segments, other.exports, other.connections, other.runs)] == [
        type(each) for each in (ci.segments, ci.exports, ci.connections, ci.runs)
    ]
    ci.segment("There", contoso.people(2), workspace=other)
    assert other.segments.names() == ["There"]
    assert "There" not in ci.segments
    other.segments.rename("There", to="Elsewhere")
    assert ci.preview("Elsewhere", workspace=other).segments[0].rows == 2


def test_run_is_found_by_its_id_or_as_the_last() -> None:
    first = ci.export("All", to=contoso.NAME)
    second = ci.export("Some", to=contoso.NAME)
    assert ci.runs["last"].id == second.id
    assert ci.runs[first.id[:8]].id == first.id
    assert [each.id for each in ci.runs] == [second.id, first.id]
    assert len(ci.runs.unfinished()) == 0
    with pytest.raises(ci.NotFoundError):
        ci.runs.resume("last")


def test_an_interrupted_run_is_listed_and_resumed() -> None:
    def stop(_progress: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(ci.ExportStoppedError):
        ci.export("All", to=contoso.NAME, progress=stop)
    (line,) = ci.runs.unfinished()
    assert ci.runs.resume("last").id.startswith(line.run)
    assert len(ci.runs.unfinished()) == 0
    assert ci.runs["last"].status == "Completed"
