"""Eight kernels work in one workspace at the same time: nothing is lost, blocked or sent twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import contoso
import pytest
from kernels import Kernels, running_kernels

import ci_magics as ci
from ci_magics.workspace.store import Workspace

if TYPE_CHECKING:
    from conftest import RunningEmulator

pytestmark = pytest.mark.slow

EIGHT = 8
ALL_DONE = [("done", number) for number in range(EIGHT)]
APPLY = "ApplyCustomerListUserData"


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernels]:
    with running_kernels(EIGHT, tmp_path_factory.mktemp("kernels")) as running:
        yield running


@pytest.fixture
def new_location(tmp_path: Path) -> str:
    """Return a location without a workspace."""
    return str(tmp_path / "new")


def test_workspace_opened_by_all_at_once_is_created_once(
    kernels: Kernels, monkeypatch: pytest.MonkeyPatch, new_location: str
) -> None:
    monkeypatch.setenv("CI_MAGICS_WORKSPACE", new_location)
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    answers = kernels.at_once(
        """
from ci_magics.workspace.store import open_workspace
return [each.role for each in open_workspace().roles]
"""
    )
    assert answers == [("done", ["administrator"])] * EIGHT


def test_concurrent_changes_are_not_lost(kernels: Kernels, workspace: Workspace) -> None:
    contoso.segment(3)
    before = len(workspace.audit)
    answers = kernels.at_once(
        """
from dataclasses import replace
from ci_magics.workspace.access import Verb
from ci_magics.workspace.store import open_workspace
workspace = open_workspace()
for _ in range(25):
    workspace.segments.change(lambda found: replace(found, rows=found.rows + 1), name="All")
    workspace.audit.note(Verb.CHANGE_SEGMENT, "All", by=number)
return number
"""
    )
    assert answers == ALL_DONE
    assert workspace.segments["All"].rows == 3 + EIGHT * 25
    assert len(workspace.audit) == before + EIGHT * 25


def test_concurrent_changes_of_different_fields_are_all_kept(kernels: Kernels, workspace: Workspace) -> None:
    contoso.segment(3)
    answers = kernels.at_once(
        """
import ci_magics as ci
for turn in range(10):
    if number % 2:
        ci.segments.tag("All", f"tag {turn}")
    else:
        (ci.segments.deactivate if turn % 2 else ci.segments.activate)("All")
return number
"""
    )
    assert answers == ALL_DONE
    assert (workspace.segments["All"].tags, workspace.segments["All"].active) == (("tag 9",), False)


def test_segment_created_by_all_is_one_segment_with_versions(kernels: Kernels, workspace: Workspace) -> None:
    answers = kernels.at_once(
        """
import contoso
for turn in range(3):
    contoso.segment(100 * number + turn + 1)
return number
"""
    )
    assert answers == ALL_DONE
    (record,) = workspace.segments
    rows = {each.id: each.rows for each in (record, *workspace.versions)}
    assert sorted(rows.values()) == sorted(100 * number + turn + 1 for number in range(EIGHT) for turn in range(3))
    assert sorted(workspace.snapshots.names()) == sorted(f"{each}.parquet" for each in rows)
    assert {each: workspace.snapshots.read(each).num_rows for each in rows} == rows


def test_identical_segment_created_by_all_has_no_versions(kernels: Kernels, workspace: Workspace) -> None:
    answers = kernels.at_once(
        """
import contoso
for turn in range(3):
    contoso.segment(100)
return number
"""
    )
    assert answers == ALL_DONE
    (record,) = workspace.segments
    assert list(workspace.versions) == []
    assert workspace.snapshots.names() == [f"{record.id}.parquet"]
    assert workspace.snapshots.read(record.id).num_rows == 100


def test_at_most_one_segment_suppresses(kernels: Kernels, workspace: Workspace) -> None:
    for number in range(EIGHT):
        contoso.segment(number + 1, name=f"S{number}")
    answers = kernels.at_once(
        """
import ci_magics as ci
for _ in range(5):
    ci.segments.suppress(f"S{number}")
return number
"""
    )
    assert answers == ALL_DONE
    assert len(workspace.segments.where(suppresses=True)) == 1


def test_file_is_read_as_one_of_the_writers_wrote_it(kernels: Kernels, workspace: Workspace) -> None:
    answers = kernels.at_once(
        """
import pyarrow as pa
from ci_magics.workspace.store import open_workspace
files = open_workspace().ledgers
seen = set()
for turn in range(10):
    files.write("x", pa.table({"number": [number * 100 + turn] * 20_000}))
    found = set(files.read("x")["number"].to_pylist())
    assert len(found) == 1
    seen |= found
return len(seen)
"""
    )
    assert {each for each, _ in answers} == {"done"}
    assert workspace.ledgers.names() == ["x.parquet"]
    assert len(set(workspace.ledgers.read("x")["number"].to_pylist())) == 1


def test_lock_has_one_holder(kernels: Kernels, workspace: Workspace) -> None:
    file = workspace.scratch / "counter"
    file.write_text("0")
    answers = kernels.at_once(
        f"""
from pathlib import Path
from ci_magics.workspace.store import open_workspace
locks, file, taken = open_workspace().locks, Path({str(file)!r}), 0
for turn in range(50):
    if locks.take("the audience", f"run {{number}}") is None:
        file.write_text(str(int(file.read_text()) + 1))
        taken += 1
        locks.release(f"run {{number}}")
return taken
"""
    )
    assert sum(taken for _, taken in answers) == int(file.read_text()) > 0
    assert workspace.locks.holder("the audience") is None


@pytest.mark.usefixtures("workspace", "waits")
class TestExports:
    """Eight kernels run the same export."""

    def test_same_export_is_sent_once(self, kernels: Kernels, emulator: RunningEmulator) -> None:
        contoso.connect()
        contoso.segment(400)
        answers = kernels.at_once("import contoso\nreturn contoso.export('All').accepted")
        told = {answer for answer in answers if answer != ("done", 400)} - {("done", 0)}
        assert answers.count(("done", 400)) == 1
        assert told <= {("refused", "concurrent_run"), ("refused", "plan_outdated"), ("refused", "unfinished_run")}
        assert emulator.operations().count(APPLY) == 1
        assert emulator.operations().count("AddAudiences") == 1
        assert emulator.members("All") == contoso.hashes(400)

    def test_each_kernel_can_fill_its_own_audience(self, kernels: Kernels, emulator: RunningEmulator) -> None:
        contoso.connect()
        answers = kernels.at_once(
            """
import contoso
name = f"Segment {number}"
for turn in (1, 2):
    run = contoso.export(contoso.segment(300 * turn, start=number * 1000, name=name))
return run.accepted
"""
        )
        assert answers == [("done", 300)] * EIGHT
        for number in range(EIGHT):
            assert emulator.members(f"Segment {number}") == contoso.hashes(600, start=number * 1000)
        assert len(list(ci.open_workspace().store.runs)) == 2 * EIGHT

    def test_run_resumed_by_all_is_finished_once(self, kernels: Kernels, emulator: RunningEmulator) -> None:
        contoso.connect()
        contoso.fail(emulator, APPLY, *["lost_request"] * 5)
        with pytest.raises(ci.CiError):
            contoso.export(contoso.segment(400))
        (record,) = ci.open_workspace().store.runs
        applied = emulator.operations().count(APPLY)
        answers = kernels.at_once(f"import contoso\nreturn contoso.resumed({record.name!r}).accepted")
        assert set(answers) <= {("done", 400), ("refused", "concurrent_run")}
        assert ("done", 400) in answers
        assert emulator.operations().count(APPLY) == applied + 1
        (record,) = ci.open_workspace().store.runs
        assert record.status == "Completed"
        assert [each["accepted"] for each in record.results] == [400]
