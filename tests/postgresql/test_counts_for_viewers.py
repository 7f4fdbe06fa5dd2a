"""Viewers cannot read keys and hashes of a segment, but they see its stored counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import contoso
import pandas as pd
import pytest
from sqlalchemy import text

import ci_magics as ci
from ci_magics.activation.erasure.forget import forget
from ci_magics.errors import AccessError
from ci_magics.workspace.store import Workspace

Become = Callable[[str], Workspace]


def quiet(_sentence: str) -> None:
    pass


def mixed(count: int = 400) -> pd.DataFrame:
    """Return people, some with an invalid address: one for every reason."""
    frame = contoso.people(count)
    frame.loc[:9, "EMail"] = None
    frame.loc[10:19, "EMail"] = "nobody"
    frame.loc[20:24, "EMail"] = "p30@contoso.com"
    frame.loc[25:29, "EMail"] = "first.last@gmail.com"
    frame["MarketingConsent"] = ["yes"] * (count - 60) + ["no"] * 50 + [None] * 10
    return frame


def numbers(coverage: Any) -> list[dict[str, Any]]:
    """Return all numbers of a preview except those that need keys."""
    found: list[dict[str, Any]] = coverage.to_dict()["segments"]
    return [{name: each[name] for name in each if name not in ("remark", "warnings")} for each in found]


@pytest.mark.parametrize("normalization", ["basic", "enhanced", "both"])
def test_viewer_sees_the_same_numbers_as_a_contributor(team: Become, normalization: str) -> None:
    team("ada")
    ci.segment("Suppressed", contoso.people(50, start=100), show=quiet)
    ci.segments.suppress("Suppressed")
    team("carl")
    ci.segment("Mixed", mixed(), consent="MarketingConsent", show=quiet)
    expected = numbers(ci.preview("Mixed", normalization=normalization))
    assert expected[0]["reasons"]["suppressed"] == 50
    assert expected[0]["reasons"]["refused"] > 0
    team("vera")
    seen = ci.preview("Mixed", normalization=normalization)
    assert numbers(seen) == expected
    assert "counted on" in seen.segments[0].remark


def test_stored_counts_contain_no_key_and_no_hash(team: Become) -> None:
    seen = team("carl")
    ci.segment("Mixed", mixed(), show=quiet)
    kept = json.dumps(seen.segments["Mixed"].kept_counts)
    for number in range(400):
        assert f'"k{number}"' not in kept
        assert contoso.hash_of(contoso.email_of(number)) not in kept


def test_existing_segments_are_counted_when_roles_are_enforced(team: Become) -> None:
    team("vera")
    assert ci.preview("All").segments[0].sendable == 400  # the fixture created it earlier


def test_missing_counts_are_explained_with_the_next_step(team: Become, workspace: Workspace) -> None:
    with workspace._engine.begin() as database:  # noqa: SLF001 - as an earlier version left it
        database.execute(text("UPDATE segments SET kept_counts = '{}'"))
    team("vera")
    with pytest.raises(AccessError, match="those of the segment 'All' are not stored yet") as refused:
        ci.preview("All")
    assert 'ci.segments.refresh("All")' in refused.value.next_step
    team("carl")
    contoso.segment(400)
    team("vera")
    assert ci.preview("All").segments[0].sendable == 400


def test_preview_that_counts_cannot_answer_is_refused(team: Become) -> None:
    team("carl")
    contoso.segment(10, name="Other")
    ci.segment("Mixed", mixed(), consent="MarketingConsent", show=quiet)
    team("vera")
    with pytest.raises(AccessError, match="not stored for other exclusions"):
        ci.preview("All", exclude=["Other"])
    with pytest.raises(AccessError, match="not stored for another choice of consents"):
        ci.preview("Mixed", ignore_consent=True)
    seen = ci.preview("All", "Other")
    assert "a contributor can see how many people it shares with the others" in seen.segments[0].remark
    assert dict(seen.overlap) == {}
    with pytest.raises(AccessError, match="not its keys and hashes"):
        seen.profiles("missing")


def test_changed_suppression_is_mentioned(team: Become) -> None:
    team("ada")
    contoso.segment(30, name="Suppressed")
    ci.segments.suppress("Suppressed")
    team("vera")
    assert "The suppression list has changed since then" in ci.preview("All").segments[0].remark
    team("carl")
    contoso.segment(401)
    team("vera")
    seen = ci.preview("All").segments[0]
    assert seen.reasons["suppressed"] == 30
    assert "has changed" not in seen.remark


def test_refresh_counts_again(team: Become, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    contoso.people(300).to_csv(path, index=False)
    team("carl")
    ci.segment("File", str(path), key="Id", show=quiet)
    contoso.people(350).to_csv(path, index=False)
    ci.segments.refresh("File", show=quiet)
    team("vera")
    assert ci.preview("File").segments[0].sendable == 350


def test_dry_run_shows_what_counts_can_tell(team: Become) -> None:
    team("carl")
    contoso.export("All")
    contoso.segment(250)
    team("ada")
    ci.connections.share(contoso.NAME, "viewer")
    team("vera")
    plan = contoso.planned("All")
    assert plan.verdict.state == "Blocked"
    assert plan.verdict.reason is not None
    assert plan.verdict.reason.code == "role_too_low"
    (found,) = [each for each in plan.verdict.findings if each.code == "known_from_counts"]
    assert found.sentence == (
        "'All' has 250 hashes to send, and its audience held 400 after the last run. At least 150 would be removed."
    )
    assert "A contributor can plan this export to see the exact additions and removals." in found.next_step


def test_preview_shows_new_people_only_if_there_is_no_audience(team: Become) -> None:
    team("carl")
    contoso.segment(250, name="New")
    contoso.export("All")
    team("ada")
    ci.connections.share(contoso.NAME, "viewer")
    team("vera")
    new, known = ci.preview("New", "All", to=contoso.NAME).segments
    assert (new.new, new.gone, new.unchanged) == (250, 0, 0)
    assert known.new is None
    assert "A contributor can preview it to see how many people are new in its audience" in known.remark


def test_erasure_counts_again(team: Become) -> None:
    team("ada")
    assert forget(key="k7", show=quiet).erased
    team("vera")
    assert ci.preview("All").segments[0].rows == 399
