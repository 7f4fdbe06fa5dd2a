"""Replacing and deleting a segment can be undone during the retention period."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import contoso
import pytest
from contoso import connect, export, people, segment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from run_settings import examples

import ci_magics as ci
from ci_magics.activation.erasure.forget import forget
from ci_magics.activation.retention import purge
from ci_magics.activation.runs.status import status
from ci_magics.clock import present
from ci_magics.errors import AccessError, CiError, NotFoundError, SegmentError
from ci_magics.workspace.access import Role
from ci_magics.workspace.store import open_workspace

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("workspace")


def quietly(_sentence: str) -> None:
    """Show nothing."""


def rows(name: str = "All") -> int | None:
    found = open_workspace().segments.get(name)
    return found.rows if found else None


def undo(name: str = "All") -> int:
    return ci.segments.undo(name, show=quietly).rows


def redo(name: str = "All") -> int:
    return ci.segments.redo(name, show=quietly).rows


def states(name: str = "All") -> list[tuple[int, str]]:
    return [(each.profiles, each.state) for each in ci.segments.versions(name).versions]


def keys(name: str = "All") -> set[str]:
    workspace = open_workspace()
    return set(workspace.snapshots.read(workspace.segments[name].id)["key"].to_pylist())


def test_undo_goes_back_and_redo_goes_forward_by_version() -> None:
    for count in (100, 200, 300):
        segment(count)
    assert [undo(), undo()] == [200, 100]
    assert keys() == set(people(100)["Id"])
    with pytest.raises(SegmentError) as none_left:
        undo()
    assert none_left.value.code == "no_version"
    assert [redo(), redo()] == [200, 300]
    assert keys() == set(people(300)["Id"])
    with pytest.raises(SegmentError):
        redo()
    assert rows() == 300


def test_nothing_is_lost_if_a_new_version_follows_an_undo() -> None:
    segment(100)
    segment(200)
    undo()
    segment(150)
    assert sorted(states()) == [(100, "replaced"), (150, "current"), (200, "undone")]
    assert undo() == 100
    assert redo() == 150


def test_deleted_segment_is_restored_completely(workspace: Workspace) -> None:
    segment(100)
    segment(120)
    ci.segments.tag("All", "vip")
    ci.segments.deactivate("All")
    before = workspace.segments["All"]
    deleted = ci.segments.delete("All")
    assert rows() is None
    assert states() == [(120, "deleted"), (100, "replaced")]
    assert f"Until {present() + timedelta(days=90):%Y-%m-%d} you can restore it" in repr(deleted)
    assert undo() == 120
    assert workspace.segments["All"] == before
    assert undo() == 100


def test_delete_says_what_it_did(emulator: RunningEmulator) -> None:
    del emulator
    connect()
    segment(400)
    export("All")
    segment(5, name="Few")
    ci.segment("Rest", rule="'All' and not 'Few'", static=True, show=quietly)
    deleted = ci.segments.delete("All")
    assert (deleted.profiles, deleted.audiences, deleted.segments) == (400, ("All",), ("Rest",))
    assert "400 profiles. Its audiences keep their members: 'All'." in repr(deleted)
    assert "Segments that were made from it stay unchanged: 'Rest'." in repr(deleted)


def test_new_segment_takes_the_place_of_a_deleted_one() -> None:
    segment(100)
    ci.segments.delete("All")
    segment(200)
    assert undo() == 100
    assert redo() == 200


def test_versions_follow_a_renamed_segment() -> None:
    segment(50, name="New")
    ci.segments.delete("New")
    segment(100)
    segment(200)
    ci.segments.rename("All", "New")
    assert undo("New") == 100
    with pytest.raises(SegmentError, match="another one of this name was deleted"):
        undo("New")
    with pytest.raises(NotFoundError):
        undo("All")
    ci.segments.rename("New", "Other")
    assert (undo("New"), rows("Other")) == (50, 100)


def test_version_that_would_depend_on_itself_is_refused() -> None:
    segment(10, name="Base")
    ci.segment("All", rule="'Base'", show=quietly)
    segment(20)
    ci.segment("Base", rule="'All'", show=quietly)
    with pytest.raises(SegmentError) as refused:
        undo()
    assert refused.value.code == "segment_cycle"
    assert rows() == 20


def test_version_without_its_profiles_is_refused(workspace: Workspace) -> None:
    segment(5), segment(7)
    [earlier] = [each for each in workspace.versions if each.rows == 5]
    workspace.snapshots.remove(earlier.id)
    with pytest.raises(SegmentError) as refused:
        undo()
    assert refused.value.code == "version_gone"
    assert rows() == 7


def test_identical_definition_creates_no_version() -> None:
    segment(10)
    segment(10)
    assert states() == [(10, "current")]


def test_python_value_of_the_earlier_version_is_valid_again(emulator: RunningEmulator) -> None:
    del emulator
    connect()
    first = segment(400)
    segment(450)
    undo()
    assert export(first).accepted == 400


def test_export_after_an_undo_sends_the_difference(emulator: RunningEmulator) -> None:
    connect()
    segment(400)
    export("All")
    segment(500)
    export("All")
    undo()
    assert export("All").status == "Completed"
    assert emulator.members("All") == contoso.hashes(400)


def test_only_administrators_end_or_restore_a_suppression(as_user: Callable[..., Any]) -> None:
    segment(10)
    ci.segments.suppress("All")
    as_user("carla", Role.CONTRIBUTOR.value)
    with pytest.raises(AccessError):
        ci.segments.delete("All")
    as_user("someone", Role.ADMINISTRATOR.value)
    deleted = ci.segments.delete("All")
    assert "no longer excluded from exports" in repr(deleted)
    as_user("carla", Role.CONTRIBUTOR.value)
    said: list[str] = []
    restored = ci.segments.undo("All", show=said.append)
    assert not restored.suppresses
    assert 'an administrator can run ci.segments.suppress("All")' in said[0]


def test_undone_suppression_segment_still_suppresses_and_says_so(emulator: RunningEmulator) -> None:
    connect()
    segment(500, name="Everybody")
    segment(10)
    ci.segments.suppress("All")
    segment(60)
    said: list[str] = []
    assert ci.segments.undo("All", show=said.append).suppresses
    assert "excluded from every export" in said[0]
    assert export("Everybody").accepted == 490
    assert not emulator.members("Everybody") & contoso.hashes(10)


def test_refresh_keeps_only_the_previous_version(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    people(100).to_csv(path, index=False)
    ci.segment("All", str(path), show=quietly)
    for count in (110, 120, 130):
        people(count).to_csv(path, index=False)
        ci.segments.refresh("All", show=quietly)
    assert states() == [(130, "current"), (120, "refreshed")]
    assert undo() == 120
    snapshots = open_workspace().snapshots
    assert len(snapshots.names()) == 2


def test_versions_end_with_the_retention_period(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_MAGICS_RETENTION_DAYS", "7")
    segment(100)
    segment(200)
    ci.segments.suppress("All")  # so that the current version is in use
    segment(5, name="Gone")
    ci.segments.delete("Gone")
    assert purge(now=present() + timedelta(days=6)).versions == 0
    assert purge(now=present() + timedelta(days=8), dry_run=True).versions == 2
    assert purge(now=present() + timedelta(days=8)).versions == 2
    assert states() == [(200, "current")]
    assert len(workspace.snapshots.names()) == 1
    with pytest.raises(SegmentError, match="Versions stay for 7 days"):
        undo()
    with pytest.raises(NotFoundError):
        undo("Gone")


def test_remains_of_a_crash_are_not_a_version(workspace: Workspace) -> None:
    segment(100)
    segment(200)
    assert purge(now=present() + timedelta(days=2)).strays == 0
    assert len(workspace.snapshots.names()) == 2
    assert undo() == 100


def test_erased_person_is_in_no_version(workspace: Workspace, emulator: RunningEmulator) -> None:
    del emulator
    segment(100)
    segment(200)
    segment(300, name="Gone")
    ci.segments.delete("Gone")
    segment(150, start=50)
    digest = contoso.hash_of(contoso.email_of(7))
    forgotten = forget(sha256=digest, workspace=workspace)
    assert forgotten.segments == ("All", "Gone")
    kept = list((workspace.folder / "segments").iterdir())
    assert len(kept) == 4
    assert not [path for path in kept if bytes.fromhex(digest) in path.read_bytes()]
    assert states() == [(150, "current"), (199, "replaced"), (99, "replaced")]
    assert (undo(), undo(), undo("Gone")) == (199, 99, 299)


def test_key_of_a_person_is_found_in_earlier_versions(workspace: Workspace, emulator: RunningEmulator) -> None:
    del emulator
    segment(100)
    segment(50, start=50)
    assert forget(key="k7", workspace=workspace).segments == ("All",)
    assert undo() == 99


def test_status_counts_profiles_of_earlier_versions(emulator: RunningEmulator) -> None:
    del emulator
    segment(100)
    assert "earlier versions" not in repr(status(show=quietly))
    segment(200)
    assert "100 profiles of earlier versions of segments" in repr(status(show=quietly))


def test_undo_is_audited(workspace: Workspace) -> None:
    segment(100)
    segment(200)
    undo()
    (entry,) = [each for each in workspace.audit if each.facts.get("undone")]
    assert (entry.subject, entry.facts["profiles"]) == ("All", 100)


class Timeline:
    """A model of undo and redo: the sizes before and after the current version."""

    def __init__(self) -> None:
        self.made = 0
        self.past: list[int] = []
        self.future: list[int] = []
        self.current: int | None = None

    def make(self) -> None:
        self.made += 1
        segment(self.made)
        self._leave(self.made)

    def again(self) -> None:
        if self.current:
            segment(self.current)

    def undo(self) -> None:
        if not self.past:
            with pytest.raises(CiError):
                undo()
            return
        self.future += [self.current] if self.current else []
        self.current = self.past.pop()
        assert undo() == self.current

    def redo(self) -> None:
        if self.current and self.future:
            self.past.append(self.current)
            self.current = self.future.pop()
            assert redo() == self.current

    def delete(self) -> None:
        if self.current:
            ci.segments.delete("All")
            self._leave(None)

    def rename(self) -> None:
        if self.current:
            ci.segments.rename("All", "Between")
            ci.segments.rename("Between", "All")

    def _leave(self, current: int | None) -> None:
        self.past += [self.current] if self.current else []
        self.future, self.current = [], current


@given(st.lists(st.sampled_from(["make", "undo", "redo", "delete", "rename", "again"]), max_size=12))
@settings(max_examples=examples(20), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_kept_version_has_its_profiles_after_any_steps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, steps: list[str]
) -> None:
    monkeypatch.setenv("CI_MAGICS_WORKSPACE", str(tmp_path / uuid.uuid4().hex))
    timeline = Timeline()
    for step in steps:
        getattr(timeline, step)()
        assert rows() == timeline.current
    opened = open_workspace()
    for version in opened.versions:
        assert opened.snapshots.rows(version.id) == version.rows
