"""Eight real kernels at once on one workspace: nothing is lost, nothing blocks for ever, nothing is sent twice."""

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
def new_place(tmp_path: Path) -> str:
    """Where no workspace has been yet."""
    return str(tmp_path / "new")


def test_a_workspace_that_all_open_first_is_made_once(
    kernels: Kernels, monkeypatch: pytest.MonkeyPatch, new_place: str
) -> None:
    monkeypatch.setenv("CI_MAGICS_WORKSPACE", new_place)
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    answers = kernels.at_once(
        """
from ci_magics.workspace.store import open_workspace
return [each.role for each in open_workspace().roles]
"""
    )
    assert answers == [("done", ["administrator"])] * EIGHT


def test_no_change_is_lost(kernels: Kernels, workspace: Workspace) -> None:
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


def test_different_changes_of_one_segment_all_stand(kernels: Kernels, workspace: Workspace) -> None:
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


def test_a_segment_that_all_make_is_one_with_its_profiles(kernels: Kernels, workspace: Workspace) -> None:
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


def test_the_same_segment_that_all_make_has_no_versions(kernels: Kernels, workspace: Workspace) -> None:
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


def test_one_segment_suppresses_whoever_chooses(kernels: Kernels, workspace: Workspace) -> None:
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


def test_a_file_is_read_as_somebody_wrote_it(kernels: Kernels, workspace: Workspace) -> None:
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


def test_a_lock_has_one_holder(kernels: Kernels, workspace: Workspace) -> None:
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
    """The same export eight times."""

    def test_one_is_sent_and_the_others_are_told(self, kernels: Kernels, emulator: RunningEmulator) -> None:
        contoso.connect()
        contoso.segment(400)
        answers = kernels.at_once("import contoso\nreturn contoso.export('All').accepted")
        told = {answer for answer in answers if answer != ("done", 400)} - {("done", 0)}
        assert answers.count(("done", 400)) == 1
        assert told <= {("refused", "concurrent_run"), ("refused", "plan_outdated"), ("refused", "unfinished_run")}
        assert emulator.operations().count(APPLY) == 1
        assert emulator.operations().count("AddAudiences") == 1
        assert emulator.members("All") == contoso.hashes(400)

    def test_each_can_fill_its_own_audience(self, kernels: Kernels, emulator: RunningEmulator) -> None:
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

    def test_a_run_that_all_resume_is_finished_once(self, kernels: Kernels, emulator: RunningEmulator) -> None:
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
