from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import pytest

from ci_magics.errors import NotFoundError
from ci_magics.workspace.models import Connection, Consent, SegmentCount, SegmentRecord
from ci_magics.workspace.store import Workspace, open_workspace

NOW = datetime(2026, 11, 24, 12, 30, 0, 123456, UTC)
SEGMENT = SegmentRecord(
    id="1",
    name="Big spenders",
    definition={"email": "EMail", "key": "Id", "where": None},
    fingerprint="f",
    rows=3,
    domains={"contoso.com": 12},
    examples={"no_at": ["b***"]},
    consent={"columns": ["OptIn"]},
    created_by="ada",
    created_at=NOW,
)
CONNECTION = Connection(
    id="c1",
    name="Contoso EU",
    environment="emulator",
    customer_id="222",
    account_id="111",
    account_name="Contoso",
    shared_with=("viewer",),
    flow=None,
    client_id=None,
    tenant="",
    created_by="ada",
    created_at=NOW,
)
CONSENT = Consent("a1", "c1", "data_privacy", "2026-11", "ada", NOW)


def test_record_is_read_back_unchanged(workspace: Workspace) -> None:
    workspace.segments.put(SEGMENT)
    workspace.connections.put(CONNECTION)
    workspace.connections.consents.put(CONSENT)
    assert workspace.segments["Big spenders"] == SEGMENT
    assert workspace.connections["Contoso EU"] == replace(CONNECTION, consents=(CONSENT,))
    assert workspace.connections["Contoso EU"].agreed


def test_timestamp_is_read_back_in_utc(workspace: Workspace) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5)))
    workspace.segments.put(replace(SEGMENT, created_at=there))
    kept = workspace.segments["Big spenders"].created_at
    assert (kept, kept.tzinfo) == (NOW, UTC)


def test_another_process_finds_the_record(workspace: Workspace) -> None:
    workspace.segments.put(SEGMENT)
    code = "import ci_magics as ci; print(*ci.open_workspace().store.segments.names(), sep=', ')"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ.copy()
    )
    assert found.stdout == "Big spenders\n"


def test_record_with_the_same_id_is_replaced(workspace: Workspace) -> None:
    workspace.segments.put(SEGMENT)
    workspace.segments.put(replace(SEGMENT, rows=9))
    assert [each.rows for each in workspace.segments] == [9]
    workspace.segments.remove("1")
    workspace.segments.remove("1")
    assert list(workspace.segments) == []


def test_records_are_listed_by_name(workspace: Workspace) -> None:
    for number, name in enumerate(["Lapsed", "Big spenders", "New"]):
        workspace.segments.put(replace(SEGMENT, id=str(number), name=name))
    assert workspace.segments.names() == ["Big spenders", "Lapsed", "New"]
    assert len(workspace.segments) == 3
    assert repr(workspace.segments) == "3 segments: 'Big spenders', 'Lapsed', 'New'"
    workspace.connections.put(CONNECTION)
    assert repr(workspace.connections) == "1 connection: 'Contoso EU'"


def test_contains_and_get_look_up_by_name(workspace: Workspace) -> None:
    workspace.segments.put(SEGMENT)
    assert "Big spenders" in workspace.segments
    assert "Lapsed" not in workspace.segments
    assert 5 not in workspace.segments
    assert workspace.segments.get("Lapsed") is None


@pytest.mark.parametrize(("wrong", "nearest"), [("big spender", "Big spenders"), ("Something else", None)])
def test_unknown_name_suggests_the_nearest(workspace: Workspace, wrong: str, nearest: str | None) -> None:
    workspace.segments.put(SEGMENT)
    with pytest.raises(NotFoundError, match=f"There is no segment '{wrong}'") as refused:
        workspace.segments[wrong]
    assert ("Did you mean" in refused.value.sentence) is (nearest is not None)
    assert (nearest or wrong) in refused.value.sentence
    assert "ci.segment(NAME, FRAME)" in refused.value.next_step


def test_address_given_as_name_is_not_repeated(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError) as refused:
        workspace.connections["jan@contoso.com"]
    assert "@" not in str(refused.value)


def test_records_are_selected_by_field_values(workspace: Workspace) -> None:
    workspace.segments.put(SEGMENT)
    workspace.segments.put(replace(SEGMENT, id="2", name="Lapsed", created_by="bob"))
    assert [each.name for each in workspace.segments.where(created_by="bob")] == ["Lapsed"]
    assert workspace.segments.where(created_by="eve") == []


def test_latest_record_of_each_group_is_found(workspace: Workspace) -> None:
    for number, (name, hour) in enumerate([("Weekly", 3), ("Daily", 1), ("Weekly", 2), ("Daily", 4)]):
        workspace.counts.put(SegmentCount(str(number), name, number, NOW + timedelta(hours=hour)))
    assert {each.segment_name: each.id for each in workspace.counts.last_of_each("segment_name")} == {
        "Weekly": "0",
        "Daily": "3",
    }
    assert [each.id for each in workspace.counts.where_in("rows", {1, 2, 7})] == ["1", "2"]
    assert workspace.counts.where_in("rows", set()) == []


def test_repository_converts_to_a_frame(workspace: Workspace) -> None:
    empty = workspace.segments.to_frame()
    workspace.segments.put(SEGMENT)
    frame = workspace.segments.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == list(empty.columns)
    assert frame[["name", "rows", "created_by"]].values.tolist() == [["Big spenders", 3, "ada"]]
    assert frame["created_at"][0] == NOW


def test_removing_a_connection_removes_its_consents(workspace: Workspace) -> None:
    workspace.connections.put(CONNECTION)
    workspace.connections.consents.put(CONSENT)
    workspace.connections.remove("c1")
    assert list(workspace.connections.consents) == []


def test_withdrawn_consent_does_not_count(workspace: Workspace) -> None:
    workspace.connections.put(CONNECTION)
    workspace.connections.consents.put(replace(CONSENT, withdrawn_by="bob", withdrawn_at=NOW))
    kept = workspace.connections["Contoso EU"]
    assert (kept.agreed, kept.consents[0].withdrawn_by) == (False, "bob")


def test_connection_repr_shows_the_destination_and_no_sign_in() -> None:
    assert repr(CONNECTION).startswith("EMULATOR: nothing left this machine\n")
    assert repr(replace(CONNECTION, environment="production")).startswith("PRODUCTION: Contoso (111)\n")
    assert "somebody" not in repr(CONNECTION)


def test_workspaces_are_independent(workspace: Workspace, tmp_path: Path) -> None:
    workspace.segments.put(SEGMENT)
    assert list(open_workspace(tmp_path / "other").segments) == []
