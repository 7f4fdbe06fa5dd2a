"""A user from whom the database hides keys and hashes sees stored counts.

Here a property stands in for the database; `tests/postgresql/test_counts_for_viewers.py` uses the real privileges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import contoso
import pytest

import ci_magics as ci
from ci_magics.activation.segments.kept_counts import keep_all_counts
from ci_magics.errors import AccessError
from ci_magics.workspace.store import Workspace

if TYPE_CHECKING:
    from conftest import RunningEmulator

VIEWER = "vera"


@pytest.fixture
def as_viewer(
    emulator: RunningEmulator,
    workspace: Workspace,
    as_user: Callable[..., Workspace],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], Workspace]:
    """Return a function that switches to a user who may not read keys and hashes."""
    del emulator, workspace
    monkeypatch.setattr(Workspace, "hides_keys_from_viewers", True)
    monkeypatch.setattr(Workspace, "may_read_keys", property(lambda store: store.user != VIEWER))
    contoso.connect(share=["viewer"])
    return lambda: as_user(VIEWER, "viewer")


def with_consent(count: int = 40) -> Any:
    frame = contoso.people(count).assign(Agreed=["yes"] * (count - 10) + ["no"] * 10)
    frame.loc[:4, "EMail"] = None
    return ci.segment("Asked", frame, consent="Agreed", show=lambda _sentence: None)


def numbers(coverage: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = coverage.to_dict()["segments"]
    return [{name: each[name] for name in each if name not in ("remark", "warnings")} for each in found]


@pytest.mark.parametrize("normalization", ["basic", "enhanced", "both"])
def test_stored_counts_equal_those_of_a_reader(as_viewer: Callable[[], Workspace], normalization: str) -> None:
    contoso.segment(5, start=10, name="Suppressed")
    ci.segments.suppress("Suppressed")
    with_consent()
    expected = numbers(ci.preview("Asked", normalization=normalization))
    assert (expected[0]["reasons"]["suppressed"], expected[0]["reasons"]["refused"]) == (5, 10)
    as_viewer()
    seen = ci.preview("Asked", normalization=normalization)
    assert numbers(seen) == expected
    assert "counted on" in seen.segments[0].remark


def test_question_that_stored_counts_cannot_answer_is_refused(as_viewer: Callable[[], Workspace]) -> None:
    contoso.segment(10), with_consent()
    as_viewer()
    with pytest.raises(AccessError, match="not stored for other exclusions"):
        ci.preview("Asked", exclude=["All"])
    with pytest.raises(AccessError, match="not stored for another choice of consents"):
        ci.preview("Asked", ignore_consent=True)
    seen = ci.preview("All", "Asked")
    assert all("how many people it shares with the others" in each.remark for each in seen.segments)
    with pytest.raises(AccessError, match="not its keys and hashes"):
        seen.profiles("missing")


def test_missing_counts_are_stored_once_when_asked_for(
    as_viewer: Callable[[], Workspace], workspace: Workspace
) -> None:
    contoso.segment(10), contoso.segment(20, name="Other")
    for name in ("All", "Other"):
        workspace.segments.put(replace(workspace.segments[name], kept_counts={}))
    viewing = as_viewer()
    with pytest.raises(AccessError, match="those of the segment 'All' are not stored yet"):
        ci.preview("All")
    assert [keep_all_counts(workspace), keep_all_counts(workspace)] == [2, 0]
    assert viewing.segments["All"].kept_counts
    assert [each.sendable for each in ci.preview("All", "Other").segments] == [10, 20]


def test_suppression_that_changed_after_the_count_is_mentioned(as_viewer: Callable[[], Workspace]) -> None:
    contoso.segment(10), contoso.segment(3, name="Suppressed")
    ci.segments.suppress("Suppressed")
    as_viewer()
    assert "The suppression list has changed since then" in ci.preview("All").segments[0].remark


def test_account_is_compared_as_far_as_counts_allow(as_viewer: Callable[[], Workspace]) -> None:
    contoso.export(contoso.segment(10))
    contoso.segment(4, name="Other")
    as_viewer()
    sent, unsent = ci.preview("All", "Other", to=contoso.NAME).segments
    assert (sent.new, unsent.new, unsent.gone) == (None, 4, 0)
    assert "how many people are new in its audience" in sent.remark


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("All", {}, "its audience held 10 after the last run. At least 4 would be removed."),
        ("All", {"mode": "add"}, "its audience held 10 after the last run."),
        ("Other", {}, "'Other' has 4 hashes to send."),
    ],
)
def test_plan_says_what_the_counts_tell(
    as_viewer: Callable[[], Workspace], name: str, options: dict[str, str], says: str
) -> None:
    contoso.export(contoso.segment(10))
    contoso.segment(6), contoso.segment(4, name="Other")
    as_viewer()
    plan = contoso.planned(name, **options)
    assert plan.verdict.state == "Blocked"
    [known] = [each for each in plan.verdict.findings if each.code == "known_from_counts"]
    assert known.sentence.endswith(says)
