"""Early snapshots contain the values of consent columns; they are rewritten without them, even after crashes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import contoso
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from run_settings import examples

import ci_magics as ci
from ci_magics.activation.retention import purge
from ci_magics.activation.segments import early_snapshots
from ci_magics.activation.segments.consents import consent_of, counted_consent
from ci_magics.activation.segments.early_snapshots import rewrite_early_snapshots
from ci_magics.activation.segments.stored_segment import stored_segment
from ci_magics.errors import CiError, WorkspaceError
from ci_magics.workspace.models import SegmentRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

ANSWERS = ["Y", "N", None, "Y", "maybe", "N"]
SECRET = "said at the fair in Utrecht"


def early(workspace: Workspace, answers: list[str | None], name: str = "S") -> SegmentRecord:
    """Return a segment of an early version: the column itself in the snapshot, and no counts."""
    frame = pd.DataFrame({"Id": range(len(answers)), "EMail": [contoso.email_of(each) for each in range(len(answers))]})
    made = ci.segment(name, frame, show=lambda _sentence: None)
    table = workspace.snapshots.read(made.id)
    table = table.drop_columns([each for each in table.column_names if each == "consent_state"])
    workspace.snapshots.write(made.id, table.append_column("OptIn", pa.array(answers, pa.string())))
    consent = {"columns": ["OptIn"], "in_old_form": True}
    workspace.segments.change(lambda record: replace(record, consent=consent), name=name)
    return workspace.segments[name]


def is_clean(workspace: Workspace, record: SegmentRecord) -> bool:
    """Return whether no value of the column remains, and everything is counted."""
    columns = workspace.snapshots.columns(record.id)
    found = consent_of(workspace.segments[record.name])
    return "OptIn" not in columns and "consent_state" in columns and not found.in_old_form


def counts(workspace: Workspace, name: str = "S") -> tuple[int, int, int]:
    known = counted_consent(workspace, workspace.segments[name])
    return known.consented, known.refused, known.unknown


@pytest.mark.parametrize("how", ["read", "purge", "export"])
@pytest.mark.usefixtures("emulator")
def test_early_snapshot_is_rewritten_when_read_and_when_a_run_starts(workspace: Workspace, how: str) -> None:
    record = early(workspace, [*ANSWERS, *["Y"] * 300])
    contoso.connect()
    if how == "read":
        stored_segment(workspace, "S")
    elif how == "purge":
        purge(workspace=workspace)
    else:
        contoso.segment(300, name="Other")
        contoso.export("Other")
    assert is_clean(workspace, record)
    assert counts(workspace) == (302, 2, 2)
    assert rewrite_early_snapshots(workspace) == 0


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.sampled_from(["Y", "N", None, "ja", "nein", SECRET, "", "perhaps"]), min_size=1, max_size=40))
def test_states_are_those_of_the_columns(workspace: Workspace, answers: list[str | None]) -> None:
    record = early(workspace, answers)
    before = counts(workspace)
    assert stored_segment(workspace, "S").record.id == record.id
    assert counts(workspace) == before
    assert is_clean(workspace, record)


class _Killed(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("moment", ["write_parts", "_shorten_spools", "change"])
def test_crash_leaves_a_readable_segment_that_is_rewritten_later(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    record = early(workspace, ANSWERS)
    before = counts(workspace)

    def die(*_arguments: Any, **_options: Any) -> Any:
        raise _Killed

    with monkeypatch.context() as patched:
        owner = {"write_parts": workspace.snapshots, "change": workspace.segments}.get(moment, early_snapshots)
        patched.setattr(owner, moment, die)
        with pytest.raises(_Killed):
            stored_segment(workspace, "S")
    assert consent_of(workspace.segments["S"]).in_old_form
    assert counts(workspace) == before
    assert rewrite_early_snapshots(workspace) == 1
    assert is_clean(workspace, record)
    assert counts(workspace) == before


def test_early_snapshot_is_read_in_a_read_only_workspace(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    record = early(workspace, ANSWERS)
    before = counts(workspace)

    def refuse(*_arguments: Any) -> None:
        raise WorkspaceError("There is no room.")

    with monkeypatch.context() as patched:
        patched.setattr(workspace.snapshots, "write_parts", refuse)
        assert stored_segment(workspace, "S").record.id == record.id
        assert counts(workspace) == before
    assert rewrite_early_snapshots(workspace) == 1


def test_earlier_versions_are_rewritten_too(workspace: Workspace) -> None:
    record = early(workspace, ANSWERS)
    contoso.segment(3, name="S")
    assert [each.id for each in workspace.versions] == [record.id]
    assert rewrite_early_snapshots(workspace) == 1
    assert "OptIn" not in workspace.snapshots.columns(record.id)
    (version,) = workspace.versions
    assert consent_of(version.as_record()).consented == 2
    ci.segments.undo("S", show=lambda _sentence: None)
    assert counts(workspace) == (2, 2, 2)


@pytest.mark.usefixtures("waits")
def test_spool_of_an_unfinished_run_loses_the_values_too(workspace: Workspace, emulator: RunningEmulator) -> None:
    contoso.connect()
    frame = pd.DataFrame({"Id": range(1_500), "EMail": [contoso.email_of(each) for each in range(1_500)]})
    ci.segment("S", frame, show=lambda _sentence: None)
    contoso.fail(emulator, "ApplyCustomerListUserData", *["http_503"] * 50)
    with pytest.raises(CiError):
        contoso.export("S")
    (push,) = workspace.pushes.where(finished=False)
    name = f"{push.id}-profiles"
    table = workspace.spool.read(name)
    workspace.spool.write(name, table.append_column("OptIn", pa.array([SECRET] * table.num_rows)))
    early_record = early(workspace, ["Y"] * 1_500)
    stored_segment(workspace, "S")
    assert is_clean(workspace, early_record)
    assert "OptIn" not in workspace.spool.columns(name)
    contoso.fail(emulator, "ApplyCustomerListUserData")
    assert contoso.resumed(push.run_id[:8]).status == "Completed"


def test_person_erased_during_the_rewrite_does_not_return(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = early(workspace, ANSWERS)
    write = workspace.snapshots.write_parts
    person = bytes.fromhex(contoso.hash_of(contoso.email_of(3)))

    def write_while_somebody_is_forgotten(*arguments: Any) -> None:
        workspace.forgotten.add([person])
        write(*arguments)

    monkeypatch.setattr(workspace.snapshots, "write_parts", write_while_somebody_is_forgotten)
    stored_segment(workspace, "S")
    kept = workspace.snapshots.read(record.id)
    assert person not in kept["sha256_basic"].to_pylist()
    assert workspace.segments["S"].rows == kept.num_rows == 5
    assert counts(workspace) == (1, 2, 2)


def test_viewer_reads_an_early_snapshot_and_writes_nothing(
    workspace: Workspace, as_user: Callable[..., Workspace]
) -> None:
    record = early(workspace, ANSWERS)
    theirs = as_user("ann", "viewer")
    assert ci.preview("S").segments[0].rows == 6
    assert rewrite_early_snapshots(theirs) == 0
    assert "OptIn" in workspace.snapshots.columns(record.id)
